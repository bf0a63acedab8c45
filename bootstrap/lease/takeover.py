"""Takes the lease: looks, asks, acts and looks again, until this instance holds it or the rules say that it must not.

For: step lease. Guarantees: every decision is one of lease_acquire or lease_publish, logged as its sentence when it
changes; the fence has confirmed that it guards the first deadline before this returns; what an earlier run of the agent
left on this machine is stopped and unmounted before a new generation is published; a generation that was published and
cannot be held is given back.
Does not: renew (lease_keeper), or claim anything else.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.errors import AgentError, FenceError, LeaseRefused, StopRequested
from bootstrap.base.timing import FencePolicy, LeaseTiming
from bootstrap.fence.client import Fence
from bootstrap.fence.protocol import FenceRequest
from bootstrap.lease.directory import LeaseDirectory
from bootstrap.lease.evidence import LeaseEvidence
from bootstrap.lease.rules.acquire import acquire_step, must_ask
from bootstrap.lease.rules.actions import Action, GiveUp, Publish, Resume, StopOwnService, Terminate, Wait
from bootstrap.lease.rules.observation import NoAnswer, Observation, OwnRemains, Seen
from bootstrap.lease.rules.publish import Publication, judge_publication
from bootstrap.lease.rules.record import Applicant, LeaseRecord, new_record, released
from bootstrap.lease.rules.renew import Hold
from bootstrap.lease.rules.watch import AcquireMemory

log = logging.getLogger(__name__)

READ_BACK_POLL_S = 0.5
REFUSAL_HOLDS_S = 20.0  # a refusal to terminate is believed this long, then EC2 is asked again
REMEDIES = {
    "surplus": "Nothing is wrong here: another instance serves; look at what made the group launch this one",
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
        *,
        directory: LeaseDirectory,
        evidence: LeaseEvidence,
        fence: Fence,
        me: Applicant,
        timing: LeaseTiming,
        policy: FencePolicy,
        mounts: tuple[str, ...],
        stop_service: Callable[[], list[str]],
        clock: Clock,
        nonce: Callable[[], str],
    ) -> None:
        """`mounts`: where the data can be written. `stop_service`: stop and unmount what is left here; what remains."""
        self._directory = directory
        self._evidence = evidence
        self._fence = fence
        self._me = me
        self._timing = timing
        self._policy = policy
        self._mounts = mounts
        self._stop_service = stop_service
        self._clock = clock
        self._nonce = nonce
        self._refusal = ""
        self._refused_at_s = 0.0
        self._said = ""

    def run(self, deadline: Deadline) -> Taken:
        """Raises LeaseRefused, FenceError, DeadlineExceeded, StopRequested."""
        self._fence.await_ready(deadline)
        memory = AcquireMemory()
        while True:
            observation = self._observe(deadline)
            memory, action = acquire_step(
                memory,
                observation,
                me=self._me,
                timing=self._timing,
                policy=self._policy,
                now_s=self._clock.monotonic(),
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
            deadline.pause(READ_BACK_POLL_S, "; ".join(left) or "the fence looks again")
        elif isinstance(action, Publish):
            return self._publish(action, deadline)
        elif isinstance(action, Terminate):
            self._terminate(action, deadline)
        elif isinstance(action, Wait):
            deadline.pause(action.pause_s, action.sentence)
        return None

    def _observe(self, deadline: Deadline) -> Observation:
        seen = self._directory.look(self._timing.request_timeout_s)
        deadline.check("the lease directory was looked at")
        is_believed = self._clock.monotonic() - self._refused_at_s < REFUSAL_HOLDS_S
        observation = Observation(seen=seen, remains=self._remains(), refusal=self._refusal if is_believed else "")
        record = None if isinstance(seen, NoAnswer) else seen.record
        if not must_ask(seen, self._me):
            return observation
        # Of a record nobody can read the holder is unknown; the group is asked about me all the same.
        holder_id = record.instance_id if record is not None else self._me.instance_id
        limit = deadline.within(self._timing.request_timeout_s, "ask about the holder")
        holder, group = self._evidence.gather(holder_id, limit)
        # Asking in vain takes long, and an expired lease is judged by a fresh look only.
        again = self._directory.look(self._timing.request_timeout_s)
        if not isinstance(again, NoAnswer) and not isinstance(seen, NoAnswer) and again.generation != seen.generation:
            return Observation(
                seen=NoAnswer(reason="a new generation was published meanwhile"), remains=self._remains()
            )
        seen = again
        return Observation(
            seen=seen,
            holder=holder if record is not None else None,
            group=group,
            remains=observation.remains,
            refusal=observation.refusal,
        )

    def _remains(self) -> OwnRemains:
        answer = self._fence.ask(FenceRequest(verb="look", mounts=self._mounts))
        return OwnRemains(
            nonce=answer.nonce,
            fence_deadline_s=None if answer.is_over else answer.deadline_s,
            is_service_stopped=answer.is_clear,
        )

    def _terminate(self, action: Terminate, deadline: Deadline) -> None:
        limit = deadline.within(self._timing.request_timeout_s, "terminate the holder")
        self._refusal = self._evidence.terminate(action.instance_id, limit, is_forced=action.is_forced)
        self._refused_at_s = self._clock.monotonic()
        deadline.pause(action.pause_s, self._refusal or action.sentence)

    def _resume(self, action: Resume, seen: Seen | NoAnswer) -> Taken | None:
        if isinstance(seen, NoAnswer) or seen.record is None:
            return None
        return Taken(hold=Hold(record=seen.record, deadline_s=action.deadline_s), sentence=action.sentence)

    def _publish(self, action: Publish, deadline: Deadline) -> Taken | None:
        own = new_record(
            self._me,
            self._timing,
            generation=action.generation,
            nonce=self._nonce(),
            at=self._clock.utc_text(),
        )
        sent_s = self._clock.monotonic()
        try:
            deadline_s = self._confirmed(own, sent_s, deadline)
            if deadline_s is None:
                return None
            deadline.check("the lease was won too late for this boot")
            self._arm(own, deadline_s)
        except (AgentError, StopRequested):
            self._directory.rewrite(released(own), self._timing.request_timeout_s)
            raise
        return Taken(hold=Hold(record=own, deadline_s=deadline_s), sentence=action.sentence)

    def _confirmed(self, own: LeaseRecord, sent_s: float, deadline: Deadline) -> float | None:
        """The first deadline once `own` was read back, and once more after the settle period; None when it was not."""
        timing, is_settled = self._timing, False
        read_back = self._directory.publish(own, timing.request_timeout_s)
        while True:
            verdict = judge_publication(own, read_back, sent_s=sent_s, now_s=self._clock.monotonic(), timing=timing)
            self._say(verdict.sentence)
            if verdict.outcome is Publication.WON and is_settled:
                return verdict.deadline_s
            if verdict.outcome not in (Publication.WON, Publication.UNKNOWN):
                return None
            is_settled = is_settled or verdict.outcome is Publication.WON
            deadline.pause(timing.settle_s if is_settled else READ_BACK_POLL_S, verdict.sentence)
            read_back = self._directory.look(timing.request_timeout_s)

    def _arm(self, own: LeaseRecord, deadline_s: float) -> None:
        """Have the fence's word that it guards the deadline. Raises FenceError."""
        answer = self._fence.ask(
            FenceRequest(
                verb="hold",
                generation=own.generation,
                nonce=own.nonce,
                deadline_s=deadline_s,
                mounts=self._mounts,
                timing=self._timing,
            )
        )
        if not answer.is_accepted:
            raise FenceError(f"the fence does not guard: {answer.sentence}", remedy="Read journalctl -u soloist-fence")

    def _say(self, sentence: str) -> None:
        # The same sentence with another number of seconds in it is the same decision.
        shape = "".join(letter for letter in sentence if not letter.isdigit())
        if shape != self._said:
            self._said = shape
            log.info("lease: %s", sentence)
