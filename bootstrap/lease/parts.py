"""What taking, keeping and releasing the lease work with.

For: takeover, keeper and release share one of these. Guarantees: holds no state of its own. Does not: act.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from bootstrap.base.clock import Clock
from bootstrap.base.threads import Threads
from bootstrap.base.timing import FencePolicy, LeaseTiming
from bootstrap.base.troubles import Troubles, Untold
from bootstrap.fence.client import ANSWER_S, Fence
from bootstrap.fence.protocol import FenceRequest
from bootstrap.lease.directory import LeaseDirectory
from bootstrap.lease.rules.record import Applicant
from bootstrap.lease.rules.renew import Hold


@dataclass(frozen=True, kw_only=True)
class LeaseParts:
    """`mounts`: every place where the service's data can be written on this machine."""

    directory: LeaseDirectory
    fence: Fence
    clock: Clock
    threads: Threads
    me: Applicant
    timing: LeaseTiming
    policy: FencePolicy
    mounts: tuple[str, ...]
    troubles: Troubles = field(default_factory=Untold)

    @property
    def patience_with_fence_s(self) -> float:
        """How long a fence may be silent where its word is needed: two requests at least. The watchdog resets the
        machine of a dead one; a generation that cannot be held should be given back before that."""
        return max(2 * ANSWER_S, self.timing.watchdog_timeout_s / 2)


def hold_request(hold: Hold, parts: LeaseParts) -> FenceRequest:
    """Ask the fence to guard `hold` until its deadline."""
    return FenceRequest(
        verb="hold",
        generation=hold.record.generation,
        nonce=hold.record.nonce,
        deadline_s=hold.deadline_s,
        mounts=parts.mounts,
        timing=parts.timing,
    )
