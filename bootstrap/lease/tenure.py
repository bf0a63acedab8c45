"""One instance's way with the lease, from newcomer to former holder. Read it beside docs/architecture.md, "One writer":

    take    newcomer: look at the lease directory, ask EC2 and the group, decide (rules.acquire), publish the next
            generation and read it back twice (rules.publish). The fence guards the first deadline before anything else
            happens: from here on this instance is the holder.
    keep    holder: renew every retry period (rules.renew), in a thread of its own. Each confirmed renewal gives the
            fence a later deadline, counted from before the renewal was sent.
    enter   holder: the data say who wrote to them last. Whoever does not follow that writer starts nothing (entering).
    permit  holder: before each claim, look whether this is still the highest generation (rules.permission).
    fence   another process (bootstrap.fence): when the deadline passes, or when the lease is lost to somebody else, it
            ends the service: TERM, KILL, unmount, reset. It needs nobody's consent and no network.
    end     holder or former holder: stop, write back, unmount, release the lease, detach (release). The fence agrees to
            the release only when it sees nothing left.

For: the boot step `lease`, every claim, every ending. Guarantees: what its parts guarantee (takeover, keeper, release).
Does not: decide anything itself.
"""

from __future__ import annotations

from collections.abc import Callable

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import NotHolder
from bootstrap.base.timeline import Timeline
from bootstrap.lease.entering import Entering, Writers
from bootstrap.lease.evidence import LeaseEvidence
from bootstrap.lease.keeper import LeaseKeeper
from bootstrap.lease.parts import LeaseParts
from bootstrap.lease.release import Belongings, release_all
from bootstrap.lease.takeover import Taken, Takeover


class Tenure:
    """The lease of one instance in one run of the agent. `keeper` knows whether it is held, and which generation."""

    def __init__(self, parts: LeaseParts, evidence: LeaseEvidence, nonce: Callable[[], str]) -> None:
        """`nonce` makes a new text for each publication."""
        self.parts = parts
        self.evidence = evidence
        self._nonce = nonce
        self.keeper = LeaseKeeper(parts)

    def take(self, belongings: Belongings, deadline: Deadline) -> Taken:
        """Become the holder. Whatever an earlier run of the agent left here is ended first.
        Raises LeaseRefused, FenceError, DeadlineExceeded, StopRequested."""

        def end_service() -> list[str]:
            return [*belongings.stop_service(), *belongings.outsiders(), *belongings.unmount()]

        takeover = Takeover(self.parts, evidence=self.evidence, stop_service=end_service, nonce=self._nonce)
        return takeover.run(deadline)

    def keep(self, taken: Taken, on_lost: Callable[[str], None], beat: Callable[[], None]) -> None:
        """Renew from now on. `on_lost` is called at most once, with the sentence; `beat` after each cycle."""
        self.keeper.start(taken.hold, on_lost, beat)

    def enter(self, writers: Writers, deadline: Deadline) -> None:
        """Have the data say that this holder writes. Raises LeaseBehind, MountError, DeadlineExceeded, StopRequested,
        NotHolder."""
        hold = self.keeper.hold
        if hold is None:
            raise NotHolder("the lease is not held: nothing is written")
        Entering(self.parts, hold.record, writers, self._nonce).run(deadline)

    def permit(self) -> None:
        """Return if this instance may touch what others use now. Raises NotHolder with the reason."""
        self.keeper.permit()

    def end(self, belongings: Belongings, timeline: Timeline, *, has_served: bool) -> list[str]:
        """Take everything back and release the lease; what is incomplete, in words. Safe to repeat.
        `has_served`: the service was started, so its before-stop hooks run."""
        return release_all(belongings, self.keeper, timeline, has_served=has_served)
