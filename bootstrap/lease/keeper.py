"""Keeps the lease: renews it, knows whether it is held, permits claims while it is, releases it.

For: the agent, from the boot step `lease` to its end. Guarantees: each deadline counts from before its renewal was sent
and is in force only once the fence has confirmed it; when the lease is lost, the fence is told first; a permission
rests on a look at the lease directory that is fresher than the question; the lease is released only after the fence has
seen that no process of the service and no mount of the data is left.
Does not: stop the service (the fence and the agent do), or decide (rules.renew and rules.permission do).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import FenceError, FileSystemFull, NotHolder
from bootstrap.base.threads import Running
from bootstrap.fence.client import ask_until
from bootstrap.fence.protocol import FenceRequest
from bootstrap.lease.parts import LeaseParts, hold_request
from bootstrap.lease.rules.observation import NoAnswer, Seen
from bootstrap.lease.rules.permission import may_touch
from bootstrap.lease.rules.record import released
from bootstrap.lease.rules.renew import Hold, Renewal, RenewalStep, after_renewal, before_renewal

log = logging.getLogger(__name__)

RELEASE_ATTEMPTS = 3
SHORTEST_REQUEST_S = 0.5
STOP_WAIT_S = 1.0  # for the renewing thread, beyond the request it may be in


@dataclass(frozen=True, kw_only=True)
class Lost:
    """The lease is over. `is_taken`: another instance holds it; otherwise its deadline passed."""

    is_taken: bool
    sentence: str


class LeaseKeeper:
    """The lease of one instance. One thread renews; any thread may ask for a permission."""

    def __init__(self, parts: LeaseParts) -> None:
        self._parts = parts
        self._hold: Hold | None = None
        self._lost: Lost | None = None
        self._failure = ""  # of the last renewal, in words
        self._ending = parts.threads.event()
        self._thread: Running | None = None

    @property
    def hold(self) -> Hold | None:
        """What is held now, or was held last."""
        return self._hold

    @property
    def generation(self) -> int:
        """The generation that is or was held, 0 before."""
        return self._hold.record.generation if self._hold else 0

    @property
    def lost(self) -> Lost | None:
        """How the lease was lost, if it was."""
        return self._lost

    def start(self, hold: Hold, on_lost: Callable[[str], None], beat: Callable[[], None]) -> None:
        """Renew `hold` from now on in a thread of its own. It calls `on_lost` at most once, `beat` after each cycle."""
        self._hold = hold
        self._thread = self._parts.threads.start("lease", lambda: self._run(on_lost, beat))

    def permit(self) -> None:
        """Return if this instance may touch what others use now. Raises NotHolder with the reason."""
        hold = self._hold
        if hold is None or self._lost is not None or self._ending.is_set():
            raise NotHolder(self._lost.sentence if self._lost else "the lease is not held: nothing is touched")
        highest = self._parts.directory.look(self._parts.timing.request_timeout_s)
        permission = may_touch(hold, highest, now_s=self._parts.clock.monotonic())
        if not permission.is_given:
            raise NotHolder(permission.sentence)

    def renew(self) -> RenewalStep:
        """One renewal, from the look to the fence's word; what came of it. Raises NotHolder without a lease."""
        hold, parts = self._hold, self._parts
        if hold is None:
            raise NotHolder("there is no lease to renew")
        sent_s = parts.clock.monotonic()
        # Not past the deadline either: when it passes, the agent has to know.
        ends_s = sent_s + min(parts.timing.request_timeout_s, max(SHORTEST_REQUEST_S, hold.deadline_s - sent_s))
        highest = parts.directory.look(ends_s - sent_s)
        step = before_renewal(hold, highest, now_s=parts.clock.monotonic())
        if step.action is Renewal.SEND:
            read_back = parts.directory.rewrite(step.hold.record, max(0.0, ends_s - parts.clock.monotonic()))
            self._say_if_full(read_back)
            step = after_renewal(
                step.hold, read_back, sent_s=sent_s, now_s=parts.clock.monotonic(), timing=parts.timing
            )
        if step.action is Renewal.CONFIRMED:
            step = self._confirmed_by_fence(step)
        self._hold = step.hold
        return self._with_cause(step)

    def release(self) -> list[str]:
        """Give the lease back; what prevented it, in words. Nothing of the service may be left."""
        if self._hold is None:
            return []
        try:
            limit = Deadline(self._parts.clock, self._parts.patience_with_fence_s, "the fence's answer to let-go")
            answer = ask_until(self._parts.fence, FenceRequest(verb="let-go", mounts=self._parts.mounts), limit)
        except FenceError as error:
            return [f"the lease is not released: {error}"]
        if not answer.is_accepted:
            return [f"the lease is not released: {answer.sentence}"]
        self.end()
        if self._lost is not None:
            return []
        return self._write_release(self._hold)

    def end(self) -> None:
        """Renew no more."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(self._parts.timing.request_timeout_s + STOP_WAIT_S)

    def _write_release(self, hold: Hold) -> list[str]:
        wanted, reason = released(hold.record, at=self._parts.clock.utc_text()), ""
        for _ in range(RELEASE_ATTEMPTS):
            read_back = self._parts.directory.rewrite(wanted, self._parts.timing.request_timeout_s)
            if not isinstance(read_back, NoAnswer) and read_back.record == wanted:
                log.info("lease: generation %d is released", self.generation)
                return []
            reason = read_back.reason if isinstance(read_back, NoAnswer) else "another content is read back"
        return [f"the release of generation {self.generation} is not confirmed: {reason}"]

    def _run(self, on_lost: Callable[[str], None], beat: Callable[[], None]) -> None:
        parts = self._parts
        parts.directory.prune(self.generation, parts.timing.request_timeout_s)
        said = Renewal.CONFIRMED
        while not self._ending.is_set():
            began_s = parts.clock.monotonic()
            step = self.renew()
            if step.action is not said:
                said = step.action
                log.info("lease: %s", step.sentence)
            if step.action in (Renewal.LOST, Renewal.EXPIRED):
                self._give_up(step, on_lost)
                return
            beat()
            pause_s = parts.timing.retry_period_s - (parts.clock.monotonic() - began_s)
            parts.clock.wait(self._ending, max(0.0, min(pause_s, self._left_s())))

    def _say_if_full(self, written: Seen | NoAnswer) -> None:
        name = f"generation {self.generation}"
        if isinstance(written, Seen) and written.is_full:
            self._parts.troubles.begin(FileSystemFull(f"{name} is renewed in a spare file: the file system is full"))
        elif isinstance(written, Seen):
            self._parts.troubles.over(FileSystemFull.reason)
        elif written.cause == FileSystemFull.reason:
            self._parts.troubles.begin(FileSystemFull(f"{name} cannot be renewed: {written.reason}"))

    def _left_s(self) -> float:
        return max(0.0, (self._hold.deadline_s if self._hold else 0.0) - self._parts.clock.monotonic())

    def _confirmed_by_fence(self, step: RenewalStep) -> RenewalStep:
        """A deadline the fence does not know is not in force: the one before stands."""
        before = self._hold
        assert before is not None
        kept = Hold(record=step.hold.record, deadline_s=before.deadline_s)
        try:
            answer = self._parts.fence.ask(hold_request(step.hold, self._parts))
        except FenceError as error:
            return RenewalStep(action=Renewal.RETRY, hold=kept, sentence=str(error))
        if answer.is_accepted:
            return step
        action = Renewal.EXPIRED if answer.is_over else Renewal.RETRY
        return RenewalStep(action=action, hold=kept, sentence=f"the fence refuses: {answer.sentence}")

    def _with_cause(self, step: RenewalStep) -> RenewalStep:
        """An expired lease says why the renewal before was not confirmed: that names the thing to look at."""
        cause, self._failure = self._failure, step.sentence if step.action is Renewal.RETRY else ""
        if step.action is not Renewal.EXPIRED or not cause:
            return step
        return replace(step, sentence=f"{step.sentence}; before that, {cause}")

    def _give_up(self, step: RenewalStep, on_lost: Callable[[str], None]) -> None:
        self._lost = Lost(is_taken=step.action is Renewal.LOST, sentence=step.sentence)
        if self._lost.is_taken:
            try:
                self._parts.fence.ask(FenceRequest(verb="lost"))
            except FenceError as error:
                log.error("lease: %s; it strikes at its deadline", error)
        on_lost(step.sentence)
