"""Rules of the takeover broken on purpose: when it may claim, by what, whom it may end, that it claims at all.

For: lab.simulation.defects. Each says which rule it breaks, what is replaced in bootstrap.lease, and in which words it
may turn up.
"""

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
from lab.simulation.planting import TWO_WRITERS, Places, defect, register, replacing

Alter = Callable[[Observation, dict[str, Any]], Observation]
Step = Callable[..., Any]
OVER_A_HEALTHY_ONE = ("published over", TWO_WRITERS, "a healthy holder")


def shown(rule: str, *seen_as: str) -> Callable[[Alter], Alter]:
    """For a function that shows the acquire step something else than what was observed."""

    def registered(alter: Alter) -> Alter:
        def wrap(real: Step) -> Step:
            return lambda memory, observation, **given: real(memory, alter(observation, given), **given)

        register(alter.__name__, rule, seen_as, lambda: [(takeover, "acquire_step", wrap)])
        return alter

    return registered


@shown("clocks may differ in rate")
def no_clock_margin(observation: Observation, given: dict[str, Any]) -> Observation:
    seen = observation.seen
    if not isinstance(seen, Seen) or seen.record is None:
        return observation
    shorter_s = seen.record.lease_duration_s - given["timing"].clock_margin_s
    return replace(observation, seen=replace(seen, record=replace(seen.record, lease_duration_s=shorter_s)))


@shown("a newcomer waits by the holder's timing, not its own", *OVER_A_HEALTHY_ONE)
def own_timing(observation: Observation, given: dict[str, Any]) -> Observation:
    seen = observation.seen
    if isinstance(seen, NoAnswer) or seen.record is None:
        return observation
    record = replace(seen.record, lease_duration_s=given["timing"].lease_duration_s)
    return replace(observation, seen=replace(seen, record=record))


@shown("a hiccup of EC2 is not silence", "though EC2 and")
def silence_not_awaited(observation: Observation, given: dict[str, Any]) -> Observation:
    given["timing"] = replace(given["timing"], silence_s=0.0)
    return observation


@shown("an instance the group is ending shoots nobody", "which the group is ending")
def no_self_check(observation: Observation, given: dict[str, Any]) -> Observation:
    if not isinstance(observation.group, GroupAnswer):
        return observation
    me = Member(lifecycle_state="InService", is_healthy=True)
    return replace(observation, group=replace(observation.group, me=me))


@shown("a healthy holder the group counts is never shot", "a healthy holder")
def shoots_healthy(observation: Observation, given: dict[str, Any]) -> Observation:
    given["timing"] = replace(given["timing"], drain_deadline_s=0.0)
    if not isinstance(observation.group, GroupAnswer):
        return observation
    return replace(observation, group=replace(observation.group, holder=None))


@shown("only `terminated` is proof")
def shutting_down_is_dead(observation: Observation, given: dict[str, Any]) -> Observation:
    is_ending = isinstance(observation.holder, HolderAnswer) and observation.holder.state == "shutting-down"
    return replace(observation, holder=HolderAnswer(state="terminated")) if is_ending else observation


@shown("fence: proof claims nothing without proof of death")
def proof_skipped(observation: Observation, given: dict[str, Any]) -> Observation:
    given["policy"] = "proof-or-lease"
    return observation


@shown(
    "`no such instance` is proof only with a second witness, for a while, after the holder's own lease",
    "published over",
    TWO_WRITERS,
)
def gone_at_once(observation: Observation, given: dict[str, Any]) -> Observation:
    is_gone = isinstance(observation.holder, HolderAnswer) and observation.holder.state == GONE
    return replace(observation, holder=HolderAnswer(state="terminated")) if is_gone else observation


@shown("a refusal to terminate proves nothing", *OVER_A_HEALTHY_ONE)
def refusal_is_proof(observation: Observation, given: dict[str, Any]) -> Observation:
    return replace(observation, holder=HolderAnswer(state="terminated")) if observation.refusal else observation


@shown("a refusal to terminate is believed for a while", "asks again to terminate")
def refusal_forgotten(observation: Observation, given: dict[str, Any]) -> Observation:
    return replace(observation, refusal="")


@shown("nobody is terminated on an old answer", "a healthy holder")
def shoots_on_old_answers(observation: Observation, given: dict[str, Any]) -> Observation:
    now_s, seen = given["now_s"], observation.seen
    if isinstance(seen, Seen) and observation.asked_s is not None:
        return replace(observation, seen=replace(seen, sent_s=now_s, returned_s=now_s), asked_s=now_s)
    return observation


@replacing(takeover, "acquire_step", "a look without an answer adds nothing to the wait", *OVER_A_HEALTHY_ONE)
def silence_counts(real: Step) -> Step:
    def step(memory: Any, observation: Observation, **given: Any) -> Any:
        memory = replace(memory, same_until_s=max(memory.same_until_s, given["now_s"]))
        if isinstance(observation.seen, Seen) and observation.seen.text != memory.text and memory.generation > 0:
            # The wait goes on over the change that the silence hid.
            memory = replace(memory, text=observation.seen.text)
        return real(memory, observation, **given)

    return step


@replacing(takeover, "acquire_step", "an unparseable record is held", "published over", TWO_WRITERS)
def unparseable_is_free(real: Step) -> Step:
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


@replacing(takeover, "acquire_step", "a newcomer gets through in the end", "nobody serves")
def never_takes_over(real: Step) -> Step:
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


def _asked_without_a_second_look(real: Step) -> Step:
    def ask(self: Any, seen: Any, *others: Any) -> Any:
        self._look = lambda: seen
        try:
            return real(self, seen, *others)
        finally:
            del self._look

    return ask


@defect("an expired lease is judged by a fresh look", "an old look")
def old_look_judged() -> Places:
    """Nor is there a second look after EC2 and the group were asked."""
    return [
        (takeover, "acquire_step", _old_look_judged),
        (Takeover, "_ask", _asked_without_a_second_look),
    ]


@defect(
    "`no such instance` alone is weak: it needs the group's word and the holder's own lease",
    "published over",
    TWO_WRITERS,
)
def gone_is_proof() -> Places:
    return [(acquire, "_gone", _gone_is_proof), (watch, "is_gone", lambda real: _is_unknown)]


def _is_unknown(holder: HolderAnswer | NoAnswer | None, group: GroupAnswer | NoAnswer | None) -> bool:
    return isinstance(holder, HolderAnswer) and holder.state == GONE


@defect("two sightings with nothing in between prove nothing about the time between", "published over", TWO_WRITERS)
def gap_counts() -> Places:
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


@replacing(takeover, "new_record", "a generation is never used twice", "not higher than all before")
def generation_reused(real: Step) -> Step:
    return lambda *parts, generation, **given: real(*parts, generation=max(1, generation - 1), **given)


@replacing(Takeover, "_remains", "stop the own service first when a higher generation is met", "its own service")
def own_service_left(real: Step) -> Step:
    return lambda self, deadline: replace(real(self, deadline), is_service_stopped=True)


@replacing(Takeover, "_give_back", "a generation that cannot be held is given back", "does not give it back")
def generation_kept(real: Step) -> Step:
    return lambda self, own: None


@replacing(
    takeover, "judge_publication", "EEXIST decides nothing, the nonce read back does", TWO_WRITERS, "which is that of"
)
def nonce_not_read(real: Step) -> Step:
    def judge(own: Any, seen: Any, **given: Any) -> Any:
        verdict = real(own, seen, **given)
        is_there = isinstance(seen, Seen) and seen.generation == own.generation
        return replace(verdict, outcome=Publication.WON) if is_there else verdict

    return judge


@replacing(Takeover, "_confirmed", "look again after the settle period", TWO_WRITERS, "which is that of")
def no_settle(real: Step) -> Step:
    def confirmed(self: Any, own: Any, sent_s: float, deadline: Any) -> float | None:
        timing, clock = self._parts.timing, self._parts.clock
        read_back = self._parts.directory.publish(own, timing.request_timeout_s)
        verdict = judge_publication(own, read_back, sent_s=sent_s, now_s=clock.monotonic(), timing=timing)
        if verdict.outcome is Publication.WON:
            return float(verdict.deadline_s)
        deadline.pause(1.0, verdict.sentence)
        return None

    return confirmed
