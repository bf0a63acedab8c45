"""Rules broken on purpose, one at a time, in the code that ships: the simulation must see each of them.

For: tests/property and `python -m lab.simulation --defect NAME`. A defect replaces a rule, a method or a function where
the loops of the lease use it (lab.simulation.planting, acquiring and holding), or is a flag that a part of the world
reads by its name where the rule is about the surroundings (mount options, link and rename, who pets the device).
Guarantees: each says which rule it breaks and in whose words it may turn up. Does not: combine defects.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.simulation import broken_holding as holding
from lab.simulation import broken_takeover as takeover
from lab.simulation.drawing import draw
from lab.simulation.planting import Plant, planted
from lab.simulation.schedule import Schedule
from lab.simulation.world import Result, World

TWO_WRITERS = "could both write"
OVER_A_HEALTHY_ONE = ("published over", TWO_WRITERS, "a healthy holder")


@dataclass(frozen=True, kw_only=True)
class Defect:
    """`seen_as`: parts of violations, one of which must be reported. `plant`: what is replaced in the code that ships;
    none where a part of the world reads the flag."""

    rule: str
    seen_as: tuple[str, ...] = (TWO_WRITERS,)
    plant: Plant | None = None


DEFECTS: dict[str, Defect] = {
    # the surroundings of the lease: mount options, link and rename, the device
    "one-record": Defect(
        rule="one file per generation, never overwritten",
        seen_as=("overwrote", "not higher than all before"),
        plant=takeover.one_record,
    ),
    "generation-reused": Defect(
        rule="a generation is never used twice",
        seen_as=("not higher than all before",),
        plant=takeover.generation_reused,
    ),
    "cached-look": Defect(rule="each look is fresh (noac, lookupcache=none)", seen_as=OVER_A_HEALTHY_ONE),
    "renewed-in-place": Defect(
        rule="a renewal lands once: a write sent again brings back an old one, and it looks unchanged",
        seen_as=("was brought back",),
    ),
    "agent-pets": Defect(rule="only the fence process pets the device"),
    "steal-interface": Defect(
        rule="a network interface is never taken from a live instance", seen_as=("took the network",)
    ),
    # takeover
    "nonce-not-read": Defect(
        rule="EEXIST decides nothing, the nonce read back does",
        seen_as=(TWO_WRITERS, "which is that of"),
        plant=takeover.nonce_not_read,
    ),
    "no-settle": Defect(
        rule="look again after the settle period", seen_as=(TWO_WRITERS, "which is that of"), plant=takeover.no_settle
    ),
    "own-timing": Defect(
        rule="a newcomer waits by the holder's timing, not its own",
        seen_as=OVER_A_HEALTHY_ONE,
        plant=takeover.own_timing,
    ),
    "silence-counts": Defect(
        rule="a look without an answer adds nothing to the wait",
        seen_as=OVER_A_HEALTHY_ONE,
        plant=takeover.silence_counts,
    ),
    "unparseable-is-free": Defect(
        rule="an unparseable record is held",
        seen_as=("published over", TWO_WRITERS),
        plant=takeover.unparseable_is_free,
    ),
    "proof-skipped": Defect(rule="fence: proof claims nothing without proof of death", plant=takeover.proof_skipped),
    "shutting-down-is-dead": Defect(rule="only `terminated` is proof", plant=takeover.shutting_down_is_dead),
    "gone-at-once": Defect(
        rule="`no such instance` is proof only with a second witness, for a while, after the holder's own lease",
        seen_as=("published over", TWO_WRITERS),
        plant=takeover.gone_at_once,
    ),
    "gone-is-proof": Defect(
        rule="`no such instance` alone is weak: it needs the group's word and the holder's own lease",
        seen_as=("published over", TWO_WRITERS),
        plant=takeover.gone_is_proof,
    ),
    "gap-counts": Defect(
        rule="two sightings with nothing in between prove nothing about the time between",
        seen_as=("published over", TWO_WRITERS),
        plant=takeover.gap_counts,
    ),
    "no-self-check": Defect(
        rule="an instance the group is ending shoots nobody",
        seen_as=("which the group is ending",),
        plant=takeover.no_self_check,
    ),
    "shoots-healthy": Defect(
        rule="a healthy holder the group counts is never shot",
        seen_as=("a healthy holder",),
        plant=takeover.shoots_healthy,
    ),
    "shoots-on-old-answers": Defect(
        rule="nobody is terminated on an old answer",
        seen_as=("a healthy holder",),
        plant=takeover.shoots_on_old_answers,
    ),
    "refusal-is-proof": Defect(
        rule="a refusal to terminate proves nothing", seen_as=OVER_A_HEALTHY_ONE, plant=takeover.refusal_is_proof
    ),
    "refusal-forgotten": Defect(
        rule="a refusal to terminate is believed for a while",
        seen_as=("asks again to terminate",),
        plant=takeover.refusal_forgotten,
    ),
    "no-clock-margin": Defect(rule="clocks may differ in rate", plant=takeover.no_clock_margin),
    "silence-not-awaited": Defect(
        rule="a hiccup of EC2 is not silence", seen_as=("though EC2 and",), plant=takeover.silence_not_awaited
    ),
    "old-look-judged": Defect(
        rule="an expired lease is judged by a fresh look", seen_as=("an old look",), plant=takeover.old_look_judged
    ),
    "own-service-left": Defect(
        rule="stop the own service first when a higher generation is met",
        seen_as=("its own service",),
        plant=takeover.own_service_left,
    ),
    "never-takes-over": Defect(
        rule="a newcomer gets through in the end", seen_as=("nobody serves",), plant=takeover.never_takes_over
    ),
    "generation-kept": Defect(
        rule="a generation that cannot be held is given back",
        seen_as=("does not give it back",),
        plant=takeover.generation_kept,
    ),
    # keeping, fence, permission, release
    "deadline-from-reply": Defect(rule="the deadline counts from before the send", plant=holding.deadline_from_reply),
    "late-renewal-rescues": Defect(
        rule="a renewal confirmed after its predecessor's deadline is discarded",
        seen_as=("was rescued",),
        plant=holding.late_renewal_rescues,
    ),
    "higher-generation-ignored": Defect(
        rule="a higher generation means lost, at once", plant=holding.higher_generation_ignored
    ),
    "fence-refusal-ignored": Defect(
        rule="a deadline that the fence refuses is not in force",
        seen_as=("believes in a deadline",),
        plant=holding.fence_refusal_ignored,
    ),
    "grace-after-late-wake": Defect(rule="past the deadline there is no grace", plant=holding.grace_after_late_wake),
    "no-kill": Defect(rule="KILL follows TERM, reset follows KILL", plant=holding.no_kill),
    "mount-ignored": Defect(rule="dirty pages must go too: unmount or reset", plant=holding.mount_ignored),
    "fence-forgets": Defect(
        rule="a fence that is started again goes on where it was stopped", plant=holding.fence_forgets
    ),
    "release-first": Defect(rule="released only after stop, sync and unmount", plant=holding.release_first),
    "detach-first": Defect(
        rule="the network interface is detached after the lease is released",
        seen_as=("before it released",),
        plant=holding.detach_first,
    ),
    "no-attach-guard": Defect(
        rule="a stale instance touches no network interface",
        seen_as=("attached the network interface",),
        plant=holding.no_permission,
    ),
    "no-dns-guard": Defect(rule="the record moves by look and compare-and-swap", seen_as=("the record went back",)),
    "constant-ttl": Defect(
        rule="each generation's record differs from the last",
        seen_as=("the record went back",),
        plant=holding.constant_ttl,
    ),
}


def run_seed(seed: int, defect: str = "", *, is_telling: bool = False) -> Result:
    """One run of the schedule of `seed`, with at most one rule broken."""
    return run_schedule(draw(seed), defect, is_telling=is_telling)


def run_schedule(schedule: Schedule, defect: str = "", *, is_telling: bool = False) -> Result:
    """The same for a schedule that no seed gives."""
    flags = frozenset([defect] if defect else [])
    with planted(DEFECTS[defect].plant if defect else None):
        return World(schedule, flags, is_telling=is_telling).run()
