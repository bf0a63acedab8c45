"""The ordered stop: everything a boot did is taken back in reverse, and the lease is released in the middle of it.

For: a stop that was asked for, a boot that failed, a lease that was lost. Guarantees: each part is tried whatever
became of the parts before it; a part that is not finished is named; safe to repeat, and safe on a half-done boot. The
lease is renewed until it is released. It is released after the service is stopped and the data are written back and
unmounted, which the fence verifies, and only if nobody is left who uses the data; the network interface is detached
only after that. A holder that has lost the lease writes nothing back beyond the unmount and detaches nothing.
Does not: change the DNS record (the successor moves it), or remove anything from the file system.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from bootstrap.base.errors import AgentError
from bootstrap.base.timeline import Timeline
from bootstrap.lease.keeper import LeaseKeeper

Part = Callable[[], list[str]]
OUTSIDERS = "outsiders"
RELEASES = ("lease-release", "fence-let-go")  # the second one where the lease is lost


class Belongings(Protocol):
    """What a holder has to take back. Each part is bounded and returns what is left, in words; it raises AgentError."""

    def before_stop(self) -> list[str]: ...

    def stop_service(self) -> list[str]: ...

    def outsiders(self) -> list[str]: ...

    def sync(self) -> list[str]: ...

    def unmount(self) -> list[str]: ...

    def detach(self) -> list[str]: ...

    def unmount_lease(self) -> list[str]: ...


def release_all(
    belongings: Belongings, keeper: LeaseKeeper, timeline: Timeline, *, has_served: bool = False
) -> list[str]:
    """Take everything back in order; what is incomplete, in words. `has_served`: run the before-stop hooks first, which
    belong to a service that was started."""
    incomplete: list[str] = []
    in_use: list[str] = []
    for name, part in _parts(belongings, keeper, has_served=has_served):
        timeline.started(name)
        try:
            left = _refused(keeper) if in_use and name in RELEASES else part()
        except AgentError as error:
            left = [str(error)]
        in_use += left if name == OUTSIDERS else []
        timeline.finished(name, "failed" if left else "ok", "; ".join(left))
        incomplete += left
    return incomplete


def _refused(keeper: LeaseKeeper) -> list[str]:
    """Instead of a release. The lease stays held, and the fence strikes at its deadline."""
    return ["the lease is not released: the data are still in use"] if keeper.hold is not None else []


def _parts(belongings: Belongings, keeper: LeaseKeeper, *, has_served: bool) -> list[tuple[str, Part]]:
    is_lost = keeper.lost is not None
    parts: list[tuple[str, Part, bool]] = [
        ("before-stop", belongings.before_stop, has_served),
        ("service-stop", belongings.stop_service, True),
        (OUTSIDERS, belongings.outsiders, True),
        ("sync", belongings.sync, not is_lost),
        ("unmount", belongings.unmount, True),
        (RELEASES[is_lost], keeper.release, True),
        ("detach", belongings.detach, not is_lost),
        ("unmount-lease", belongings.unmount_lease, True),
    ]
    return [(name, part) for name, part, is_due in parts if is_due]
