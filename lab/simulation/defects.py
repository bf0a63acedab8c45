"""Rules broken on purpose, one at a time: the simulation must see each of them.

For: tests/property and `python -m lab.simulation --defect NAME`. A defect replaces one rule of `world.real_rules` or is
a flag that a module of lab.simulation reads by its name.
Guarantees: each says which rule it breaks and in whose words it may turn up. Does not: combine defects.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

from bootstrap.lease.rules.observation import Seen
from bootstrap.lease.rules.publish import Publication
from lab.simulation import newcomer_defects as newcomer
from lab.simulation.schedule import Schedule, draw
from lab.simulation.world import Result, World, real_rules

Change = Callable[[SimpleNamespace], None]


@dataclass(frozen=True, kw_only=True)
class Defect:
    """`seen_as`: parts of violations, one of which must be reported."""

    rule: str
    seen_as: tuple[str, ...]
    change: Change = lambda rules: None


def _deadline_from_reply(rules: SimpleNamespace) -> None:
    real = rules.after_renewal
    rules.after_renewal = lambda hold, seen, *, sent_s, now_s, timing: real(
        hold, seen, sent_s=now_s, now_s=now_s, timing=timing
    )


def _late_renewal_rescues(rules: SimpleNamespace) -> None:
    before, after, hold_until = rules.before_renewal, rules.after_renewal, rules.hold_until
    rules.before_renewal = lambda hold, seen, *, now_s: before(hold, seen, now_s=min(now_s, hold.deadline_s - 1e-6))
    rules.after_renewal = lambda hold, seen, *, sent_s, now_s, timing: after(
        hold, seen, sent_s=sent_s, now_s=min(now_s, hold.deadline_s - 1e-6), timing=timing
    )

    def rescue(memory: Any, generation: int, deadline_s: float, **given: Any) -> Any:
        if generation == memory.generation and given["now_s"] < deadline_s:
            return replace(memory, deadline_s=deadline_s, is_over=False, has_grace=True, killed_s=None), "rescued"
        return hold_until(memory, generation, deadline_s, **given)

    rules.hold_until = rescue


def _grace_after_late_wake(rules: SimpleNamespace) -> None:
    real = rules.fence_step

    def step(memory: Any, **given: Any) -> Any:
        now_s = given["now_s"]
        if memory.deadline_s is not None and not memory.is_over and now_s >= memory.deadline_s:
            memory = replace(memory, is_over=True, over_s=now_s, has_grace=True)
        return real(memory, **given)

    rules.fence_step = step


def _mount_ignored(rules: SimpleNamespace) -> None:
    real = rules.fence_step

    def step(memory: Any, *, is_cgroup_empty: bool, is_mount_gone: bool, **given: Any) -> Any:
        return real(memory, is_cgroup_empty=is_cgroup_empty, is_mount_gone=is_mount_gone or is_cgroup_empty, **given)

    rules.fence_step = step


def _no_kill(rules: SimpleNamespace) -> None:
    real = rules.fence_step

    def step(memory: Any, *, timing: Any, **given: Any) -> Any:
        return real(memory, timing=replace(timing, stop_timeout_s=1e6), **given)

    rules.fence_step = step


def _nonce_not_read(rules: SimpleNamespace) -> None:
    real = rules.judge_publication

    def judge(own: Any, seen: Any, **given: Any) -> Any:
        verdict = real(own, seen, **given)
        is_there = isinstance(seen, Seen) and seen.generation == own.generation
        return replace(verdict, outcome=Publication.WON) if is_there else verdict

    rules.judge_publication = judge


def _higher_generation_ignored(rules: SimpleNamespace) -> None:
    def blind(real: Callable[..., Any]) -> Callable[..., Any]:
        def step(hold: Any, seen: Any, **given: Any) -> Any:
            if isinstance(seen, Seen) and seen.generation > hold.record.generation:
                seen = replace(seen, generation=hold.record.generation, record=hold.record)
            return real(hold, seen, **given)

        return step

    rules.before_renewal, rules.after_renewal = blind(rules.before_renewal), blind(rules.after_renewal)


DEFECTS: dict[str, Defect] = {
    "one-record": Defect(
        rule="one file per generation, never overwritten", seen_as=("overwrote", "not higher than all before")
    ),
    "generation-reused": Defect(rule="a generation is never used twice", seen_as=("not higher than all before",)),
    "nonce-not-read": Defect(
        rule="EEXIST decides nothing, the nonce read back does", seen_as=("could both write",), change=_nonce_not_read
    ),
    "no-settle": Defect(rule="look again after the settle period", seen_as=("could both write",)),
    "deadline-from-reply": Defect(
        rule="the deadline counts from before the send", seen_as=("could both write",), change=_deadline_from_reply
    ),
    "late-renewal-rescues": Defect(
        rule="a renewal confirmed after its predecessor's deadline is discarded",
        seen_as=("was rescued",),
        change=_late_renewal_rescues,
    ),
    "higher-generation-ignored": Defect(
        rule="a higher generation means lost, at once", seen_as=("could both write",), change=_higher_generation_ignored
    ),
    "cached-look": Defect(
        rule="each look is fresh (noac, lookupcache=none)",
        seen_as=("published over", "could both write", "a healthy holder"),
    ),
    "own-timing": Defect(
        rule="a newcomer waits by the holder's timing, not its own",
        seen_as=("published over", "could both write", "a healthy holder"),
        change=newcomer.own_timing,
    ),
    "silence-counts": Defect(
        rule="a look without an answer adds nothing to the wait",
        seen_as=("published over", "could both write", "a healthy holder"),
        change=newcomer.silence_counts,
    ),
    "unparseable-is-free": Defect(
        rule="an unparseable record is held",
        seen_as=(
            "published over",
            "could both write",
        ),
        change=newcomer.unparseable_is_free,
    ),
    "proof-skipped": Defect(
        rule="fence: proof claims nothing without proof of death",
        seen_as=("could both write",),
        change=newcomer.proof_skipped,
    ),
    "shutting-down-is-dead": Defect(
        rule="only `terminated` is proof", seen_as=("could both write",), change=newcomer.shutting_down_is_dead
    ),
    "gone-at-once": Defect(
        rule="`no such instance` is proof only when it lasts",
        seen_as=(
            "published over",
            "could both write",
        ),
        change=newcomer.not_awaited("gone_confirm_s"),
    ),
    "no-self-check": Defect(
        rule="an instance the group is ending shoots nobody",
        seen_as=("which the group is ending",),
        change=newcomer.no_self_check,
    ),
    "shoots-healthy": Defect(
        rule="a healthy holder the group counts is never shot",
        seen_as=("a healthy holder",),
        change=newcomer.shoots_healthy,
    ),
    "grace-after-late-wake": Defect(
        rule="past the deadline there is no grace", seen_as=("could both write",), change=_grace_after_late_wake
    ),
    "no-kill": Defect(rule="KILL follows TERM, reset follows KILL", seen_as=("could both write",), change=_no_kill),
    "mount-ignored": Defect(
        rule="dirty pages must go too: unmount or reset", seen_as=("could both write",), change=_mount_ignored
    ),
    "agent-pets": Defect(rule="only the fence process pets the device", seen_as=("could both write",)),
    "release-first": Defect(rule="released only after stop, sync and unmount", seen_as=("could both write",)),
    "steal-interface": Defect(
        rule="a network interface is never taken from a live instance", seen_as=("took the network",)
    ),
    "renewed-in-place": Defect(
        rule="a renewal lands once: a write sent again brings back an old one, and it looks unchanged",
        seen_as=("a healthy holder", "published over", "could both write"),
    ),
    "no-clock-margin": Defect(
        rule="clocks may differ in rate", seen_as=("could both write",), change=newcomer.no_clock_margin
    ),
    "silence-not-awaited": Defect(
        rule="a hiccup of EC2 is not silence", seen_as=("though EC2 and",), change=newcomer.not_awaited("silence_s")
    ),
    "old-look-judged": Defect(
        rule="an expired lease is judged by a fresh look", seen_as=("an old look",), change=newcomer.old_look_judged
    ),
    "own-service-left": Defect(
        rule="stop the own service first when a higher generation is met",
        seen_as=("its own service is left",),
        change=newcomer.own_service_left,
    ),
    "no-attach-guard": Defect(
        rule="a stale instance touches no network interface", seen_as=("attached the network interface",)
    ),
    "never-takes-over": Defect(
        rule="a newcomer gets through in the end", seen_as=("nobody serves",), change=newcomer.never_takes_over
    ),
    "no-dns-guard": Defect(rule="the record moves by look and compare-and-swap", seen_as=("the record went back",)),
    "constant-ttl": Defect(rule="each generation's record differs from the last", seen_as=("the record went back",)),
}


def run_seed(seed: int, defect: str = "", *, is_telling: bool = False) -> Result:
    """One run of the schedule of `seed`, with at most one rule broken."""
    return run_schedule(draw(seed), defect, is_telling=is_telling)


def run_schedule(schedule: Schedule, defect: str = "", *, is_telling: bool = False) -> Result:
    """The same for a schedule that no seed gives."""
    rules = real_rules()
    if defect:
        DEFECTS[defect].change(rules)
    return World(schedule, frozenset([defect] if defect else []), rules, is_telling).run()
