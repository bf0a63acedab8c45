"""The timings of one run, drawn by chance up to the edge of what is allowed, and the clock rates that they bear.

For: lab.simulation.schedule. Guarantees: every timing drawn passes `bootstrap.base.timing.findings`.
Does not: say when anything goes wrong.
"""

import random

from bootstrap.base.timing import LeaseTiming


def rate_error(timing: LeaseTiming) -> float:
    """How far a guest's clock may run fast or slow (0.01 is one percent) and still be covered by `clock_margin_s`."""
    return min(0.01, (timing.clock_margin_s - 1.0) / (2.5 * timing.lease_duration_s))


def draw_timings(rng: random.Random) -> tuple[LeaseTiming, ...]:
    """Those of one run, for its instances in turn."""
    choice = rng.random()
    if choice < 0.35:
        return (LeaseTiming(),)
    if choice < 0.7:
        return (tight_timing(rng),)
    return (LeaseTiming(), tight_timing(rng))  # a roll-out changed them


def tight_timing(rng: random.Random) -> LeaseTiming:
    """Timings that the rules of `findings` just let pass."""
    retry_s, request_s = rng.uniform(1.0, 5.0), rng.choice((rng.uniform(1.0, 10.0), rng.uniform(10.0, 20.0)))
    deadline_s = 3 * retry_s + request_s + rng.uniform(0.0, 10.0)
    stop_s, kill_s = rng.uniform(1.0, 10.0), rng.uniform(1.0, 5.0)
    watchdog_s, margin_s = rng.uniform(1.5, 4.0), rng.uniform(1.6, 3.0)
    return LeaseTiming(
        retry_period_s=retry_s,
        request_timeout_s=request_s,
        renew_deadline_s=deadline_s,
        stop_timeout_s=stop_s,
        kill_timeout_s=kill_s,
        watchdog_timeout_s=watchdog_s,
        clock_margin_s=margin_s,
        lease_duration_s=deadline_s + stop_s + kill_s + watchdog_s + margin_s,
        surplus_deadline_s=rng.uniform(60.0, 300.0),
    )
