"""How the one writer is kept the only one: the policy, and the timings of lease and fence.

For: services.spec. Guarantees: the fields and their defaults are those of bootstrap.base.timing, which the instance
checks once more. Does not: judge how they fit together (services.timing asks bootstrap.base.timing).
"""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from bootstrap.base.timing import DEFAULT_POLICY, FencePolicy, LeaseTiming
from services.fields import Part, Seconds

_DEFAULT = LeaseTiming()


class Lease(Part):
    """The lease on the file system. Without a reason leave all of it out."""

    fence: Annotated[
        FencePolicy,
        Field(
            description=(
                "When a new instance may take the lease of one that has not released it. proof: only when EC2 says "
                "that the other one is terminated; while EC2 does not say so, nobody serves. proof-or-lease: also, "
                "where EC2 gives no answer or cannot end the other one, after the other one's lease has run out "
                "unrenewed; the service comes back without that word, and what is not excluded is an instance that "
                "was paused together with its clock: it may still write for a while after it wakes"
            )
        ),
    ] = DEFAULT_POLICY
    retry_period_s: Annotated[Seconds, Field(description="From one renewal to the next")] = _DEFAULT.retry_period_s
    request_timeout_s: Annotated[Seconds, Field(description="After this a request to the file system is given up")] = (
        _DEFAULT.request_timeout_s
    )
    renew_deadline_s: Annotated[
        Seconds,
        Field(description="Without a renewal for this long the service is stopped; longer than a stall"),
    ] = _DEFAULT.renew_deadline_s
    stop_timeout_s: Annotated[
        Seconds, Field(description="How long the service may take to stop then, before it is killed")
    ] = _DEFAULT.stop_timeout_s
    kill_timeout_s: Annotated[
        Seconds, Field(description="After this the machine is reset if anything is left of the service or its mounts")
    ] = _DEFAULT.kill_timeout_s
    watchdog_timeout_s: Annotated[
        Seconds, Field(description="Time-out of the watchdog device, which resets when the fence itself is dead")
    ] = _DEFAULT.watchdog_timeout_s
    clock_margin_s: Annotated[
        Seconds, Field(description="Reserve for clocks that run at different rates and for scheduling")
    ] = _DEFAULT.clock_margin_s
    lease_duration_s: Annotated[
        Seconds,
        Field(description="Unchanged for this long a record is free, where policy and silence of EC2 allow it"),
    ] = _DEFAULT.lease_duration_s
    settle_s: Annotated[Seconds, Field(description="From taking the lease to the second look")] = _DEFAULT.settle_s
    gone_confirm_s: Annotated[
        Seconds, Field(description="For this long EC2 must say 'no such instance' before it is believed")
    ] = _DEFAULT.gone_confirm_s
    silence_s: Annotated[
        Seconds, Field(description="No answer of EC2 for this long is no answer, less is a hiccup")
    ] = _DEFAULT.silence_s
    terminate_deadline_s: Annotated[
        Seconds, Field(description="From the request to terminate the other instance to the first one with Force")
    ] = _DEFAULT.terminate_deadline_s
    force_deadline_s: Annotated[
        Seconds, Field(description="After this no proof of the other instance's end is expected any more")
    ] = _DEFAULT.force_deadline_s
    drain_deadline_s: Annotated[
        Seconds, Field(description="Patience with an instance that is leaving and stops its service gracefully")
    ] = _DEFAULT.drain_deadline_s
    surplus_deadline_s: Annotated[
        Seconds, Field(description="A new instance beside a healthy one ends itself after this")
    ] = _DEFAULT.surplus_deadline_s
    takeover_deadline_s: Annotated[
        Seconds, Field(description="A new instance that cannot take the lease ends itself after this")
    ] = _DEFAULT.takeover_deadline_s

    def timing(self) -> LeaseTiming:
        """The timings alone."""
        return LeaseTiming(**self.model_dump(exclude={"fence"}))
