"""Keeps the lease: renews it, knows whether it is held, lends its word to whoever touches what others use, releases it.

For: the agent from step lease to its end. Guarantees: each deadline counts from before its renewal was sent and is in
force only once the fence has confirmed it; the moment the lease is lost the fence is told to strike, before anything
else is done; a permission rests on a look at the lease directory that is fresher than the question; the lease is
released only after the fence has seen that no process of the service and no mount of the data is left.
Does not: stop the service (the fence and the agent do), or decide (lease_renew and lease_guard do).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from bootstrap.base.clock import Clock
from bootstrap.base.errors import FenceError, NotHolder
from bootstrap.base.timing import LeaseTiming
from bootstrap.fence.client import Fence
from bootstrap.fence.protocol import FenceRequest
from bootstrap.lease.directory import LeaseDirectory
from bootstrap.lease.rules.observation import NoAnswer
from bootstrap.lease.rules.permission import may_touch
from bootstrap.lease.rules.record import released
from bootstrap.lease.rules.renew import Hold, Renewal, RenewalStep, after_renewal, before_renewal

log = logging.getLogger(__name__)

RELEASE_ATTEMPTS = 3
SHORTEST_REQUEST_S = 0.5
STOP_WAIT_S = 1.0  # for the renewing thread beyond the request it may be in


@dataclass(frozen=True, kw_only=True)
class Lost:
    """The lease is over. `is_taken`: somebody else holds it; otherwise its deadline passed."""

    is_taken: bool
    sentence: str


class LeaseKeeper:
    """The lease of one instance. Safe to call from many threads."""

    def __init__(
        self,
        *,
        directory: LeaseDirectory,
        fence: Fence,
        timing: LeaseTiming,
        mounts: tuple[str, ...],
        clock: Clock,
    ) -> None:
        self._directory = directory
        self._fence = fence
        self._timing = timing
        self._mounts = mounts
        self._clock = clock
        self._hold: Hold | None = None
        self._lost: Lost | None = None
        self._ending = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def generation(self) -> int:
        """The generation that is or was held, 0 before."""
        return self._hold.record.generation if self._hold else 0

    @property
    def lost(self) -> Lost | None:
        """How the lease was lost, if it was."""
        return self._lost

    def start(self, hold: Hold, on_lost: Callable[[str], None], beat: Callable[[], None]) -> None:
        """Renew `hold` from now on in a thread of its own. `on_lost` is called once, `beat` after every cycle."""
        self._hold = hold
        self._thread = threading.Thread(target=self._run, args=(on_lost, beat), name="lease", daemon=True)
        self._thread.start()

    def permit(self) -> None:
        """Return if this instance may touch what others use now. Raises NotHolder with the reason."""
        hold = self._hold
        if hold is None or self._lost is not None or self._ending.is_set():
            raise NotHolder(self._lost.sentence if self._lost else "the lease is not held: nothing is touched")
        highest = self._directory.look(self._timing.request_timeout_s)
        permission = may_touch(hold, highest, now_s=self._clock.monotonic())
        if not permission.is_given:
            raise NotHolder(permission.sentence)

    def renew(self) -> RenewalStep:
        """One renewal, from the look to the fence's word; what came of it."""
        hold = self._hold
        if hold is None:
            raise NotHolder("there is no lease to renew")
        sent_s = self._clock.monotonic()
        # Not past the deadline either: when it passes, the agent has to know.
        ends_s = sent_s + min(self._timing.request_timeout_s, max(SHORTEST_REQUEST_S, hold.deadline_s - sent_s))
        highest = self._directory.look(ends_s - sent_s)
        step = before_renewal(hold, highest, now_s=self._clock.monotonic())
        if step.action is Renewal.SEND:
            read_back = self._directory.rewrite(step.hold.record, max(0.0, ends_s - self._clock.monotonic()))
            step = after_renewal(
                step.hold, read_back, sent_s=sent_s, now_s=self._clock.monotonic(), timing=self._timing
            )
        if step.action is Renewal.CONFIRMED:
            step = self._confirmed_by_fence(step)
        self._hold = step.hold
        return step

    def release(self) -> list[str]:
        """Give the lease back; why it was not, in words. Nothing of the service may be left."""
        if self._hold is None:
            return []
        try:
            answer = self._fence.ask(FenceRequest(verb="let-go", mounts=self._mounts))
        except FenceError as error:
            return [f"the lease is not released: {error}"]
        if not answer.is_accepted:
            return [f"the lease is not released: {answer.sentence}"]
        self.end()
        if self._lost is not None:
            return []
        wanted = released(self._hold.record, at=self._clock.utc_text())
        for _ in range(RELEASE_ATTEMPTS):
            read_back = self._directory.rewrite(wanted, self._timing.request_timeout_s)
            if not isinstance(read_back, NoAnswer) and read_back.record == wanted:
                log.info("lease: generation %d is released", self.generation)
                return []
        reason = read_back.reason if isinstance(read_back, NoAnswer) else "something else is read back"
        return [f"the release of generation {self.generation} is not confirmed: {reason}"]

    def end(self) -> None:
        """Renew no more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(self._timing.request_timeout_s + STOP_WAIT_S)

    def _run(self, on_lost: Callable[[str], None], beat: Callable[[], None]) -> None:
        self._directory.prune(self.generation, self._timing.request_timeout_s)
        said = Renewal.CONFIRMED
        while not self._ending.is_set():
            began_s = self._clock.monotonic()
            step = self.renew()
            if step.action is not said:
                said = step.action
                log.info("lease: %s", step.sentence)
            if step.action in (Renewal.LOST, Renewal.EXPIRED):
                self._give_up(step, on_lost)
                return
            beat()
            pause_s = self._timing.retry_period_s - (self._clock.monotonic() - began_s)
            self._clock.wait(self._ending, max(0.0, min(pause_s, self._left_s())))

    def _left_s(self) -> float:
        return max(0.0, (self._hold.deadline_s if self._hold else 0.0) - self._clock.monotonic())

    def _confirmed_by_fence(self, step: RenewalStep) -> RenewalStep:
        """A deadline the fence does not know is not in force: the one before stands."""
        record = step.hold.record
        request = FenceRequest(
            verb="hold",
            generation=record.generation,
            nonce=record.nonce,
            deadline_s=step.hold.deadline_s,
            mounts=self._mounts,
            timing=self._timing,
        )
        before = self._hold
        assert before is not None
        kept = Hold(record=record, deadline_s=before.deadline_s)
        try:
            answer = self._fence.ask(request)
        except FenceError as error:
            return RenewalStep(action=Renewal.RETRY, hold=kept, sentence=str(error))
        if answer.is_accepted:
            return step
        action = Renewal.EXPIRED if answer.is_over else Renewal.RETRY
        return RenewalStep(action=action, hold=kept, sentence=f"the fence refuses: {answer.sentence}")

    def _give_up(self, step: RenewalStep, on_lost: Callable[[str], None]) -> None:
        self._lost = Lost(is_taken=step.action is Renewal.LOST, sentence=step.sentence)
        if self._lost.is_taken:
            try:
                self._fence.ask(FenceRequest(verb="lost"))
            except FenceError as error:
                log.error("lease: %s; it strikes at its deadline", error)
        on_lost(step.sentence)
