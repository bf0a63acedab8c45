"""What runs: systemd units, health checks, hooks and how long each may take.

For: services.spec. Guarantees: defaults that fit together (services.rules checks it, a test asserts it).
Does not: know the image; ami/verify.sh checks in the image whether the units exist.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bootstrap.base.document import Check
from bootstrap.machine import health
from services.derived import OneOf
from services.fields import Argv, HeartbeatSeconds, Seconds, UnitName
from services.part import Part

CHECK_EXAMPLE = {"kind": "tcp", "port": 8888}


class Health(Part):
    """All checks must pass within `start_allowance_s`; later, `unhealthy_after` failures in a row are too many."""

    checks: Annotated[
        tuple[Annotated[Check, OneOf(health.KINDS, description="A health check", examples=[CHECK_EXAMPLE])], ...],
        Field(min_length=1, examples=[[CHECK_EXAMPLE]]),
    ]
    start_allowance_s: Seconds = 120.0
    interval_s: Seconds = 10.0
    unhealthy_after: Annotated[int, Field(ge=1, le=100)] = 3


class Hooks(Part):
    """Your commands, run as root, each within `timeout_s`; a non-zero exit fails the step it belongs to."""

    before_start: tuple[Argv, ...] = ()
    after_start: tuple[Argv, ...] = ()
    before_stop: tuple[Argv, ...] = ()
    timeout_s: Seconds = 30.0


class Workload(Part):
    """The systemd units that are the service, in start order; stopped in reverse. Time-outs are per unit."""

    units: Annotated[tuple[UnitName, ...], Field(min_length=1, examples=[["nginx.service"]])]
    health: Health
    start_timeout_s: Seconds = 120.0
    stop_timeout_s: Seconds = 60.0
    hooks: Hooks = Hooks()


class Deadlines(Part):
    """How long each wait of a boot or a stop may take; `mount_s` per attempt, `release_s` per part of a release."""

    boot_s: Seconds = 1110.0
    network_interface_s: Seconds = 120.0
    mount_s: Seconds = 90.0
    release_s: Seconds = 15.0


class LifecycleHooks(Part):
    """Heartbeat time-outs of the group's hooks. `boot`: an instance that dies while it boots is replaced after this
    time. The operating system must start within it; then the agent prolongs it. `drain` must be longer than a stop."""

    boot_heartbeat_s: HeartbeatSeconds = 600
    drain_heartbeat_s: HeartbeatSeconds = 150
