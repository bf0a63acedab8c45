"""Schedules that chance would hardly find: each aims at one moment.

For: lab.simulation.drawing. Does not: decide how often each is drawn.
"""

import random
from collections.abc import Callable
from dataclasses import replace

from bootstrap.base.timing import FencePolicy, LeaseTiming
from lab.simulation.schedule import START_S, Fault, Schedule, fault_at
from lab.simulation.timings import tight_timing


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
            fault_at(start_s - 20.0, "launch_first"),
            fault_at(start_s - 1.0, "silent_ec2", "", 300.0),
            fault_at(start_s, "cut_files", length_s=250.0),
            fault_at(reset_s, rng.choice(("kill_fence", "kill_fence", "nothing"))),
        ),
    )


def _stale_agent(rng: random.Random, seed: int) -> Schedule:
    """A holder sleeps with its clock until another one holds; its agent is killed as it wakes."""
    start_s, asleep_s = START_S + rng.uniform(0.0, 20.0), rng.uniform(130.0, 160.0)
    return _by_default(
        seed,
        ("a", "b"),
        fault_at(start_s - 20.0, "launch_first"),
        fault_at(start_s - 1.0, "silent_ec2", "", 200.0),
        fault_at(start_s, "freeze", length_s=asleep_s),
        fault_at(start_s + asleep_s + rng.uniform(0.0, 2.0), "kill_agent", "other"),
    )


def _stale_attach(rng: random.Random, seed: int) -> Schedule:
    """A holder sleeps with its clock while it waits for its network interface; that becomes free, another one holds."""
    start_s = START_S + rng.uniform(0.0, 10.0)
    return _by_default(
        seed,
        ("a", "a", "b"),
        fault_at(start_s, "cut_files", length_s=250.0),
        fault_at(start_s, "stuck", length_s=250.0),
        fault_at(start_s + 1.0, "end"),
        fault_at(start_s + 150.0, "launch_first"),
        fault_at(start_s + 180.0, "freeze", length_s=rng.uniform(180.0, 220.0)),
        fault_at(start_s + 182.0, "silent_ec2", "", rng.uniform(88.0, 96.0)),
    )


def _write_sent_again(rng: random.Random, seed: int) -> Schedule:
    """A renewal is sent once more, just when a newcomer looks again that last saw the directory with that renewal."""
    start_s, timing = START_S + rng.uniform(0.0, 10.0), LeaseTiming(retry_period_s=11.0)
    cut_s = timing.retry_period_s + rng.uniform(0.5, 1.0)
    blind_s = timing.lease_duration_s + rng.uniform(0.0, 5.0)
    plain = _by_default(
        seed,
        ("a", "b"),
        fault_at(start_s - 20.0, "launch_first"),
        fault_at(start_s - 5.0, "silent_ec2", "", 200.0),
        fault_at(start_s, "sent_again", length_s=cut_s + blind_s - rng.uniform(0.0, 0.5)),
        fault_at(start_s + cut_s, "cut_files", "newest", blind_s),
    )
    return replace(plain, timings=(timing,))


def _fence_dies_early(rng: random.Random, seed: int) -> Schedule:
    """The fence process ends about when the first lease is published."""
    return _by_default(
        seed,
        ("a", "b"),
        fault_at(rng.uniform(5.0, 17.0), "kill_fence"),
        fault_at(START_S, "launch_first"),
        fault_at(START_S + 20.0, rng.choice(("end", "replace"))),
    )


def _by_default(seed: int, zones: tuple[str, ...], *faults: Fault) -> Schedule:
    return Schedule(
        seed=seed, policy="proof-or-lease", timings=(LeaseTiming(),), rates=(1.0,), zones=zones, faults=faults
    )


def _forgotten(rng: random.Random, seed: int) -> Schedule:
    """EC2 forgets a holder that cannot renew for a while: once for long, or twice, and nobody asks in between."""
    start_s = START_S + rng.uniform(0.0, 10.0)
    first_s = start_s + rng.uniform(6.0, 10.0)
    faults = [
        fault_at(start_s - 20.0, "launch_first"),
        fault_at(start_s, "cut_files", length_s=rng.uniform(36.0, 44.0)),
    ]
    if rng.random() < 0.5:
        faults.append(fault_at(first_s, "forgetful", "", rng.uniform(15.0, 25.0)))
    else:
        faults += [
            fault_at(first_s, "forgetful", "", 6.0),
            fault_at(first_s + rng.uniform(2.0, 5.0), "cut_files", "newest", rng.uniform(7.0, 12.0)),
            fault_at(first_s + 6.0 + rng.uniform(2.0, 8.0), "forgetful", "", 6.0),
        ]
    policy: FencePolicy = "proof" if rng.random() < 0.5 else "proof-or-lease"
    return replace(_by_default(seed, ("a", "b"), *faults), policy=policy)


def _paused_marksman(rng: random.Random, seed: int) -> Schedule:
    """A newcomer is paused just when the sleeping holder's lease has run out; both wake up later."""
    start_s, asleep_s = START_S + rng.uniform(0.0, 10.0), rng.uniform(88.0, 94.0)
    return _by_default(
        seed,
        ("a", "b"),
        fault_at(start_s - 20.0, "launch_first"),
        fault_at(start_s, "freeze", length_s=asleep_s),
        fault_at(start_s + 82.0, "slow_files", "newest", 20.0),
        fault_at(start_s + asleep_s - rng.uniform(0.0, 3.0), "pause", "newest", rng.uniform(15.0, 40.0)),
    )


def _restored(rng: random.Random, seed: int) -> Schedule:
    """Somebody empties the lease directory, or puts back an old copy, beside a holder that does not notice at once."""
    start_s = START_S + rng.uniform(0.0, 10.0)
    faults = [fault_at(start_s, rng.choice(("end", "replace", "unhealthy", "nothing")))]
    start_s += rng.choice((60.0, 90.0))
    hit = rng.choice(("nothing", "pause", "freeze", "cut_files", "cut_both", "slow_then_cut", "panic"))
    faults += [
        fault_at(start_s - 20.0, rng.choice(("launch_first", "launch_beside"))),
        fault_at(start_s - rng.uniform(0.0, 6.0), hit, length_s=rng.uniform(20.0, 200.0)),
        fault_at(start_s, "restored"),
        fault_at(start_s - 1.0, rng.choice(("silent_ec2", "silent_cloud", "nothing")), "", rng.uniform(60.0, 200.0)),
        fault_at(start_s + rng.uniform(0.0, 3.0), rng.choice(("launch_first", "nothing"))),
        fault_at(
            start_s + rng.uniform(0.5, 6.0), rng.choice(("pause", "kill_agent", "end", "nothing")), "newest", 60.0
        ),
        fault_at(start_s + rng.uniform(0.0, 150.0), rng.choice(("restored", "nothing"))),
    ]
    policy: FencePolicy = "proof" if rng.random() < 0.25 else "proof-or-lease"
    return replace(_by_default(seed, ("a", "b", "c"), *sorted(faults, key=lambda fault: fault.at_s)), policy=policy)


RARE: dict[int, Callable[[random.Random, int], Schedule]] = {
    17: _restored,
    18: _fence_dies_early,
    19: _write_sent_again,
    20: _paused_marksman,
    21: _forgotten,
    22: _stale_attach,
    23: _stale_agent,
    24: _slow_holder,
}
