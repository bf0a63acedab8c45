"""Takes the lease: look, ask, decide, act, and again, until this instance holds it or the rules say that it must not.

For: the boot step `lease`. Guarantees: each decision is one of rules.acquire or rules.publish, and its sentence is
logged when the decision changes; the fence has confirmed the first deadline before `run` returns; whatever an earlier
run of the agent left on this machine is stopped and unmounted before a new generation is published; a generation that
was published and cannot be held is given back.
Does not: renew (keeper), or claim anything but the lease.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import AgentError, DeadlineExceeded, FenceError, FileSystemFull, LeaseRefused, StopRequested
from bootstrap.base.retry import Pauses
from bootstrap.fence.client import FENCE_PATIENCE_S, ask_until
from bootstrap.fence.protocol import FenceAnswer, FenceRequest
from bootstrap.lease.evidence import LeaseEvidence
from bootstrap.lease.parts import LeaseParts, hold_request
from bootstrap.lease.rules.acquire import acquire_step, must_ask
from bootstrap.lease.rules.actions import Action, GiveUp, Publish, Resume, StopOwnService, Terminate, Wait
from bootstrap.lease.rules.observation import NoAnswer, Observation, OwnRemains, Seen
from bootstrap.lease.rules.publish import Publication, judge_publication
from bootstrap.lease.rules.record import LeaseRecord, new_record, released
from bootstrap.lease.rules.renew import Hold
from bootstrap.lease.rules.watch import AcquireMemory

log = logging.getLogger(__name__)

READ_BACK_PAUSES = Pauses(first_s=0.5, longest_s=2.0)
PUBLISH_PAUSES = Pauses(first_s=2.0, longest_s=15.0)  # after a publication that is not there: full, refused, or late
WITHOUT_DIGITS = str.maketrans("", "", "0123456789")
REFUSAL_HOLDS_S = 20.0  # EC2's refusal to terminate is believed this long, then EC2 is asked again
REMEDIES = {
    "surplus": "Another instance serves, nothing is wrong here; find out why the group launched this one",
    "not-in-group": "Launch instances through the group only",
    "takeover-deadline": "Find out why the holder named above neither ends nor releases; docs/failure-modes.md, A8",
}


@dataclass(frozen=True, kw_only=True)
class Taken:
    """The lease is held; `sentence` says on which ground."""

    hold: Hold
    sentence: str


class Takeover:
    """One attempt of one instance."""

    def __init__(
        self,
        parts: LeaseParts,
        *,
        evidence: LeaseEvidence,
        stop_service: Callable[[], list[str]],
        nonce: Callable[[], str],
    ) -> None:
        """`stop_service` stops and unmounts what is left of the service here and returns what remains, in words.
        `nonce` makes a new text for each publication."""
        self._parts = parts
        self._question = FenceRequest(verb="look", mounts=parts.mounts)  # what is left here?
        self._evidence = evidence
        self._stop_service = stop_service
        self._nonce = nonce
        self._refusal = ""
        self._refused_at_s = 0.0
        self._said = ""
        self._full: FileSystemFull | None = None
        self._publish_pauses_s = iter(PUBLISH_PAUSES)
        self._stop_pauses_s = iter(READ_BACK_PAUSES)

    def run(self, deadline: Deadline) -> Taken:
        """Return when the lease is held.
        Raises LeaseRefused, FenceError, FileSystemFull, DeadlineExceeded, StopRequested."""
        try:
            return self._run(deadline)
        except DeadlineExceeded as error:
            raise self._full or error from None

    def _run(self, deadline: Deadline) -> Taken:
        ask_until(self._parts.fence, FenceRequest(verb="look"), deadline)  # it may be starting
        memory = AcquireMemory()
        while True:
            observation = self._observe(deadline)
            memory, action = acquire_step(
                memory,
                observation,
                me=self._parts.me,
                timing=self._parts.timing,
                policy=self._parts.policy,
                now_s=self._parts.clock.monotonic(),
            )
            self._say(action.sentence)
            taken = self._act(action, observation, deadline)
            if taken is not None:
                return taken

    def _act(self, action: Action, observation: Observation, deadline: Deadline) -> Taken | None:
        if isinstance(action, GiveUp):
            raise LeaseRefused(action.sentence, reason=action.reason, remedy=REMEDIES[action.reason])
        if isinstance(action, Resume):
            return self._resume(action, observation.seen)
        is_clear = observation.remains.is_service_stopped
        if isinstance(action, StopOwnService) or (isinstance(action, Publish) and not is_clear):
            left = self._stop_service()
            deadline.pause(next(self._stop_pauses_s), "; ".join(left) or "the fence looks again")
        elif isinstance(action, Publish):
            return self._publish(action, observation.seen, deadline)
        elif isinstance(action, Terminate):
            self._terminate(action, deadline)
        elif isinstance(action, Wait):
            deadline.pause(action.pause_s, action.sentence)
        return None

    def _observe(self, deadline: Deadline) -> Observation:
        """One observation of one generation: who publishes a new one meanwhile makes it begin again."""
        while True:
            seen = self._look()
            deadline.check("the lease directory was looked at")
            remains = self._remains(deadline)
            if not must_ask(seen, self._parts.me, remains):
                return Observation(seen=seen, remains=remains)
            observation = self._ask(seen, remains, deadline)
            again = observation.seen
            if isinstance(again, NoAnswer) or isinstance(seen, NoAnswer) or again.generation == seen.generation:
                return observation
            self._say(f"generation {again.generation} was published while the holder before it was asked about: again")

    def _look(self) -> Seen | NoAnswer:
        return self._parts.directory.look(self._parts.timing.request_timeout_s)

    def _ask(self, seen: Seen | NoAnswer, remains: OwnRemains, deadline: Deadline) -> Observation:
        """Ask EC2 and the group, then look again: asking takes long, and an expired lease needs a fresh look."""
        record = None if isinstance(seen, NoAnswer) else seen.record
        # An unreadable record names no holder; the group is asked about this instance all the same.
        holder_id = record.instance_id if record is not None else self._parts.me.instance_id
        asked_s = self._parts.clock.monotonic()
        is_believed = asked_s - self._refused_at_s < REFUSAL_HOLDS_S
        limit = deadline.within(self._parts.timing.request_timeout_s, "ask about the holder")
        holder, group = self._evidence.gather(holder_id, limit)
        return Observation(
            seen=self._look(),
            holder=holder if record is not None else None,
            group=group,
            asked_s=asked_s,
            remains=remains,
            refusal=self._refusal if is_believed else "",
        )

    def _remains(self, deadline: Deadline) -> OwnRemains:
        # Nothing is held yet, so a machine that stands still for some seconds costs only these seconds.
        answer = self._ask_fence(self._question, deadline, FENCE_PATIENCE_S)
        return OwnRemains(
            nonce=answer.nonce,
            fence_deadline_s=None if answer.is_over else answer.deadline_s,
            is_service_stopped=answer.is_clear,
        )

    def _terminate(self, action: Terminate, deadline: Deadline) -> None:
        limit = deadline.within(self._parts.timing.request_timeout_s, "terminate the holder")
        self._refusal = self._evidence.terminate(action.instance_id, limit, is_forced=action.is_forced)
        self._refused_at_s = self._parts.clock.monotonic()
        deadline.pause(action.pause_s, self._refusal or action.sentence)

    def _resume(self, action: Resume, seen: Seen | NoAnswer) -> Taken | None:
        if isinstance(seen, NoAnswer) or seen.record is None:
            return None
        return Taken(hold=Hold(record=seen.record, deadline_s=action.deadline_s), sentence=action.sentence)

    def _publish(self, action: Publish, seen: Seen | NoAnswer, deadline: Deadline) -> Taken | None:
        parts, before = self._parts, seen.record if isinstance(seen, Seen) else None
        own = new_record(
            parts.me,
            parts.timing,
            generation=action.generation,
            nonce=self._nonce(),
            follows=before.nonce if before is not None else "",
            ground=action.ground,
            at=parts.clock.utc_text(),
        )
        sent_s = parts.clock.monotonic()
        try:
            deadline_s = self._confirmed(own, sent_s, deadline)
            if deadline_s is None:
                return None
            deadline.check("the lease was won too late for this boot")
            self._arm(Hold(record=own, deadline_s=deadline_s), deadline)
        except (AgentError, StopRequested):
            self._give_back(own)
            raise
        return Taken(hold=Hold(record=own, deadline_s=deadline_s), sentence=action.sentence)

    def _give_back(self, own: LeaseRecord) -> None:
        """Release a generation that was published and is not held, so that nobody has to wait for its end."""
        read_back = self._parts.directory.rewrite(released(own), self._parts.timing.request_timeout_s)
        outcome = f"not confirmed ({read_back.reason})" if isinstance(read_back, NoAnswer) else "released"
        log.info("lease: generation %d cannot be held and is given back: %s", own.generation, outcome)

    def _confirmed(self, own: LeaseRecord, sent_s: float, deadline: Deadline) -> float | None:
        """The first deadline once `own` was read back, and once more after the settle period; None when it was not."""
        timing, clock, is_settled = self._parts.timing, self._parts.clock, False
        written = read_back = self._parts.directory.publish(own, timing.request_timeout_s)
        self._say_if_full(own, written)
        for pause_s in READ_BACK_PAUSES:
            verdict = judge_publication(own, read_back, sent_s=sent_s, now_s=clock.monotonic(), timing=timing)
            self._say(verdict.sentence)
            if verdict.outcome is Publication.WON and is_settled:
                return verdict.deadline_s
            if verdict.outcome is Publication.MISSING:
                why = f": {written.reason}" if isinstance(written, NoAnswer) else ""
                deadline.pause(next(self._publish_pauses_s), verdict.sentence + why)
            if verdict.outcome not in (Publication.WON, Publication.UNKNOWN):
                return None
            is_settled = is_settled or verdict.outcome is Publication.WON
            deadline.pause(timing.settle_s if is_settled else pause_s, verdict.sentence)
            read_back = self._look()
        raise AssertionError("pauses have no end")

    def _say_if_full(self, own: LeaseRecord, written: Seen | NoAnswer) -> None:
        if isinstance(written, Seen):
            self._full = None
            self._parts.troubles.over(FileSystemFull.reason)
        elif written.cause == FileSystemFull.reason:
            self._full = FileSystemFull(f"generation {own.generation} cannot be published: {written.reason}")
            self._parts.troubles.begin(self._full)

    def _arm(self, hold: Hold, deadline: Deadline) -> None:
        """Have the fence's word that it guards the deadline. Raises FenceError, StopRequested."""
        answer = self._ask_fence(hold_request(hold, self._parts), deadline, self._parts.patience_with_fence_s)
        if not answer.is_accepted:
            raise FenceError(f"the fence does not guard: {answer.sentence}", remedy="Read journalctl -u soloist-fence")

    def _ask_fence(self, request: FenceRequest, deadline: Deadline, patience_s: float) -> FenceAnswer:
        limit = deadline.within(patience_s, f"the fence's answer to {request.verb}")
        return ask_until(self._parts.fence, request, limit)

    def _say(self, sentence: str) -> None:
        if not log.isEnabledFor(logging.INFO):
            return
        # The same sentence with another number of seconds in it is the same decision.
        shape = sentence.translate(WITHOUT_DIGITS)
        if shape != self._said:
            self._said = shape
            log.info("lease: %s", sentence)
