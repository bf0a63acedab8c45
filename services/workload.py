"""What runs: systemd units, health checks, hooks and how long each may take.

For: services.spec. Guarantees: defaults that fit together; the limits of a whole boot and a
whole stop are derived (services.timing).
Does not: know the image; ami/verify.sh checks in the image whether the units exist.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bootstrap.base.check import Check
from bootstrap.base.values import RoundCount
from bootstrap.machine import health
from services.derived import From, OneOf
from services.fields import Argv, BootSeconds, HeartbeatSeconds, Seconds, UnitName
from services.part import Part

CHECK_EXAMPLE = {"kind": "tcp", "port": 8888}


class Health(Part):
    """All checks must pass within `start_allowance_s`. Later, `unhealthy_after` rounds that fail are too many: the
    service is restarted, and `healthy_after` in a row must pass until it counts as healthy again."""

    checks: Annotated[
        tuple[Annotated[Check, OneOf(health.KINDS, description="A health check", examples=[CHECK_EXAMPLE])], ...],
        Field(min_length=1, examples=[[CHECK_EXAMPLE]]),
    ]
    start_allowance_s: Annotated[
        Seconds, Field(title="How long the service may take from its start until all checks pass")
    ] = 120.0
    interval_s: Annotated[Seconds, Field(title="From one round of checks to the next")] = 10.0
    unhealthy_after: Annotated[
        int, From(RoundCount), Field(title="Failed rounds until the service is restarted; health clears them")
    ] = 3
    healthy_after: Annotated[
        int, From(RoundCount), Field(title="Rounds in a row that must pass until it counts as healthy again")
    ] = 1


class Hooks(Part):
    """Your commands, run as root, each within `timeout_s`. `before_start` runs before every start of the first unit,
    whoever starts it, and a failure lets nothing start. `after_start` runs once per boot, `before_stop` in an ordered
    stop."""

    before_start: Annotated[tuple[Argv, ...], Field(title="Run before every start of the first unit")] = ()
    after_start: Annotated[tuple[Argv, ...], Field(title="Run once per boot, when the service has started")] = ()
    before_stop: Annotated[tuple[Argv, ...], Field(title="Run in an ordered stop, before the service stops")] = ()
    timeout_s: Annotated[Seconds, Field(title="Of each command")] = 30.0


class Workload(Part):
    """The systemd units that are the service, in start order; stopped in reverse. Time-outs are per unit."""

    units: Annotated[tuple[UnitName, ...], Field(min_length=1, examples=[["nginx.service"]])]
    health: Health
    start_timeout_s: Annotated[Seconds, Field(title="How long systemd waits for the start of a unit")] = 120.0
    stop_timeout_s: Annotated[Seconds, Field(title="How long systemd waits for the stop of a unit; then it kills")] = (
        60.0
    )
    hooks: Hooks = Hooks()
    may_use_instance_role: Annotated[
        bool,
        Field(
            description="Let the units reach the instance metadata service and so act as the instance's role. It may "
            "terminate the group's instances and change the record; closed unless the service needs AWS itself"
        ),
    ] = False


class Deadlines(Part):
    """How long each wait of a boot or a stop may take; `mount_s` per attempt, `release_s` per part of a release."""

    boot_s: Annotated[
        BootSeconds | None,
        Field(description="The whole boot, in seconds; default: what its parts may take, and a minute"),
    ] = None
    network_interface_s: Annotated[
        Seconds, Field(title="Until the network interface of the zone is free, attached and usable")
    ] = 120.0
    mount_s: Annotated[Seconds, Field(title="One attempt to mount")] = 90.0
    release_s: Annotated[
        Seconds, Field(title="Each part of a release: write back, unmount, detach, tell the group")
    ] = 15.0


class LifecycleHooks(Part):
    """Heartbeat time-outs of the group's hooks. `boot`: an instance that dies while it boots is replaced after this
    time. The operating system must start within it; then the agent prolongs it. `drain` must be longer than a stop."""

    boot_heartbeat_s: Annotated[
        HeartbeatSeconds, Field(title="A machine that dies while it boots is replaced after this")
    ] = 600
    drain_heartbeat_s: Annotated[
        HeartbeatSeconds | None,
        Field(
            title="The longest ordered stop that the group waits for",
            description="Whole seconds from 30 to 7200; default: what a stop may take, and half a minute",
        ),
    ] = None
