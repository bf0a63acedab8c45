"""Takes everything back that a boot did, in reverse, each part within its time.

For: a stop that was asked for, and the clean-up after a failed boot. Guarantees: every part is tried whatever became of
the others; what could not be finished is named, never passed over; safe to run again and on a half-done boot.
The lease is renewed until it is released, and released only when the service is stopped and the data are written back
and unmounted (the fence looks by itself); what cannot be unmounted stays mounted, seen by the fence, which resets.
The network interface is given back too, so that a replacement in the same zone need not wait for this instance's end.
Does not: change the record (the successor moves it) or remove anything from the file system.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import AgentError
from bootstrap.base.timeline import Timeline
from bootstrap.machine.directories import release_directories
from bootstrap.machine.units import run_hooks
from bootstrap.run.instance import Instance

log = logging.getLogger(__name__)

Part = Callable[[], list[str]]


def release_all(instance: Instance, timeline: Timeline, *, has_served: bool) -> list[str]:
    """Stop the service, write back, unmount, detach. What is incomplete, in words; empty when all went well.
    `has_served`: run the before-stop hooks, which belong to a service that was started."""
    parts: list[tuple[str, Part]] = [
        ("service-stop", lambda: _stop_service(instance)),
        ("sync", lambda: _sync(instance)),
        ("unmount", lambda: _unmount(instance)),
        ("lease-release", lambda: instance.lease.keeper.release()),
        ("detach", lambda: _detach(instance)),
        ("unmount-lease", lambda: _unmount_lease(instance)),
    ]
    if instance.lease.keeper.lost is not None:
        # Nothing more may be written back than unmounting does, and whoever holds now is not to be disturbed.
        parts = [part for part in parts if part[0] not in ("sync", "detach")]
    if has_served:
        parts.insert(0, ("before-stop", lambda: _before_stop(instance)))
    incomplete: list[str] = []
    for name, part in parts:
        timeline.started(name)
        try:
            left = part()
        except AgentError as error:
            left = [str(error)]
        timeline.finished(name, "failed" if left else "ok", "; ".join(left))
        incomplete += left
    return incomplete


def end_service(instance: Instance) -> list[str]:
    """Stop the service and unmount the data; what is left, in words."""
    return [*_stop_service(instance), *_unmount(instance)]


def _before_stop(instance: Instance) -> list[str]:
    hooks = instance.document.service.hooks
    deadline = Deadline(instance.clock, hooks.timeout_s * (len(hooks.before_stop) + 1), "before-stop hooks")
    try:
        run_hooks(instance.commands, hooks.before_stop, hooks.timeout_s, deadline, "before-stop")
    except AgentError as error:
        log.warning("%s", error)  # a hook that fails leaves nothing behind that would have to be reported
    return []


def _stop_service(instance: Instance) -> list[str]:
    service = instance.document.service
    deadline = Deadline(instance.clock, service.stop_timeout_s * len(service.units) + 60.0, "stop the service")
    return [f"{unit} still runs" for unit in instance.units.stop(deadline)]


def _sync(instance: Instance) -> list[str]:
    root = str(instance.paths.data_root)
    if instance.file_systems.mount_at(root) is None:
        return []
    is_synced = instance.file_systems.sync(root, _release_deadline(instance, "write back"))
    return [] if is_synced else [f"{root} was not written back in time"]


def _unmount(instance: Instance) -> list[str]:
    deadline = _release_deadline(instance, "unmount")
    file_systems, paths = instance.file_systems, instance.paths
    left = release_directories(file_systems, instance.document.file_system.directories, deadline)
    if not file_systems.unmount(str(paths.data_root), deadline, may_be_lazy=False):
        left.append(str(paths.data_root))
    return [f"{target} could not be unmounted" for target in left]


def _unmount_lease(instance: Instance) -> list[str]:
    root = str(instance.paths.lease_root)
    is_clean = instance.file_systems.unmount(root, _release_deadline(instance, "unmount the lease directory"))
    return [] if is_clean else [f"{root} could not be unmounted cleanly"]


def _detach(instance: Instance) -> list[str]:
    is_released = instance.claim.release(_release_deadline(instance, "detach"))
    return [] if is_released else [f"{instance.zone.network_interface_id} is not seen detached"]


def _release_deadline(instance: Instance, what: str) -> Deadline:
    return Deadline(instance.clock, instance.document.deadlines.release_s, what)
