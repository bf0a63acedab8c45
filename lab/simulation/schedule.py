"""What happens in one run: policy, timings, clock rates and faults, drawn from a seed.

Guarantees: every timing drawn passes `bootstrap.lease_timing.findings`; clock rates stay within what `clock_margin_s`
covers; all faults have ended by `quiet_s`, after which somebody must get through.
Does not: say who is hit; a target such as "holder" is looked up when the fault begins.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

from bootstrap.lease_timing import FencePolicy, LeaseTiming

START_S = 30.0
PAUSES = ("pause", "freeze")
UNTIL_PUBLICATION_S = 400.0


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
    """One run. `timings` and `rates` are taken in turn by the instances in the order of their launch."""

    seed: int
    policy: FencePolicy
    timings: tuple[LeaseTiming, ...]
    rates: tuple[float, ...]
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


# What hits the holder first, what brings a newcomer, what else goes wrong; weights by how much they have to tell.
MAIN = ("cut_files",) * 5 + ("pause",) * 4 + ("freeze",) * 3 + (
    "cut_both", "slow_then_cut", "slow_then_cut", "panic", "end", "kill_fence_and_cut", "kill_fence_and_cut",
    "kill_agent", "stop_agent", "reboot", "zone_loss", "nothing", "nothing", "late_record",
)  # fmt: skip
TRIGGER = ("replace", "replace", "launch_first", "unhealthy", "launch_beside", "launch_beside", "nothing")
EXTRA = (
    "silent_ec2", "silent_group", "silent_route53", "forgetful", "torn", "split", "server_down", "kill_agent",
    "stop_agent", "kill_fence", "reboot", "cut_files", "cut_api", "slow_files", "launch_beside", "replace", "end",
    "pause", "panic",
)  # fmt: skip


def draw(seed: int) -> Schedule:
    """The schedule of `seed`."""
    rng = random.Random(seed)
    timings = _timings(rng)
    start_s = START_S + rng.uniform(0.0, 20.0)
    faults = [Fault(at_s=start_s, kind=rng.choice(MAIN), target="holder", length_s=_length(rng))]
    trigger_s = start_s + rng.uniform(-10.0, 40.0)
    faults.append(Fault(at_s=trigger_s, kind=rng.choice(TRIGGER), target="holder"))
    if rng.random() < 0.55:
        silent_s = rng.uniform(80.0, 300.0)
        kind = rng.choice(("silent_ec2", "silent_cloud"))
        faults.append(Fault(at_s=trigger_s + rng.uniform(1.0, 12.0), kind=kind, target="", length_s=silent_s))
    if rng.random() < 0.25:
        faults.append(Fault(at_s=start_s - 5.0, kind="stuck", target="holder", length_s=rng.uniform(100.0, 300.0)))
    for _ in range(rng.choice((0, 0, 1, 1, 2, 3))):
        faults.append(
            Fault(
                at_s=start_s + rng.uniform(-10.0, 200.0),
                kind=rng.choice(EXTRA),
                target=rng.choice(("holder", "newest", "other")),
                length_s=_length(rng),
            )
        )
    policy: FencePolicy = "proof" if rng.random() < 0.3 else "proof-or-lease"
    rates = tuple(1.0 + rng.uniform(-1.0, 1.0) * min(_rate_error(timing) for timing in timings) for _ in range(4))
    return Schedule(
        seed=seed,
        policy=policy,
        timings=timings,
        rates=rates,
        faults=tuple(sorted(faults, key=lambda fault: fault.at_s)),
    )


def _length(rng: random.Random) -> float:
    return rng.choice((rng.uniform(2.0, 30.0), rng.uniform(30.0, 120.0), rng.uniform(90.0, 260.0)))


def _rate_error(timing: LeaseTiming) -> float:
    return min(0.01, (timing.clock_margin_s - 1.0) / (2.5 * timing.lease_duration_s))


def _timings(rng: random.Random) -> tuple[LeaseTiming, ...]:
    choice = rng.random()
    if choice < 0.4:
        return (LeaseTiming(),)
    if choice < 0.75:
        return (_tight(rng),)
    return (_tight(rng), _tight(rng), LeaseTiming())


def _tight(rng: random.Random) -> LeaseTiming:
    """Timings that the rules of `findings` just let pass."""
    retry_s, request_s = rng.uniform(1.0, 5.0), rng.uniform(1.0, 10.0)
    deadline_s = 3 * retry_s + request_s + rng.uniform(0.0, 10.0)
    stop_s, kill_s = rng.uniform(1.0, 10.0), rng.uniform(1.0, 5.0)
    watchdog_s, margin_s = rng.uniform(2.0, 6.0), rng.uniform(1.6, 4.0)
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
