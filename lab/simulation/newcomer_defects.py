"""Rules of the newcomer broken on purpose: when it may claim, by what, whom it may end, that it claims at all.

For: lab.simulation.defects, which names them. Each changes `world.real_rules`. Does not: say how it is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

from bootstrap.base.member import Member
from bootstrap.lease.rules.actions import Publish, Wait
from bootstrap.lease.rules.observation import GroupAnswer, HolderAnswer, NoAnswer, Observation, OwnRemains, Seen

Step = Callable[..., Any]


def _wrap(rules: SimpleNamespace, alter: Callable[[Observation, dict[str, Any]], Observation]) -> None:
    """Show the acquire step something else than what was observed."""
    real: Step = rules.acquire_step

    def step(memory: Any, observation: Observation, **given: Any) -> Any:
        return real(memory, alter(observation, given), **given)

    rules.acquire_step = step


def no_clock_margin(rules: SimpleNamespace) -> None:
    def alter(observation: Observation, given: dict[str, Any]) -> Observation:
        seen = observation.seen
        if not isinstance(seen, Seen) or seen.record is None:
            return observation
        shorter_s = seen.record.lease_duration_s - given["timing"].clock_margin_s
        return replace(observation, seen=replace(seen, record=replace(seen.record, lease_duration_s=shorter_s)))

    _wrap(rules, alter)


def not_awaited(wait: str) -> Callable[[SimpleNamespace], None]:
    """The wait of this name in the lease's timing is over at once."""

    def change(rules: SimpleNamespace) -> None:
        def alter(observation: Observation, given: dict[str, Any]) -> Observation:
            given["timing"] = replace(given["timing"], **{wait: 0.0})
            return observation

        _wrap(rules, alter)

    return change


def old_look_judged(rules: SimpleNamespace) -> None:
    real: Step = rules.acquire_step

    def step(memory: Any, observation: Observation, **given: Any) -> Any:
        memory, action = real(memory, observation, **given)
        if isinstance(action, Wait) and "look once more" in action.sentence:
            return memory, Publish(generation=memory.generation + 1, ground="lease-expired", sentence=action.sentence)
        return memory, action

    rules.acquire_step = step


def own_timing(rules: SimpleNamespace) -> None:
    def alter(observation: Observation, given: dict[str, Any]) -> Observation:
        seen = observation.seen
        if isinstance(seen, NoAnswer) or seen.record is None:
            return observation
        record = replace(seen.record, lease_duration_s=given["timing"].lease_duration_s)
        return replace(observation, seen=replace(seen, record=record))

    _wrap(rules, alter)


def unparseable_is_free(rules: SimpleNamespace) -> None:
    real = rules.acquire_step

    def step(memory: Any, observation: Observation, **given: Any) -> Any:
        seen = observation.seen
        if isinstance(seen, Seen) and seen.generation and seen.record is None:
            return memory, Publish(generation=seen.generation + 1, ground="released", sentence="unreadable: free")
        return real(memory, observation, **given)

    rules.acquire_step = step


def no_self_check(rules: SimpleNamespace) -> None:
    def alter(observation: Observation, given: dict[str, Any]) -> Observation:
        if not isinstance(observation.group, GroupAnswer):
            return observation
        me = Member(lifecycle_state="InService", is_healthy=True)
        return replace(observation, group=replace(observation.group, me=me))

    _wrap(rules, alter)


def shoots_healthy(rules: SimpleNamespace) -> None:
    def alter(observation: Observation, given: dict[str, Any]) -> Observation:
        given["timing"] = replace(given["timing"], drain_deadline_s=0.0)
        if not isinstance(observation.group, GroupAnswer):
            return observation
        return replace(observation, group=replace(observation.group, holder=None))

    _wrap(rules, alter)


def shutting_down_is_dead(rules: SimpleNamespace) -> None:
    def alter(observation: Observation, given: dict[str, Any]) -> Observation:
        is_ending = isinstance(observation.holder, HolderAnswer) and observation.holder.state == "shutting-down"
        return replace(observation, holder=HolderAnswer(state="terminated")) if is_ending else observation

    _wrap(rules, alter)


def proof_skipped(rules: SimpleNamespace) -> None:
    def alter(observation: Observation, given: dict[str, Any]) -> Observation:
        given["policy"] = "proof-or-lease"
        return observation

    _wrap(rules, alter)


def silence_counts(rules: SimpleNamespace) -> None:
    real = rules.acquire_step

    def step(memory: Any, observation: Observation, **given: Any) -> Any:
        memory = replace(memory, same_until_s=max(memory.same_until_s, given["now_s"]))
        if isinstance(observation.seen, Seen) and observation.seen.text != memory.text and memory.generation > 0:
            # The wait goes on over the change that the silence hid.
            memory = replace(memory, text=observation.seen.text)
        return real(memory, observation, **given)

    rules.acquire_step = step


def own_service_left(rules: SimpleNamespace) -> None:
    def alter(observation: Observation, given: dict[str, Any]) -> Observation:
        seen = observation.seen
        is_mine = (
            isinstance(seen, Seen) and seen.record is not None and seen.record.instance_id == given["me"].instance_id
        )
        return observation if is_mine else replace(observation, remains=OwnRemains())

    _wrap(rules, alter)


def never_takes_over(rules: SimpleNamespace) -> None:
    real: Step = rules.acquire_step

    def step(memory: Any, observation: Observation, **given: Any) -> Any:
        memory, action = real(memory, observation, **given)
        if isinstance(action, Publish) and action.generation > 1:
            return memory, Wait(pause_s=1.5, sentence="somebody else may do it")
        return memory, action

    rules.acquire_step = step
