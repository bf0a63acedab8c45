"""Carries out what the fence's rules decide: on the control group, the mounts, the watchdog device and the grant.

For: the fence's process, which passes on messages and calls `turn` in time. Guarantees: no call blocks; the file
`granted` exists only while a guarded deadline lies ahead, and systemd starts the service only while that file exists;
what is guarded is kept below /run, so a restarted process goes on where the former one stopped; if that state cannot
be read, nothing may run.
Does not: decide (rules does), listen, or wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from bootstrap.fence.protocol import FenceAnswer, FenceRequest
from bootstrap.fence.rules import FenceAction, FenceMemory, FenceStep, fence_step, hold_until, let_go, lost

log = logging.getLogger("fence")


class Group(Protocol):
    """The service's control group (cgroups.ServiceGroup)."""

    def is_empty(self) -> bool: ...

    def terminate(self) -> int: ...

    def kill(self) -> None: ...


class Mounts(Protocol):
    """The mounts of the service's data (mounts.GuardedMounts)."""

    targets: tuple[str, ...]

    def are_gone(self, also: tuple[str, ...] = ()) -> bool: ...

    def unmount(self) -> None: ...


class Memory(Protocol):
    """What outlives this process (run_files.RunFiles): what is guarded, and the grant that lets the service start."""

    def restore(self) -> tuple[FenceRequest, FenceMemory] | None: ...

    def save(self, request: FenceRequest, memory: FenceMemory) -> None: ...

    def grant(self, generation: int) -> None: ...

    def withdraw(self) -> None: ...


class Device(Protocol):
    """An open watchdog device (watchdog.WatchdogDevice)."""

    def pet(self) -> None: ...

    def release(self) -> None: ...


class Devices(Protocol):
    """The watchdog devices of this machine (watchdog.WatchdogDevices). `opened` says in words which one is open."""

    opened: str

    def open(self, timeout_s: int) -> Device | None: ...


class Guard:
    """One fence's duty. One thread."""

    def __init__(
        self,
        *,
        files: Memory,
        group: Group,
        mounts: Mounts,
        watchdogs: Devices,
        reset: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._files = files
        self._group = group
        self._mounts = mounts
        self._watchdogs = watchdogs
        self._reset = reset
        self._clock = clock
        self._watchdog: Device | None = None
        self._verbs = {"hold": self._hold, "lost": self._lost, "let-go": self._let_go, "look": self._look}
        self._memory = FenceMemory()
        self._request = FenceRequest(verb="hold")  # the last one accepted
        self._said = ""
        self._termed_generation = 0

    @property
    def memory(self) -> FenceMemory:
        """What is guarded now."""
        return self._memory

    @property
    def is_clear(self) -> bool:
        """No process of the service and no mount of the data is left."""
        return self._group.is_empty() and self._mounts.are_gone()

    @property
    def guards_nothing(self) -> bool:
        """Whether it may end."""
        return self._memory.deadline_s is None or self.is_clear

    def restore(self) -> None:
        """Go on where a former process stopped."""
        try:
            found = self._files.restore()
        except (OSError, ValueError) as error:
            log.error("%s: nothing may run", error)
            self._files.withdraw()
            self._group.kill()
            return
        if found is None:
            return
        request, memory = found
        log.info("generation %d is guarded again", memory.generation)
        self._take(request, memory)

    def answer(self, request: FenceRequest) -> FenceAnswer:
        """Carry out what the agent says."""
        is_accepted, sentence = self._verbs[request.verb](request)
        return FenceAnswer(
            is_accepted=is_accepted,
            sentence=sentence,
            generation=self._memory.generation,
            nonce=self._request.nonce,
            deadline_s=self._memory.deadline_s,
            is_over=self._memory.is_over,
            is_clear=self._group.is_empty() and self._mounts.are_gone(request.mounts),
            watchdog=self._watchdogs.opened,
        )

    def turn(self) -> float:
        """Look, act, pet; seconds until the next turn is due."""
        step = fence_step(
            self._memory,
            is_cgroup_empty=self._group.is_empty(),
            is_mount_gone=self._mounts.are_gone(),
            timing=self._request.timing,
            now_s=self._clock(),
        )
        if step.memory != self._memory:
            self._memory = step.memory
            self._files.save(self._request, self._memory)
        self._grant()  # somebody may have removed it
        if self._memory.is_over:
            self._files.withdraw()  # nothing that ends, or has ended, is started again
        self._act(step)
        if step.is_petting and self._watchdog is not None:
            self._watchdog.pet()
        return max(0.0, step.next_look_s - self._clock())

    def close(self) -> None:
        """Let the watchdog device go; nothing is guarded any more."""
        self._files.withdraw()
        if self._watchdog is not None:
            self._watchdog.release()

    def _hold(self, request: FenceRequest) -> tuple[bool, str]:
        memory, sentence = hold_until(
            self._memory, request.generation, request.deadline_s, is_clear=self.is_clear, now_s=self._clock()
        )
        is_accepted = (
            memory.generation == request.generation
            and not memory.is_over
            and memory.deadline_s is not None
            and memory.deadline_s >= request.deadline_s > self._clock()
        )
        if is_accepted:
            self._take(request, memory)
        return is_accepted, sentence

    def _lost(self, _request: FenceRequest) -> tuple[bool, str]:
        self._memory = lost(self._memory, now_s=self._clock())
        self._files.save(self._request, self._memory)
        return True, f"generation {self._memory.generation} is lost"

    def _let_go(self, _request: FenceRequest) -> tuple[bool, str]:
        is_empty, is_gone = self._group.is_empty(), self._mounts.are_gone()
        self._memory = let_go(self._memory, is_cgroup_empty=is_empty, is_mount_gone=is_gone)
        if self._memory.deadline_s is not None:
            left = "processes of the service are" if not is_empty else "a mount of the data is"
            return False, f"generation {self._memory.generation} is guarded on: {left} still there"
        self._files.withdraw()
        self._files.save(self._request, self._memory)
        return True, f"generation {self._memory.generation} is let go"

    def _look(self, _request: FenceRequest) -> tuple[bool, str]:
        return True, self._said or "nothing is held"

    def _take(self, request: FenceRequest, memory: FenceMemory) -> None:
        is_new = memory.generation != self._memory.generation or self._memory.deadline_s is None
        self._request, self._memory = request, memory
        self._mounts.targets = request.mounts
        self._files.save(self._request, self._memory)
        self._grant()
        if is_new and memory.deadline_s is not None and self._watchdog is None:
            self._watchdog = self._watchdogs.open(int(request.timing.watchdog_timeout_s))

    def _grant(self) -> None:
        if self._memory.deadline_s is not None and not self._memory.is_over:
            self._files.grant(self._memory.generation)

    def _act(self, step: FenceStep) -> None:
        if step.action is not FenceAction.NOTHING:
            self._say(step)
        if step.action is FenceAction.TERM and self._termed_generation != self._memory.generation:
            self._termed_generation = self._memory.generation  # once: a second TERM means "at once" to some programs
            self._group.terminate()
        elif step.action is FenceAction.KILL:
            self._group.kill()
        elif step.action is FenceAction.UNMOUNT:
            self._mounts.unmount()
        elif step.action is FenceAction.RESET:
            self._reset()

    def _say(self, step: FenceStep) -> None:
        what = f"{step.action.value}: generation {self._memory.generation}"
        if what != self._said:
            self._said = what
            log.warning("%s", step.sentence)
