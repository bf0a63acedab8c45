"""Rules of the holder broken on purpose: renewal, fence, permission, the way to the data, ordered stop.

For: lab.simulation.defects. Each says which rule it breaks, what is replaced in bootstrap.lease and bootstrap.fence,
and in which words it may turn up.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bootstrap.claims.connection import route53
from bootstrap.fence import guard
from bootstrap.fence.guard import Guard
from bootstrap.lease import entering, keeper, release
from bootstrap.lease.entering import Entering
from bootstrap.lease.keeper import LeaseKeeper
from bootstrap.lease.rules.last_writer import Descent
from bootstrap.lease.rules.observation import Seen
from lab.simulation.planting import TWO_WRITERS, Places, defect

Call = Callable[..., Any]


@defect("the deadline counts from before the send")
def deadline_from_reply() -> Places:
    def after(real: Call) -> Call:
        return lambda hold, seen, *, sent_s, now_s, timing: real(hold, seen, sent_s=now_s, now_s=now_s, timing=timing)

    return [(keeper, "after_renewal", after)]


@defect("a renewal confirmed after its predecessor's deadline is discarded", "was rescued")
def late_renewal_rescues() -> Places:
    def before(real: Call) -> Call:
        return lambda hold, seen, *, now_s: real(hold, seen, now_s=min(now_s, hold.deadline_s - 1e-6))

    def after(real: Call) -> Call:
        return lambda hold, seen, *, sent_s, now_s, timing: real(
            hold, seen, sent_s=sent_s, now_s=min(now_s, hold.deadline_s - 1e-6), timing=timing
        )

    def hold_until(real: Call) -> Call:
        def rescue(memory: Any, generation: int, deadline_s: float, **given: Any) -> Any:
            if generation == memory.generation and given["now_s"] < deadline_s:
                return replace(memory, deadline_s=deadline_s, is_over=False, has_grace=True, killed_s=None), "rescued"
            return real(memory, generation, deadline_s, **given)

        return rescue

    return [(keeper, "before_renewal", before), (keeper, "after_renewal", after), (guard, "hold_until", hold_until)]


@defect("a higher generation means lost, at once")
def higher_generation_ignored() -> Places:
    def blind(real: Call) -> Call:
        def step(hold: Any, seen: Any, **given: Any) -> Any:
            if isinstance(seen, Seen) and seen.generation > hold.record.generation:
                seen = replace(seen, generation=hold.record.generation, record=hold.record)
            return real(hold, seen, **given)

        return step

    return [(keeper, "before_renewal", blind), (keeper, "after_renewal", blind)]


@defect("a deadline that the fence refuses is not in force", "believes in a deadline")
def fence_refusal_ignored() -> Places:
    """The answer of the fence is not looked at."""

    def confirmed(real: Call) -> Call:
        def step(self: Any, step: Any) -> Any:
            real(self, step)
            return step

        return step

    return [(LeaseKeeper, "_confirmed_by_fence", confirmed)]


@defect("past the deadline there is no grace")
def grace_after_late_wake() -> Places:
    def wrap(real: Call) -> Call:
        def step(memory: Any, **given: Any) -> Any:
            now_s = given["now_s"]
            if memory.deadline_s is not None and not memory.is_over and now_s >= memory.deadline_s:
                memory = replace(memory, is_over=True, over_s=now_s, has_grace=True)
            return real(memory, **given)

        return step

    return [(guard, "fence_step", wrap)]


@defect("dirty pages must go too: unmount or reset")
def mount_ignored() -> Places:
    def wrap(real: Call) -> Call:
        def step(memory: Any, *, is_cgroup_empty: bool, is_mount_gone: bool, **given: Any) -> Any:
            is_gone = is_mount_gone or is_cgroup_empty
            return real(memory, is_cgroup_empty=is_cgroup_empty, is_mount_gone=is_gone, **given)

        return step

    return [(guard, "fence_step", wrap)]


@defect("KILL follows TERM, reset follows KILL")
def no_kill() -> Places:
    def wrap(real: Call) -> Call:
        return lambda memory, *, timing, **given: real(memory, timing=replace(timing, stop_timeout_s=1e6), **given)

    return [(guard, "fence_step", wrap)]


@defect("a fence that is started again goes on where it was stopped")
def fence_forgets() -> Places:
    return [(Guard, "restore", lambda real: lambda self: None)]


@defect("a stale instance touches no network interface", "attached the network interface")
def no_attach_guard() -> Places:
    return [(LeaseKeeper, "permit", lambda real: lambda self: None)]


@defect("each generation's record differs from the last", "the record went back")
def constant_ttl() -> Places:
    return [(route53, "record_ttl_s", lambda real: lambda ttl_s, generation: ttl_s)]


@defect("released only after stop, sync and unmount")
def release_first() -> Places:
    """The lease is written as released before anything is stopped."""

    def wrap(real: Call) -> Call:
        def parts(belongings: Any, holder: LeaseKeeper, *, has_served: bool) -> Any:
            def first() -> list[str]:
                return holder._write_release(holder.hold) if holder.hold and not holder.lost else []

            return [("lease-release", first), *real(belongings, holder, has_served=has_served)]

        return parts

    return [(release, "_parts", wrap)]


@defect("the network interface is detached after the lease is released", "before it released")
def detach_first() -> Places:
    def wrap(real: Call) -> Call:
        def parts(*given: Any, **options: Any) -> Any:
            found = real(*given, **options)
            detach = [part for part in found if part[0] == "detach"]
            if not detach:
                return found  # of a lost lease
            at = [name for name, _ in found].index("lease-release")
            others = [part for part in found if part[0] != "detach"]
            return [*others[:at], *detach, *others[at:]]

        return parts

    return [(release, "_parts", wrap)]


@defect("whoever does not follow the last writer of the data starts nothing", TWO_WRITERS, "and i-")
def data_not_asked() -> Places:
    return [(Entering, "run", lambda real: lambda self, deadline: None)]


@defect("a higher number alone proves nothing", TWO_WRITERS, "and i-")
def number_is_enough() -> Places:
    """As if every generation had been taken over from all before it. An equal one is still refused."""

    def wrap(real: Call) -> Call:
        def descent(record: Any, last: Any) -> Descent:
            is_above = last is not None and last.generation < record.generation
            return Descent.PROVEN if is_above else real(record, last)

        return descent

    return [(entering, "descent", wrap)]


@defect("an equal number of somebody else is lost, too", TWO_WRITERS, "and i-")
def equal_is_mine() -> Places:
    def wrap(real: Call) -> Call:
        def run(self: Any, deadline: Any) -> None:
            generation, _ = self._writers.last(deadline)
            if generation != self._own.generation:
                real(self, deadline)

        return run

    return [(Entering, "run", wrap)]


@defect("who wrote to the data last counts as the holder until it is proven gone", TWO_WRITERS)
def floor_is_free() -> Places:
    def wrap(real: Call) -> Call:
        return lambda *given, **options: replace(real(*given, **options), is_released=True)

    return [(entering, "floor", wrap)]


@defect("a floor lets the numbers go on above the last writer", "nobody serves")
def floor_not_put() -> Places:
    return [(Entering, "_put_floor", lambda real: lambda self, last, deadline: None)]


@defect("what was taken over from a floor follows the last writer", "nobody serves")
def floor_follows_nobody() -> Places:
    def wrap(real: Call) -> Call:
        return lambda *given, **options: replace(real(*given, **options), follows="")

    return [(entering, "floor", wrap)]
