"""The fence in this process: the guard that ships, over a service and mounts that a test sets.

For: everything that asks the fence. Guarantees: what is accepted, refused and remembered is the guard's own doing; a
turn of the guard goes before every answer, as in the fence's loop.
Does not: listen on a socket (tests/process starts the real fence), run turns by itself.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bootstrap.base.errors import FenceError
from bootstrap.fence.cgroups import ServiceGroup
from bootstrap.fence.guard import Guard
from bootstrap.fence.mounts import GuardedMounts
from bootstrap.fence.protocol import FenceAnswer, FenceRequest
from bootstrap.fence.rules import FenceMemory
from bootstrap.fence.run_files import RunFiles
from bootstrap.fence.watchdog import WatchdogDevices
from tests.kit.clock import FakeClock
from tests.kit.fake_os import FakeOs


class SetGroup:
    """A control group without a kernel: `is_left` says whether a process of the service is in it."""

    def __init__(self) -> None:
        self.is_left = False
        self.signals: list[str] = []

    def is_empty(self) -> bool:
        return not self.is_left

    def terminate(self) -> int:
        self.signals.append("TERM")
        return int(self.is_left)

    def kill(self) -> None:
        self.signals.append("KILL")


class SetMounts:
    """Mounts without a kernel: `is_left` says whether one of the data is there."""

    def __init__(self) -> None:
        self.targets: tuple[str, ...] = ()
        self.is_left = False

    def are_gone(self, also: tuple[str, ...] = ()) -> bool:
        return not self.is_left

    def unmount(self) -> None:
        """There is nothing to take away."""


class MountsOfFakeOs(GuardedMounts):
    """The mounts in a fake machine's mountinfo; unmounting is that machine's command, not a child of this process."""

    def __init__(self, machine: FakeOs) -> None:
        super().__init__(machine.paths.mountinfo, machine.root / "proc")
        self._machine = machine

    def unmount(self) -> None:
        for target in self._present():
            self._machine.unmount(target)


class FenceInProcess:
    """A `bootstrap.fence.client.Fence` whose state is below `run`. With `is_dead` set nobody answers; the next request
    of a verb in `silent_once` is lost, as where the whole machine stands still for longer than the client waits."""

    def __init__(
        self,
        clock: FakeClock,
        run: Path,
        group: SetGroup | ServiceGroup | None = None,
        mounts: SetMounts | GuardedMounts | None = None,
    ) -> None:
        run.mkdir(parents=True, exist_ok=True)
        self.group, self.mounts = group or SetGroup(), mounts or SetMounts()
        self.is_dead = self.is_stopping = False
        self.silent_once: set[str] = set()
        self.requests: list[FenceRequest] = []
        self.guard = Guard(
            files=RunFiles(run),
            group=self.group,
            mounts=self.mounts,
            watchdogs=WatchdogDevices(""),
            reset=lambda: None,
            clock=clock.monotonic,
        )

    @classmethod
    def of_machine(cls, machine: FakeOs, clock: FakeClock) -> FenceInProcess:
        """The fence of a fake machine: it sees that machine's units and mounts."""
        return cls(clock, machine.paths.run, ServiceGroup(machine.group), MountsOfFakeOs(machine))

    @property
    def memory(self) -> FenceMemory:
        return self.guard.memory

    def ask(self, request: FenceRequest) -> FenceAnswer:
        if self.is_dead:
            raise FenceError("the fence does not answer: it has ended")
        if request.verb in self.silent_once:
            self.silent_once.remove(request.verb)
            raise FenceError(f"the fence does not answer {request.verb}: timed out")
        self.requests.append(request)
        self.guard.turn()
        return replace(self.guard.answer(request), is_stopping=self.is_stopping)

    def verbs(self) -> list[str]:
        return [request.verb for request in self.requests]
