"""Rules of the holder broken on purpose: renewal, fence, permission, ordered stop.

For: lab.simulation.defects, which names them. Each says what is replaced in bootstrap.lease and bootstrap.fence.
Does not: say how it is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from bootstrap.claims.connection import route53
from bootstrap.fence import guard
from bootstrap.fence.guard import Guard
from bootstrap.lease import keeper, release
from bootstrap.lease.keeper import LeaseKeeper
from bootstrap.lease.rules.observation import Seen
from lab.simulation.planting import Wrap

Places = list[tuple[Any, str, Wrap]]
Call = Callable[..., Any]


def deadline_from_reply() -> Places:
    def after(real: Call) -> Call:
        return lambda hold, seen, *, sent_s, now_s, timing: real(hold, seen, sent_s=now_s, now_s=now_s, timing=timing)

    return [(keeper, "after_renewal", after)]


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


def higher_generation_ignored() -> Places:
    def blind(real: Call) -> Call:
        def step(hold: Any, seen: Any, **given: Any) -> Any:
            if isinstance(seen, Seen) and seen.generation > hold.record.generation:
                seen = replace(seen, generation=hold.record.generation, record=hold.record)
            return real(hold, seen, **given)

        return step

    return [(keeper, "before_renewal", blind), (keeper, "after_renewal", blind)]


def fence_refusal_ignored() -> Places:
    """The answer of the fence is not looked at."""

    def confirmed(real: Call) -> Call:
        def step(self: Any, step: Any) -> Any:
            real(self, step)
            return step

        return step

    return [(LeaseKeeper, "_confirmed_by_fence", confirmed)]


def grace_after_late_wake() -> Places:
    def wrap(real: Call) -> Call:
        def step(memory: Any, **given: Any) -> Any:
            now_s = given["now_s"]
            if memory.deadline_s is not None and not memory.is_over and now_s >= memory.deadline_s:
                memory = replace(memory, is_over=True, over_s=now_s, has_grace=True)
            return real(memory, **given)

        return step

    return [(guard, "fence_step", wrap)]


def mount_ignored() -> Places:
    def wrap(real: Call) -> Call:
        def step(memory: Any, *, is_cgroup_empty: bool, is_mount_gone: bool, **given: Any) -> Any:
            is_gone = is_mount_gone or is_cgroup_empty
            return real(memory, is_cgroup_empty=is_cgroup_empty, is_mount_gone=is_gone, **given)

        return step

    return [(guard, "fence_step", wrap)]


def no_kill() -> Places:
    def wrap(real: Call) -> Call:
        return lambda memory, *, timing, **given: real(memory, timing=replace(timing, stop_timeout_s=1e6), **given)

    return [(guard, "fence_step", wrap)]


def fence_forgets() -> Places:
    return [(Guard, "restore", lambda real: lambda self: None)]


def no_permission() -> Places:
    return [(LeaseKeeper, "permit", lambda real: lambda self: None)]


def constant_ttl() -> Places:
    return [(route53, "record_ttl_s", lambda real: lambda ttl_s, generation: ttl_s)]


def release_first() -> Places:
    """The lease is written as released before anything is stopped."""

    def wrap(real: Call) -> Call:
        def parts(belongings: Any, holder: LeaseKeeper, *, has_served: bool) -> Any:
            def first() -> list[str]:
                return holder._write_release(holder.hold) if holder.hold and not holder.lost else []

            return [("lease-release", first), *real(belongings, holder, has_served=has_served)]

        return parts

    return [(release, "_parts", wrap)]


def detach_first() -> Places:
    def wrap(real: Call) -> Call:
        def parts(*given: Any, **options: Any) -> Any:
            found = real(*given, **options)
            detach = [part for part in found if part[0] == "detach"]
            at = [name for name, _ in found].index("lease-release")
            others = [part for part in found if part[0] != "detach"]
            return [*others[:at], *detach, *others[at:]]

        return parts

    return [(release, "_parts", wrap)]
