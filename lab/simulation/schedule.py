"""What happens in one run: policy, timings, clock rates and faults.

Guarantees: all faults have ended by `quiet_s`, after which somebody must get through. Does not: say who is hit; a
target such as "holder" is looked up when the fault begins.
"""

from dataclasses import dataclass

from bootstrap.base.timing import FencePolicy, LeaseTiming

START_S = 30.0


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


def fault_at(at_s: float, kind: str, target: str = "holder", length_s: float = 0.0) -> Fault:
    return Fault(at_s=at_s, kind=kind, target=target, length_s=length_s)
