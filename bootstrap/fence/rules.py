"""The self-fence: what the fence process does at which moment. Pure, and small enough to review in one sitting.

For: the fence process, which receives deadlines from the agent and looks at the service's cgroup and the data mounts.
The ladder from the deadline on: TERM; after stop_timeout KILL; after kill_timeout a reset without sync. A fence that
wakes up late, or is told that the lease is lost, sends KILL at once. One that wakes up after the whole ladder resets at
once.
Guarantees: a deadline can be extended only before it has passed; a generation is over once its deadline has passed, and
the next one is accepted only when nothing of it is left; the watchdog device is petted exactly while the ladder has not
run out or nothing is left to stop.
Does not: know the lease, AWS or the file system.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from bootstrap.base.timing import LeaseTiming
from bootstrap.base.values import Generation

LATE_S = 2.0  # first look after the deadline later than this: the machine slept, there is no grace left to give
TICK_S = 1.0  # the device is petted, and everything looked at, at least this often
HURRY_S = 0.2  # between looks while something is being stopped


class FenceAction(Enum):
    """What to do now; each is safe to repeat."""

    NOTHING = "nothing"
    TERM = "term"  # TERM to every process of the service's cgroup, and stop the units from being started again
    KILL = "kill"  # cgroup.kill
    UNMOUNT = "unmount"  # the cgroup is empty: unmount the data, from a child that may hang
    RESET = "reset"  # sysrq reset, no sync: dirty pages must not reach the file system any more


@dataclass(frozen=True, kw_only=True)
class FenceMemory:
    """`deadline_s` None: nothing is held, nothing may run. `killed_s`: when KILL was first decided."""

    generation: Generation = 0
    deadline_s: float | None = None
    is_over: bool = False  # the deadline of `generation` passed, or it was lost
    over_s: float = 0.0
    has_grace: bool = True
    killed_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class FenceStep:
    """`memory` for the next look, which is due at `next_look_s` or when the agent says something."""

    memory: FenceMemory
    action: FenceAction
    is_petting: bool
    next_look_s: float
    sentence: str


def hold_until(
    memory: FenceMemory, generation: int, deadline_s: float, *, is_clear: bool, now_s: float
) -> tuple[FenceMemory, str]:
    """The agent says that `generation` is confirmed until `deadline_s`. The memory stays as it is if that comes too
    late. `is_clear`: the service's cgroup is empty and the data are not mounted; a new generation needs that."""
    name = f"generation {generation}"
    if generation < memory.generation:
        return memory, f"{name} is older than generation {memory.generation}: refused"
    if now_s >= deadline_s:
        return memory, f"{name}: the deadline offered has passed already: refused"
    if generation > memory.generation:
        if not is_clear and memory.deadline_s is not None:
            return memory, f"{name}: something of generation {memory.generation} is left: refused"
        return FenceMemory(generation=generation, deadline_s=deadline_s), f"{name} is guarded"
    if memory.deadline_s is None or memory.is_over or now_s >= memory.deadline_s:
        return memory, f"{name} is over: nothing can rescue it"
    return replace(memory, deadline_s=max(memory.deadline_s, deadline_s)), f"{name} is guarded further"


def lost(memory: FenceMemory, *, now_s: float) -> FenceMemory:
    """The agent says that another instance holds the lease: KILL without grace."""
    if memory.deadline_s is None or memory.is_over:
        return memory if memory.deadline_s is None else replace(memory, has_grace=False)
    return replace(memory, is_over=True, over_s=min(now_s, memory.deadline_s), has_grace=False)


def let_go(memory: FenceMemory, *, is_cgroup_empty: bool, is_mount_gone: bool) -> FenceMemory:
    """The agent says that the service has stopped gracefully. If anything is left of it, the deadline stays."""
    return replace(memory, deadline_s=None) if is_cgroup_empty and is_mount_gone else memory


def fence_step(
    memory: FenceMemory, *, is_cgroup_empty: bool, is_mount_gone: bool, timing: LeaseTiming, now_s: float
) -> FenceStep:
    """What to do at `now_s`."""
    name = f"generation {memory.generation}"
    if memory.deadline_s is None:
        return _calm(memory, now_s + TICK_S, "nothing is held")
    if not memory.is_over and now_s < memory.deadline_s:
        left_s = memory.deadline_s - now_s
        return _calm(memory, min(now_s + TICK_S, memory.deadline_s), f"{name} is guarded for {left_s:.1f} s more")
    if not memory.is_over:
        has_grace = now_s - memory.deadline_s <= LATE_S
        memory = replace(memory, is_over=True, over_s=memory.deadline_s, has_grace=has_grace)
    if is_cgroup_empty and is_mount_gone:
        return _calm(memory, now_s + TICK_S, f"{name} is over and nothing of it is left")
    return _ladder(memory, name, now_s, timing, is_cgroup_empty=is_cgroup_empty)


def _ladder(memory: FenceMemory, name: str, now_s: float, timing: LeaseTiming, *, is_cgroup_empty: bool) -> FenceStep:
    past_s = now_s - memory.over_s
    end_s = memory.over_s + timing.stop_timeout_s + timing.kill_timeout_s
    if not memory.has_grace and memory.killed_s is not None:
        end_s = min(end_s, memory.killed_s + timing.kill_timeout_s)
    if now_s >= end_s:
        what = "its mount is" if is_cgroup_empty else "its processes are"
        sentence = f"{name} is over for {past_s:.1f} s and {what} still there: reset without sync"
        return FenceStep(
            memory=memory, action=FenceAction.RESET, is_petting=False, next_look_s=now_s + HURRY_S, sentence=sentence
        )
    if is_cgroup_empty:
        sentence = f"{name} is over for {past_s:.1f} s and its processes are gone: unmount"
        return _act(memory, FenceAction.UNMOUNT, now_s + HURRY_S, sentence)
    if memory.has_grace and past_s < timing.stop_timeout_s:
        kill_s = memory.over_s + timing.stop_timeout_s
        sentence = f"{name} is past its deadline: TERM, KILL in {kill_s - now_s:.0f} s"
        return _act(memory, FenceAction.TERM, min(now_s + HURRY_S, kill_s), sentence)
    memory = replace(memory, killed_s=memory.killed_s if memory.killed_s is not None else now_s)
    why = "" if memory.has_grace else ", no grace"
    sentence = f"{name} is over for {past_s:.1f} s{why}: KILL"
    return _act(memory, FenceAction.KILL, now_s + HURRY_S, sentence)


def _act(memory: FenceMemory, action: FenceAction, next_look_s: float, sentence: str) -> FenceStep:
    return FenceStep(memory=memory, action=action, is_petting=True, next_look_s=next_look_s, sentence=sentence)


def _calm(memory: FenceMemory, next_look_s: float, sentence: str) -> FenceStep:
    return _act(memory, FenceAction.NOTHING, next_look_s, sentence)
