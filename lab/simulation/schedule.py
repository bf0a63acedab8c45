"""What happens in one run: policy, timings, clock rates and faults, drawn from a seed.

Guarantees: every timing drawn passes `bootstrap.base.timing.findings`; clock rates stay within what `clock_margin_s`
covers; all faults have ended by `quiet_s`, after which somebody must get through.
Does not: say who is hit; a target such as "holder" is looked up when the fault begins.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

from bootstrap.base.timing import FencePolicy, LeaseTiming
from lab.simulation.timings import draw_timings, rate_error, tight_timing

START_S = 30.0
LOSSY_EVERY = 5  # each fifth schedule loses replies for a while, besides what else happens
RARE_EVERY = 25  # schedules of that many seeds, of which each in RARE is one that chance would hardly find
PAUSES = ("pause", "freeze")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """`kind` names a method of lab.simulation.faults.Faults; `target` is holder, newest or other."""

    at_s: float
    kind: str
    target: str = "holder"
    length_s: float = 0.0

    def __str__(self) -> str:
        length = f" for {self.length_s:.1f} s" if self.length_s else ""
        return f"{self.at_s:.1f} s: {self.kind} {self.target}{length}"


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """One run. `timings`, `rates` and `zones` are taken in turn by the instances in the order of their launch."""

    seed: int
    policy: FencePolicy
    timings: tuple[LeaseTiming, ...]
    rates: tuple[float, ...]
    zones: tuple[str, ...]
    faults: tuple[Fault, ...]

    @property
    def quiet_s(self) -> float:
        return max((fault.at_s + fault.length_s for fault in self.faults), default=START_S) + 1.0

    def story(self) -> list[str]:
        """For people."""
        lines = [f"seed {self.seed}, fence: {self.policy}"]
        for index, timing in enumerate(dict.fromkeys(self.timings)):
            lines.append(
                f"timing {index}: retry {timing.retry_period_s:.1f}, request {timing.request_timeout_s:.1f}, deadline "
                f"{timing.renew_deadline_s:.1f}, stop {timing.stop_timeout_s:.1f}, kill {timing.kill_timeout_s:.1f}, "
                f"watchdog {timing.watchdog_timeout_s:.1f}, margin {timing.clock_margin_s:.1f}, lease "
                f"{timing.lease_duration_s:.1f}"
            )
        return lines + [str(fault) for fault in self.faults]


EXTRA = (
    "silent_ec2", "silent_group", "silent_route53", "forgetful", "torn", "split", "server_down", "kill_agent",
    "stop_agent", "kill_fence", "reboot", "cut_files", "cut_api", "slow_files", "launch_beside", "replace", "end",
    "pause", "panic", "denied", "pause_at_word",
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
        faults.append(_fault(start_s + rng.uniform(-10.0, 200.0), rng.choice(EXTRA), target, _length(rng)))
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


def _slow_holder(rng: random.Random, seed: int) -> Schedule:
    """The holder's clock is slow, the newcomer's fast; perhaps the fence dies just before it would have reset."""
    timing = tight_timing(rng)
    margin_s = rng.uniform(3.0, 10.0)
    timing = replace(
        timing, clock_margin_s=margin_s, lease_duration_s=timing.lease_duration_s - timing.clock_margin_s + margin_s
    )
    error = 0.99 * margin_s / (2 * timing.lease_duration_s)
    start_s = START_S + rng.uniform(0.0, 20.0)
    reset_s = start_s + (timing.ladder_s - rng.uniform(0.0, timing.retry_period_s)) / (1.0 - error)
    return Schedule(
        seed=seed,
        policy="proof-or-lease",
        timings=(timing,),
        rates=(1.0 - error, 1.0 + error),
        zones=("a", "b"),
        faults=(
            _fault(start_s - 20.0, "launch_first"),
            _fault(start_s - 1.0, "silent_ec2", "", 300.0),
            _fault(start_s, "cut_files", length_s=250.0),
            _fault(reset_s, rng.choice(("kill_fence", "kill_fence", "nothing"))),
        ),
    )


def _lossy(rng: random.Random, start_s: float) -> Fault:
    """From a source of its own: the seeds without it keep the schedules that they had before."""
    return _fault(
        rng.choice((0.0, start_s - 25.0, start_s + rng.uniform(0.0, 100.0))), "lost_replies", "", _length(rng)
    )


def _fault(at_s: float, kind: str, target: str = "holder", length_s: float = 0.0) -> Fault:
    return Fault(at_s=at_s, kind=kind, target=target, length_s=length_s)


def _anything(rng: random.Random, start_s: float) -> list[Fault]:
    """A hit, an arrival, perhaps silence."""
    faults = [_fault(start_s, rng.choice(HITS), length_s=_length(rng))]
    faults.append(_fault(start_s + rng.uniform(-10.0, 40.0), rng.choice(ARRIVALS)))
    if rng.random() < 0.5:
        kind = rng.choice(("silent_ec2", "silent_cloud"))
        faults.append(_fault(start_s + rng.uniform(-5.0, 40.0), kind, "", rng.uniform(80.0, 300.0)))
    kind = rng.choice(("stuck", "denied", "nothing", "nothing"))
    faults.append(_fault(start_s - 5.0, kind, length_s=rng.uniform(100.0, 300.0)))
    return faults


def _silent_newcomer(hit: str) -> Callable[[random.Random, float], list[Fault]]:
    """A holder is hit while a newcomer watches that nobody answers: only the lease can tell."""

    def family(rng: random.Random, start_s: float) -> list[Fault]:
        kind = rng.choice(("silent_ec2", "silent_cloud"))
        return [
            _fault(start_s - 20.0, "launch_first"),
            _fault(start_s - 1.0, kind, "", rng.uniform(150.0, 300.0)),
            _fault(start_s, hit, length_s=rng.uniform(60.0, 260.0)),
            # Without the file system a sleeper cannot see its successor when it wakes.
            _fault(start_s, rng.choice(("cut_files", "nothing")) if hit in PAUSES else "nothing", length_s=180.0),
        ]

    return family


def _race(rng: random.Random, start_s: float) -> list[Fault]:
    """Two newcomers see the lease become free in the same moment, and the file server fails over."""
    return [
        _fault(start_s - 22.0, "launch_first"),
        _fault(start_s - 20.0, "launch_first"),
        _fault(start_s, rng.choice(("replace", "replace", "end")), length_s=1.0),
        _fault(start_s, "split", "", 200.0),
    ]


def _unreadable(rng: random.Random, start_s: float) -> list[Fault]:
    """A newcomer meets a record that cannot be read, or a file server that is away for a while."""
    kind = rng.choice(("torn", "torn", "server_down"))
    return [
        _fault(start_s, "launch_first"),
        _fault(start_s + rng.uniform(0.0, 10.0), kind, "", rng.uniform(10.0, 60.0)),
        _fault(start_s + 12.0, rng.choice(("silent_cloud", "silent_ec2", "nothing")), "", rng.uniform(60.0, 200.0)),
    ]


def _unwanted(rng: random.Random, start_s: float) -> list[Fault]:
    """A newcomer that the group is ending itself, beside a holder in trouble."""
    return [
        _fault(start_s - 20.0, "launch_first"),
        _fault(start_s, "replace", "other"),
        _fault(start_s + rng.uniform(0.0, 12.0), rng.choice(("pause", "panic", "cut_files")), length_s=_length(rng)),
        _fault(start_s + rng.uniform(10.0, 20.0), rng.choice(("unhealthy", "replace", "nothing"))),
    ]


def _unknown(rng: random.Random, start_s: float) -> list[Fault]:
    """EC2 does not know a healthy holder for a moment."""
    return [
        _fault(start_s, "launch_first"),
        _fault(start_s + rng.uniform(10.0, 25.0), "forgetful", "", 6.0),
        _fault(start_s + rng.uniform(30.0, 60.0), "forgetful", "", 6.0),
    ]


def _late_swap(rng: random.Random, start_s: float) -> list[Fault]:
    """The record's change is under way for a long time while the holder changes, back to the zone of before."""
    heard_s = start_s + rng.uniform(110.0, 130.0)
    return [
        _fault(start_s, "end"),
        _fault(start_s + 1.0, "silent_changes", "", heard_s - start_s - 1.0),
        _fault(heard_s - 40.0, "launch_first"),
        _fault(heard_s - rng.uniform(4.0, 15.0), "replace"),
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


def _stale_agent(rng: random.Random, seed: int) -> Schedule:
    """A holder sleeps with its clock until another one holds; its agent is killed as it wakes."""
    start_s, asleep_s = START_S + rng.uniform(0.0, 20.0), rng.uniform(130.0, 160.0)
    return _by_default(
        seed,
        ("a", "b"),
        _fault(start_s - 20.0, "launch_first"),
        _fault(start_s - 1.0, "silent_ec2", "", 200.0),
        _fault(start_s, "freeze", length_s=asleep_s),
        _fault(start_s + asleep_s + rng.uniform(0.0, 2.0), "kill_agent", "other"),
    )


def _stale_attach(rng: random.Random, seed: int) -> Schedule:
    """A holder sleeps with its clock while it waits for its network interface; that becomes free, another one holds."""
    start_s = START_S + rng.uniform(0.0, 10.0)
    return _by_default(
        seed,
        ("a", "a", "b"),
        _fault(start_s, "cut_files", length_s=250.0),
        _fault(start_s, "stuck", length_s=250.0),
        _fault(start_s + 1.0, "end"),
        _fault(start_s + 150.0, "launch_first"),
        _fault(start_s + 180.0, "freeze", length_s=rng.uniform(180.0, 220.0)),
        _fault(start_s + 182.0, "silent_ec2", "", rng.uniform(88.0, 96.0)),
    )


def _by_default(seed: int, zones: tuple[str, ...], *faults: Fault) -> Schedule:
    return Schedule(
        seed=seed, policy="proof-or-lease", timings=(LeaseTiming(),), rates=(1.0,), zones=zones, faults=faults
    )


def _twice_unknown(rng: random.Random, seed: int) -> Schedule:
    """EC2 forgets a holder that cannot renew for a while, twice for moments, and nobody asks in between."""
    start_s = START_S + rng.uniform(0.0, 10.0)
    first_s, between_s = start_s + rng.uniform(6.0, 10.0), rng.uniform(7.0, 12.0)
    return replace(
        _by_default(
            seed,
            ("a", "b"),
            _fault(start_s - 20.0, "launch_first"),
            _fault(start_s, "cut_files", length_s=rng.uniform(36.0, 44.0)),
            _fault(first_s, "forgetful", "", rng.choice((6.0, rng.uniform(12.0, 25.0)))),
            _fault(first_s + rng.uniform(2.0, 5.0), "cut_files", "newest", between_s),
            _fault(first_s + 6.0 + rng.uniform(2.0, 8.0), "forgetful", "", 6.0),
        ),
        policy=rng.choice(("proof", "proof-or-lease")),
    )


def _paused_marksman(rng: random.Random, seed: int) -> Schedule:
    """A newcomer is paused just when the sleeping holder's lease has run out; both wake up later."""
    start_s, asleep_s = START_S + rng.uniform(0.0, 10.0), rng.uniform(88.0, 94.0)
    return _by_default(
        seed,
        ("a", "b"),
        _fault(start_s - 20.0, "launch_first"),
        _fault(start_s, "freeze", length_s=asleep_s),
        _fault(start_s + 82.0, "slow_files", "newest", 20.0),
        _fault(start_s + asleep_s - rng.uniform(0.0, 3.0), "pause", "newest", rng.uniform(15.0, 40.0)),
    )


RARE: dict[int, Callable[[random.Random, int], Schedule]] = {
    20: _paused_marksman,
    21: _twice_unknown,
    22: _stale_attach,
    23: _stale_agent,
    24: _slow_holder,
}


def _length(rng: random.Random) -> float:
    return rng.choice((rng.uniform(2.0, 30.0), rng.uniform(30.0, 120.0), rng.uniform(90.0, 260.0)))
