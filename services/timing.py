"""Which timings are impossible: every time-out must be longer than the work it contains.

For: services.rules, and services.spec for the derived limits. Guarantees: pure arithmetic on the service file, in
seconds; a limit that the file leaves out is long enough for what it contains. Does not: measure anything.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

from bootstrap.base import timing as lease_timing
from bootstrap.base.document import METADATA_S
from services.fields import LONGEST_HEARTBEAT_S
from services.findings import Finding
from services.lease import LeaseSection
from services.workload import Deadlines, LifecycleHooks, Workload

# By the file system's name, which leads to the own zone's mount target, then by the mount target of another zone. The
# own address, last, is for a name that does not resolve, which fails at once. Two zones that hang are not counted in.
MOUNT_ATTEMPTS = 2
SHORTEST_RETRY_S = 1.0
MOST_HEARTBEATS = 100  # Auto Scaling API reference, PutLifecycleHook: GlobalTimeout
BOOT_RESERVE_S = 60
DRAIN_RESERVE_S = 30
RELEASE_PARTS = 4  # write back, unmount, detach, complete the terminate hook


def boot_need_s(service: Workload, deadlines: Deadlines, lease: LeaseSection) -> float:
    """How long a boot takes if every step uses up its own deadline; network interface and data are awaited together."""
    mount_s = MOUNT_ATTEMPTS * deadlines.mount_s
    hooks = len(service.hooks.before_start) + len(service.hooks.after_start)
    return (
        mount_s  # lease directory
        + lease.timing().longest_wait_s
        + max(deadlines.network_interface_s, mount_s)
        + hooks * service.hooks.timeout_s
        + len(service.units) * service.start_timeout_s
        + service.health.start_allowance_s
    )


def stop_need_s(service: Workload, deadlines: Deadlines) -> float:
    """How long a graceful stop takes if every step uses up its own deadline."""
    return (
        len(service.hooks.before_stop) * service.hooks.timeout_s
        + len(service.units) * service.stop_timeout_s
        + RELEASE_PARTS * deadlines.release_s
    )


def boot_limit_s(service: Workload, deadlines: Deadlines, lease: LeaseSection) -> float:
    """How long a boot may take: what the file says, else what its parts need and a reserve."""
    if deadlines.boot_s is not None:
        return deadlines.boot_s
    return float(math.ceil(boot_need_s(service, deadlines, lease)) + BOOT_RESERVE_S)


def drain_heartbeat_s(service: Workload, deadlines: Deadlines, hooks: LifecycleHooks) -> int:
    """The time-out of the terminate hook: what the file says, else what a stop needs and a reserve."""
    if hooks.drain_heartbeat_s is not None:
        return hooks.drain_heartbeat_s
    return min(LONGEST_HEARTBEAT_S, math.ceil(stop_need_s(service, deadlines)) + DRAIN_RESERVE_S)


def lease_findings(lease: LeaseSection) -> Iterator[Finding]:
    """Every timing of the lease with which two instances could write at once, or none could ever start."""
    for found in lease_timing.findings(lease.timing()):
        yield Finding(
            path=f"lease.{found.name}",
            value=f"{found.value_s:g}",
            problem=found.problem,
            remedy=found.remedy,
            depends_on=("lease",),
        )
    if lease.timing().retry_period_s < SHORTEST_RETRY_S:
        yield Finding(
            path="lease.retry_period_s",
            value=f"{lease.timing().retry_period_s:g}",
            problem="every renewal is some eight requests to the file system, which bills them, and more of them "
            "notice nothing sooner",
            remedy=f"Raise it to at least {SHORTEST_RETRY_S:g}; docs/costs.md has what renewals cost",
            depends_on=("lease",),
        )


def timing_findings(
    service: Workload, deadlines: Deadlines, hooks: LifecycleHooks, lease: LeaseSection
) -> Iterator[Finding]:
    """Every time-out that could fire while what it waits for is still within its own."""
    need_s, limit_s = boot_need_s(service, deadlines, lease), boot_limit_s(service, deadlines, lease)
    if limit_s < need_s:
        yield Finding(
            path="deadlines.boot_s",
            value=f"{limit_s:g}",
            problem=f"shorter than mounts, lease, network interface, hooks, start and health together, {need_s:g} s",
            remedy=f"Raise it to at least {need_s:g}, leave it out, or shorten the parts",
            depends_on=(
                "deadlines.network_interface_s",
                "deadlines.mount_s",
                "lease",
                "service.hooks",
                "service.start_timeout_s",
                "service.health.start_allowance_s",
            ),
        )
    if hooks.boot_heartbeat_s < METADATA_S:
        yield Finding(
            path="lifecycle_hooks.boot_heartbeat_s",
            value=str(hooks.boot_heartbeat_s),
            problem=f"an instance may take {METADATA_S:g} s to read its boot document before it prolongs the hook",
            remedy=f"Raise it to at least {METADATA_S:g} and the time that the operating system needs to start",
        )
    elif hooks.boot_heartbeat_s * MOST_HEARTBEATS <= limit_s:
        yield Finding(
            path="lifecycle_hooks.boot_heartbeat_s",
            value=str(hooks.boot_heartbeat_s),
            problem=f"Auto Scaling ends a hook after {MOST_HEARTBEATS} time-outs, before the boot's own limit, "
            f"{limit_s:g} s",
            remedy=f"Raise it above {limit_s / MOST_HEARTBEATS:g}, or lower deadlines.boot_s",
            depends_on=("deadlines", "lease", "service"),
        )
    stop_s, drain_s = stop_need_s(service, deadlines), drain_heartbeat_s(service, deadlines, hooks)
    if drain_s <= stop_s:
        longest = f", and Auto Scaling waits {LONGEST_HEARTBEAT_S} s at most" if stop_s >= LONGEST_HEARTBEAT_S else ""
        raised = "Shorten" if longest else f"Raise it above {stop_s:g}, leave it out, or shorten"
        yield Finding(
            path="lifecycle_hooks.drain_heartbeat_s",
            value=str(drain_s),
            problem=f"the terminate hook would give up while stopping and releasing may take {stop_s:g} s{longest}",
            remedy=f"{raised} service.stop_timeout_s, deadlines.release_s or the hooks",
            depends_on=("service.stop_timeout_s", "service.hooks", "deadlines.release_s"),
        )
    for number, check in enumerate(service.health.checks):
        if check.timeout_s >= service.health.start_allowance_s:
            yield Finding(
                path=f"service.health.checks[{number}].timeout_s",
                value=f"{check.timeout_s:g}",
                problem="one check may outlast the whole start allowance",
                remedy=f"Lower it below service.health.start_allowance_s ({service.health.start_allowance_s:g})",
                depends_on=("service.health.start_allowance_s",),
            )
