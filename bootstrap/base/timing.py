"""The timings of the lease, their defaults, and which combinations cannot be safe.

For: the service file (checked when it is loaded), the boot document, and the instance (checked again before anything
is claimed), which all ask `findings` here. Guarantees: pure arithmetic in seconds; nothing is adjusted silently.
Does not: measure. The defaults are reasoned (docs/failure-modes.md has them on a time line), long enough to ride out
a stall of the file system at a mount target's failover, because proof of death carries the usual takeover.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Literal

FencePolicy = Literal["proof", "proof-or-lease"]
# proof: never without proof of death; as long as EC2 cannot say that the holder is terminated, nobody serves.
# proof-or-lease: where no proof is to be had, the holder's lease has to run out first; a guest that was paused together
# with its clock is then not excluded, and may write for as long as docs/failure-modes.md says.
DEFAULT_POLICY: FencePolicy = "proof-or-lease"
RENEWALS_WITHIN_DEADLINE = 3  # tries that must fit before the deadline, the last one with its whole time-out


@dataclass(frozen=True, kw_only=True)
class LeaseTiming:
    """All in seconds, on the monotonic clock of whoever waits. The first eight are a ladder: see `findings`."""

    retry_period_s: float = 5.0  # from one renewal to the next
    request_timeout_s: float = 10.0  # one renewal is given up after this; it may still land later
    renew_deadline_s: float = 45.0  # from before the last confirmed renewal was sent: then the service is stopped
    stop_timeout_s: float = 10.0  # TERM to KILL
    kill_timeout_s: float = 5.0  # KILL to reset of the machine
    watchdog_timeout_s: float = 10.0  # the device's own: resets when the fence process itself is dead
    clock_margin_s: float = 10.0  # clock rate error, scheduling, timer granularity, of both sides together
    lease_duration_s: float = 90.0  # a newcomer without proof may claim after this long without any change
    settle_s: float = 1.0  # from the publication to the second look
    gone_confirm_s: float = 10.0  # EC2 says "no such instance" for this long (its answers are eventually consistent)
    silence_s: float = 30.0  # no answer for this long is "no answer", less is a hiccup
    terminate_deadline_s: float = 60.0  # from the first request to terminate to the first one with Force
    force_deadline_s: float = 120.0  # from the first request to terminate: after this no proof is expected any more
    drain_deadline_s: float = 150.0  # patience with a holder that is leaving and still renews: it stops gracefully
    surplus_deadline_s: float = 300.0  # a newcomer beside a healthy holder ends itself after this
    takeover_deadline_s: float = 300.0  # a newcomer that may take over and does not get there ends itself after this

    @property
    def ladder_s(self) -> float:
        """From the send of the last confirmed renewal to the moment the fence process resets the machine."""
        return self.renew_deadline_s + self.stop_timeout_s + self.kill_timeout_s

    @property
    def longest_wait_s(self) -> float:
        """The most time a boot may spend before it holds the lease or ends itself."""
        return max(self.drain_deadline_s + self.takeover_deadline_s, self.surplus_deadline_s) + self.settle_s


@dataclass(frozen=True, kw_only=True)
class TimingFinding:
    """One impossible timing: field name, its value in seconds, what is wrong, what to do."""

    name: str
    value_s: float
    problem: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.name} (is {self.value_s:g}): {self.problem}. {self.remedy}."


def findings(timing: LeaseTiming) -> list[TimingFinding]:
    """Every reason why `timing` cannot keep two writers apart or cannot work; empty when it can."""
    wrong = [
        TimingFinding(name=name, value_s=value_s, problem="not longer than nothing", remedy="Give it more than 0 s")
        for name, value_s in asdict(timing).items()
        if not value_s > 0.0
    ]
    return wrong or [*_ladder(timing), *_takeover(timing)]


def _ladder(timing: LeaseTiming) -> Iterator[TimingFinding]:
    need_s = RENEWALS_WITHIN_DEADLINE * timing.retry_period_s + timing.request_timeout_s
    if need_s > timing.renew_deadline_s:
        yield TimingFinding(
            name="renew_deadline_s",
            value_s=timing.renew_deadline_s,
            problem=f"shorter than {RENEWALS_WITHIN_DEADLINE} retry_period_s and a request_timeout_s, {need_s:g} s, "
            "so one slow answer of the file system would stop a healthy service",
            remedy=f"Raise it to at least {need_s:g}, or shorten retry_period_s or request_timeout_s",
        )
    need_s = timing.ladder_s + timing.watchdog_timeout_s + timing.clock_margin_s
    if need_s > timing.lease_duration_s:
        yield TimingFinding(
            name="lease_duration_s",
            value_s=timing.lease_duration_s,
            problem="shorter than renew_deadline_s, stop_timeout_s, kill_timeout_s, watchdog_timeout_s and "
            f"clock_margin_s together, {need_s:g} s, so a newcomer could start before this holder has stopped",
            remedy=f"Raise it to at least {need_s:g}, or shorten the parts",
        )


def _takeover(timing: LeaseTiming) -> Iterator[TimingFinding]:
    if timing.terminate_deadline_s >= timing.force_deadline_s:
        yield TimingFinding(
            name="force_deadline_s",
            value_s=timing.force_deadline_s,
            problem=f"not after terminate_deadline_s, {timing.terminate_deadline_s:g} s, so Force would have no time",
            remedy=f"Raise it above {timing.terminate_deadline_s:g}, or lower terminate_deadline_s",
        )
    need_s = max(timing.force_deadline_s, timing.lease_duration_s) + timing.silence_s + timing.request_timeout_s
    if need_s > timing.takeover_deadline_s:
        yield TimingFinding(
            name="takeover_deadline_s",
            value_s=timing.takeover_deadline_s,
            problem="shorter than the longer of force_deadline_s and lease_duration_s, with silence_s and "
            f"request_timeout_s, {need_s:g} s, so every newcomer would end itself just before it may claim",
            remedy=f"Raise it to at least {need_s:g}, or shorten the parts",
        )
