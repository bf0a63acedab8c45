"""Draws the schedule of a seed: one family of dangers in turn, and what else may go wrong at the same time.

Guarantees: every timing drawn passes `bootstrap.base.timing.findings`; clock rates stay within what `clock_margin_s`
covers; one seed, one schedule.
"""

import random
from collections.abc import Callable

from bootstrap.base.timing import FencePolicy
from lab.simulation.rare import RARE
from lab.simulation.schedule import START_S, Fault, Schedule, fault_at
from lab.simulation.timings import draw_timings, rate_error

LOSSY_EVERY = 5  # each fifth schedule loses replies for a while, besides what else happens
RARE_EVERY = 25  # schedules of that many seeds, of which each in RARE is one that chance would hardly find
PAUSES = ("pause", "freeze")

EXTRA = (
    "silent_ec2", "silent_group", "silent_route53", "forgetful", "torn", "split", "server_down", "kill_agent",
    "stop_agent", "kill_fence", "reboot", "cut_files", "cut_api", "slow_files", "launch_beside", "replace", "end",
    "pause", "panic", "denied", "pause_at_word", "sent_again",
)  # fmt: skip
HITS = (
    "cut_files", "pause", "freeze", "cut_both", "slow_then_cut", "panic", "end", "kill_agent", "stop_agent", "reboot",
    "zone_loss", "pause_at_word", "nothing",
)  # fmt: skip
ARRIVALS = ("replace", "launch_beside", "unhealthy", "nothing")


def draw(seed: int) -> Schedule:
    """The schedule of `seed`: one family of dangers in turn, and what else may go wrong at the same time."""
    if seed % RARE_EVERY in RARE:
        return RARE[seed % RARE_EVERY](random.Random(f"rare {seed}"), seed)
    rng = random.Random(seed)
    family = FAMILIES[seed % len(FAMILIES)]
    start_s = START_S + rng.uniform(0.0, 20.0)
    faults = family(rng, start_s)
    for _ in range(rng.choice((0, 0, 0, 1, 2))):
        target = rng.choice(("holder", "newest", "other"))
        faults.append(fault_at(start_s + rng.uniform(-10.0, 200.0), rng.choice(EXTRA), target, _length(rng)))
    timings = draw_timings(rng)
    policy: FencePolicy = "proof" if rng.random() < 0.25 else "proof-or-lease"
    rates = tuple(1.0 + rng.uniform(-1.0, 1.0) * min(rate_error(timing) for timing in timings) for _ in range(4))
    if seed % LOSSY_EVERY == 0:
        faults.append(_lossy(random.Random(f"lost replies {seed}"), start_s))
    return Schedule(
        seed=seed,
        policy=policy,
        timings=timings,
        rates=rates,
        zones=("a", "b") if family is _late_swap else tuple(rng.choice("abc") for _ in range(5)),
        faults=tuple(sorted(faults, key=lambda fault: fault.at_s)),
    )


def _lossy(rng: random.Random, start_s: float) -> Fault:
    """From a source of its own: the seeds without it keep the schedules that they had before."""
    return fault_at(
        rng.choice((0.0, start_s - 25.0, start_s + rng.uniform(0.0, 100.0))), "lost_replies", "", _length(rng)
    )


def _anything(rng: random.Random, start_s: float) -> list[Fault]:
    """A hit, an arrival, perhaps silence."""
    faults = [fault_at(start_s, rng.choice(HITS), length_s=_length(rng))]
    faults.append(fault_at(start_s + rng.uniform(-10.0, 40.0), rng.choice(ARRIVALS)))
    if rng.random() < 0.5:
        kind = rng.choice(("silent_ec2", "silent_cloud"))
        faults.append(fault_at(start_s + rng.uniform(-5.0, 40.0), kind, "", rng.uniform(80.0, 300.0)))
    kind = rng.choice(("stuck", "denied", "nothing", "nothing"))
    faults.append(fault_at(start_s - 5.0, kind, length_s=rng.uniform(100.0, 300.0)))
    return faults


def _silent_newcomer(hit: str) -> Callable[[random.Random, float], list[Fault]]:
    """A holder is hit while a newcomer watches that nobody answers: only the lease can tell."""

    def family(rng: random.Random, start_s: float) -> list[Fault]:
        kind = rng.choice(("silent_ec2", "silent_cloud"))
        return [
            fault_at(start_s - 20.0, "launch_first"),
            fault_at(start_s - 1.0, kind, "", rng.uniform(150.0, 300.0)),
            fault_at(start_s, hit, length_s=rng.uniform(60.0, 260.0)),
            # Without the file system a sleeper cannot see its successor when it wakes.
            fault_at(start_s, rng.choice(("cut_files", "nothing")) if hit in PAUSES else "nothing", length_s=180.0),
        ]

    return family


def _race(rng: random.Random, start_s: float) -> list[Fault]:
    """Two newcomers see the lease become free in the same moment, and the file server fails over."""
    return [
        fault_at(start_s - 22.0, "launch_first"),
        fault_at(start_s - 20.0, "launch_first"),
        fault_at(start_s, rng.choice(("replace", "replace", "end")), length_s=1.0),
        fault_at(start_s, "split", "", 200.0),
    ]


def _unreadable(rng: random.Random, start_s: float) -> list[Fault]:
    """A newcomer meets a record that cannot be read, or a file server that is away for a while."""
    kind = rng.choice(("torn", "torn", "server_down"))
    return [
        fault_at(start_s, "launch_first"),
        fault_at(start_s + rng.uniform(0.0, 10.0), kind, "", rng.uniform(10.0, 60.0)),
        fault_at(start_s + 12.0, rng.choice(("silent_cloud", "silent_ec2", "nothing")), "", rng.uniform(60.0, 200.0)),
    ]


def _unwanted(rng: random.Random, start_s: float) -> list[Fault]:
    """A newcomer that the group is ending itself, beside a holder in trouble."""
    return [
        fault_at(start_s - 20.0, "launch_first"),
        fault_at(start_s, "replace", "other"),
        fault_at(start_s + rng.uniform(0.0, 12.0), rng.choice(("pause", "panic", "cut_files")), length_s=_length(rng)),
        fault_at(start_s + rng.uniform(10.0, 20.0), rng.choice(("unhealthy", "replace", "nothing"))),
    ]


def _unknown(rng: random.Random, start_s: float) -> list[Fault]:
    """EC2 does not know a healthy holder for a moment."""
    return [
        fault_at(start_s, "launch_first"),
        fault_at(start_s + rng.uniform(10.0, 25.0), "forgetful", "", 6.0),
        fault_at(start_s + rng.uniform(30.0, 60.0), "forgetful", "", 6.0),
    ]


def _late_swap(rng: random.Random, start_s: float) -> list[Fault]:
    """The record's change is under way for a long time while the holder changes, back to the zone of before."""
    heard_s = start_s + rng.uniform(110.0, 130.0)
    return [
        fault_at(start_s, "end"),
        fault_at(start_s + 1.0, "silent_changes", "", heard_s - start_s - 1.0),
        fault_at(heard_s - 40.0, "launch_first"),
        fault_at(heard_s - rng.uniform(4.0, 15.0), "replace"),
    ]


FAMILIES: tuple[Callable[[random.Random, float], list[Fault]], ...] = (
    _anything,
    _silent_newcomer("cut_files"),
    _silent_newcomer("slow_then_cut"),
    _silent_newcomer("pause"),
    _race,
    _silent_newcomer("freeze"),
    _anything,
    _silent_newcomer("kill_fence_and_cut"),
    _unreadable,
    _unwanted,
    _unknown,
    _late_swap,
)


def _length(rng: random.Random) -> float:
    return rng.choice((rng.uniform(2.0, 30.0), rng.uniform(30.0, 120.0), rng.uniform(90.0, 260.0)))
