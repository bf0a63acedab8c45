"""Rules of the takeover broken on purpose: when it may claim, by what, whom it may end, that it claims at all.

For: lab.simulation.defects, which names them. Each says what is replaced in bootstrap.lease. Does not: say how it is
seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bootstrap.base.member import Member
from bootstrap.lease import takeover
from bootstrap.lease.rules import acquire, watch
from bootstrap.lease.rules.actions import Publish, Wait
from bootstrap.lease.rules.observation import GONE, GroupAnswer, HolderAnswer, NoAnswer, Observation, Seen
from bootstrap.lease.rules.publish import Publication, judge_publication
from bootstrap.lease.takeover import Takeover
from lab.simulation.planting import Plant, Wrap

Alter = Callable[[Observation, dict[str, Any]], Observation]
Step = Callable[..., Any]


def _step(wrap: Callable[[Step], Step]) -> Plant:
    return lambda: [(takeover, "acquire_step", wrap)]


def _shown(alter: Alter) -> Plant:
    """Show the acquire step something else than what was observed."""
    return _step(lambda real: lambda memory, observation, **given: real(memory, alter(observation, given), **given))


def _replaced(owner: Any, name: str, wrap: Wrap) -> Plant:
    return lambda: [(owner, name, wrap)]


def _no_clock_margin(observation: Observation, given: dict[str, Any]) -> Observation:
    seen = observation.seen
    if not isinstance(seen, Seen) or seen.record is None:
        return observation
    shorter_s = seen.record.lease_duration_s - given["timing"].clock_margin_s
    return replace(observation, seen=replace(seen, record=replace(seen.record, lease_duration_s=shorter_s)))


def _own_timing(observation: Observation, given: dict[str, Any]) -> Observation:
    seen = observation.seen
    if isinstance(seen, NoAnswer) or seen.record is None:
        return observation
    record = replace(seen.record, lease_duration_s=given["timing"].lease_duration_s)
    return replace(observation, seen=replace(seen, record=record))


def _silence_not_awaited(observation: Observation, given: dict[str, Any]) -> Observation:
    given["timing"] = replace(given["timing"], silence_s=0.0)
    return observation


def _no_self_check(observation: Observation, given: dict[str, Any]) -> Observation:
    if not isinstance(observation.group, GroupAnswer):
        return observation
    me = Member(lifecycle_state="InService", is_healthy=True)
    return replace(observation, group=replace(observation.group, me=me))


def _shoots_healthy(observation: Observation, given: dict[str, Any]) -> Observation:
    given["timing"] = replace(given["timing"], drain_deadline_s=0.0)
    if not isinstance(observation.group, GroupAnswer):
        return observation
    return replace(observation, group=replace(observation.group, holder=None))


def _shutting_down_is_dead(observation: Observation, given: dict[str, Any]) -> Observation:
    is_ending = isinstance(observation.holder, HolderAnswer) and observation.holder.state == "shutting-down"
    return replace(observation, holder=HolderAnswer(state="terminated")) if is_ending else observation


def _proof_skipped(observation: Observation, given: dict[str, Any]) -> Observation:
    given["policy"] = "proof-or-lease"
    return observation


def _gone_at_once(observation: Observation, given: dict[str, Any]) -> Observation:
    is_gone = isinstance(observation.holder, HolderAnswer) and observation.holder.state == GONE
    return replace(observation, holder=HolderAnswer(state="terminated")) if is_gone else observation


def _refusal_is_proof(observation: Observation, given: dict[str, Any]) -> Observation:
    return replace(observation, holder=HolderAnswer(state="terminated")) if observation.refusal else observation


def _refusal_forgotten(observation: Observation, given: dict[str, Any]) -> Observation:
    return replace(observation, refusal="")


def _shoots_on_old_answers(observation: Observation, given: dict[str, Any]) -> Observation:
    now_s, seen = given["now_s"], observation.seen
    if isinstance(seen, Seen) and observation.asked_s is not None:
        return replace(observation, seen=replace(seen, sent_s=now_s, returned_s=now_s), asked_s=now_s)
    return observation


no_clock_margin = _shown(_no_clock_margin)
own_timing = _shown(_own_timing)
silence_not_awaited = _shown(_silence_not_awaited)
no_self_check = _shown(_no_self_check)
shoots_healthy = _shown(_shoots_healthy)
shutting_down_is_dead = _shown(_shutting_down_is_dead)
proof_skipped = _shown(_proof_skipped)
gone_at_once = _shown(_gone_at_once)
refusal_is_proof = _shown(_refusal_is_proof)
refusal_forgotten = _shown(_refusal_forgotten)
shoots_on_old_answers = _shown(_shoots_on_old_answers)


def _silence_counts(real: Step) -> Step:
    def step(memory: Any, observation: Observation, **given: Any) -> Any:
        memory = replace(memory, same_until_s=max(memory.same_until_s, given["now_s"]))
        if isinstance(observation.seen, Seen) and observation.seen.text != memory.text and memory.generation > 0:
            # The wait goes on over the change that the silence hid.
            memory = replace(memory, text=observation.seen.text)
        return real(memory, observation, **given)

    return step


def _unparseable_is_free(real: Step) -> Step:
    def step(memory: Any, observation: Observation, **given: Any) -> Any:
        seen = observation.seen
        if isinstance(seen, Seen) and seen.generation and seen.record is None:
            return memory, Publish(generation=seen.generation + 1, ground="released", sentence="unreadable: free")
        return real(memory, observation, **given)

    return step


def _old_look_judged(real: Step) -> Step:
    def step(memory: Any, observation: Observation, **given: Any) -> Any:
        memory, action = real(memory, observation, **given)
        if isinstance(action, Wait) and "look once more before it is claimed" in action.sentence:
            return memory, Publish(generation=memory.generation + 1, ground="lease-expired", sentence=action.sentence)
        return memory, action

    return step


def _never_takes_over(real: Step) -> Step:
    def step(memory: Any, observation: Observation, **given: Any) -> Any:
        memory, action = real(memory, observation, **given)
        if isinstance(action, Publish) and action.generation > 1:
            return memory, Wait(pause_s=1.5, sentence="somebody else may do it")
        return memory, action

    return step


def _gone_is_proof(real: Step) -> Step:
    """As it was once: unknown to EC2 and unchanged for gone_confirm_s."""

    def step(memory: Any, record: Any, name: str, timing: Any, now_s: float) -> Any:
        return real(memory, replace(record, lease_duration_s=timing.gone_confirm_s), name, timing, now_s)

    return step


silence_counts = _step(_silence_counts)
unparseable_is_free = _step(_unparseable_is_free)
never_takes_over = _step(_never_takes_over)


def _asked_without_a_second_look(real: Step) -> Step:
    def ask(self: Any, seen: Any, *others: Any) -> Any:
        self._look = lambda: seen
        try:
            return real(self, seen, *others)
        finally:
            del self._look

    return ask


def old_look_judged() -> list[tuple[Any, str, Wrap]]:
    """Nor is there a second look after EC2 and the group were asked."""
    return [
        (takeover, "acquire_step", _old_look_judged),
        (Takeover, "_ask", _asked_without_a_second_look),
    ]


def gone_is_proof() -> list[tuple[Any, str, Wrap]]:
    return [(acquire, "_gone", _gone_is_proof), (watch, "is_gone", lambda real: _is_unknown)]


def _is_unknown(holder: HolderAnswer | NoAnswer | None, group: GroupAnswer | NoAnswer | None) -> bool:
    return isinstance(holder, HolderAnswer) and holder.state == GONE


def gap_counts() -> list[tuple[Any, str, Wrap]]:
    """With the weak proof of before: a spell goes on over looks that brought no answer, however long the gap."""

    def remember(real: Step) -> Step:
        def step(memory: Any, observation: Observation, now_s: float) -> Any:
            after = real(memory, observation, now_s)
            has_answer = isinstance(observation.holder, HolderAnswer)
            return after if has_answer or memory.gone is None else replace(after, gone=memory.gone)

        return step

    return [
        *gone_is_proof(),
        (watch, "GAP_S", lambda real: 1e9),
        (acquire, "remember", remember),
    ]


one_record = _replaced(takeover, "new_record", lambda real: real)  # the file server reads the flag
generation_reused = _replaced(
    takeover,
    "new_record",
    lambda real: lambda *parts, generation, **given: real(*parts, generation=max(1, generation - 1), **given),
)
own_service_left = _replaced(
    Takeover, "_remains", lambda real: lambda self: replace(real(self), is_service_stopped=True)
)
generation_kept = _replaced(Takeover, "_give_back", lambda real: lambda self, own: None)


def _nonce_not_read(real: Step) -> Step:
    def judge(own: Any, seen: Any, **given: Any) -> Any:
        verdict = real(own, seen, **given)
        is_there = isinstance(seen, Seen) and seen.generation == own.generation
        return replace(verdict, outcome=Publication.WON) if is_there else verdict

    return judge


nonce_not_read = _replaced(takeover, "judge_publication", _nonce_not_read)


def _confirmed_at_once(real: Step) -> Step:
    def confirmed(self: Any, own: Any, sent_s: float, deadline: Any) -> float | None:
        timing, clock = self._parts.timing, self._parts.clock
        read_back = self._parts.directory.publish(own, timing.request_timeout_s)
        verdict = judge_publication(own, read_back, sent_s=sent_s, now_s=clock.monotonic(), timing=timing)
        if verdict.outcome is Publication.WON:
            return float(verdict.deadline_s)
        deadline.pause(1.0, verdict.sentence)
        return None

    return confirmed


no_settle = _replaced(Takeover, "_confirmed", _confirmed_at_once)
