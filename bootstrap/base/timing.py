"""The timings of the lease, their defaults, and which combinations cannot be safe.

For: the service file (checked when it is loaded), the boot document, and the instance (checked again before anything
is claimed), which all ask `findings` here. Guarantees: pure arithmetic in seconds; nothing is adjusted silently.
Does not: measure. docs/failure-modes.md shows the defaults on a time line. They outlast a stall of the file system,
as at a mount target's failover. They may be that long because the usual takeover rests on proof and does not wait.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Annotated, Literal

from bootstrap.base.values import Limits, Seconds

FencePolicy = Literal["proof", "proof-or-lease"]
POLICY_SAYS = (
    "When a newcomer may take the lease of a holder that has not released it. proof: only when EC2 says that the "
    "holder is terminated; as long as EC2 does not say so, nobody serves. proof-or-lease: also when EC2 gives no "
    "answer or cannot terminate the holder, once the holder's lease has run out unrenewed. The service then comes back "
    "without proof, and one case is not excluded: a machine that was paused together with its clock may still write "
    "for a while after it wakes (docs/failure-modes.md says for how long)"
)
DEFAULT_POLICY: FencePolicy = "proof-or-lease"
RENEWALS_WITHIN_DEADLINE = 3  # tries that must fit before the deadline, the last one with its whole time-out


@dataclass(frozen=True, kw_only=True)
class LeaseTiming:
    """All in seconds, on the monotonic clock of the process that waits. The first eight are a ladder: see `findings`.

    The service file takes fields, defaults and descriptions from here (services.lease)."""

    retry_period_s: Annotated[Seconds, Limits(says="From one renewal to the next")] = 5.0
    request_timeout_s: Annotated[
        Seconds, Limits(says="A request to the file system is given up after this; a renewal may still land later")
    ] = 10.0
    renew_deadline_s: Annotated[
        Seconds,
        Limits(
            says="The service is stopped this long after the last confirmed renewal was sent; longer than a stall of "
            "the file system"
        ),
    ] = 45.0
    stop_timeout_s: Annotated[
        Seconds, Limits(says="How long the service may take to stop then (SIGTERM), before it is killed (SIGKILL)")
    ] = 10.0
    kill_timeout_s: Annotated[
        Seconds,
        Limits(says="This long after SIGKILL the machine is reset if anything of the service or its mounts is left"),
    ] = 5.0
    watchdog_timeout_s: Annotated[
        Seconds, Limits(says="Time-out of the watchdog device, which resets the machine when the fence process is dead")
    ] = 10.0
    clock_margin_s: Annotated[
        Seconds,
        Limits(says="Reserve of both sides together for clocks that run at different rates, scheduling and timers"),
    ] = 10.0
    lease_duration_s: Annotated[
        Seconds,
        Limits(
            says="A newcomer without proof may claim after it has seen no change of the lease record for this long, "
            "where the policy allows it and EC2 gives no answer"
        ),
    ] = 90.0
    settle_s: Annotated[Seconds, Limits(says="From the publication of a generation to the second look")] = 1.0
    gone_confirm_s: Annotated[
        Seconds,
        Limits(says="EC2 must say 'no such instance' for this long; its answers are eventually consistent"),
    ] = 10.0
    silence_s: Annotated[
        Seconds, Limits(says="EC2 gives no answer when it has been silent for this long; less is a hiccup")
    ] = 30.0
    terminate_deadline_s: Annotated[
        Seconds, Limits(says="From the first request to terminate the holder to the first one with Force")
    ] = 60.0
    force_deadline_s: Annotated[
        Seconds,
        Limits(says="This long after the first request to terminate, no proof of its end is expected any more"),
    ] = 120.0
    drain_deadline_s: Annotated[
        Seconds, Limits(says="Patience with a holder that leaves, still renews and stops its service gracefully")
    ] = 150.0
    surplus_deadline_s: Annotated[Seconds, Limits(says="A newcomer beside a healthy holder ends itself after this")] = (
        300.0
    )
    takeover_deadline_s: Annotated[
        Seconds, Limits(says="A newcomer that may take over and does not get there ends itself after this")
    ] = 300.0

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
        TimingFinding(name=name, value_s=value_s, problem="not longer than 0 s", remedy="Give it more than 0 s")
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
            f"request_timeout_s, {need_s:g} s, so every newcomer would end itself just before it may take the lease",
            remedy=f"Raise it to at least {need_s:g}, or shorten the parts",
        )
