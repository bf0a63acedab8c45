"""What the guard of a simulated machine works with: run files, control group, mounts, watchdog device.

For: lab.simulation.machine. Each class stands where bootstrap.fence has an adapter.
Guarantees: adds no rule of its own.
Does not: know more of the machine than what a guard can see and do.
"""

from typing import Protocol

from bootstrap.fence.protocol import FenceRequest
from bootstrap.fence.rules import FenceAction, FenceMemory


class Guest(Protocol):
    """What a guard sees of its machine, and does to it."""

    is_running: bool
    is_mounted: bool

    def act(self, action: FenceAction) -> None: ...


class RunFiles:
    """What the fence keeps below /run of one boot (bootstrap.fence.run_files)."""

    def __init__(self) -> None:
        self.granted = 0
        self._state: tuple[FenceRequest, FenceMemory] | None = None

    def restore(self) -> tuple[FenceRequest, FenceMemory] | None:
        return self._state

    def save(self, request: FenceRequest, memory: FenceMemory) -> None:
        self._state = (request, memory)

    def grant(self, generation: int) -> None:
        self.granted = generation

    def withdraw(self) -> None:
        self.granted = 0


class ServiceGroup:
    """The control group of the service of one guest."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest

    def is_empty(self) -> bool:
        return not self._guest.is_running

    def terminate(self) -> int:
        self._guest.act(FenceAction.TERM)
        return 1

    def kill(self) -> None:
        self._guest.act(FenceAction.KILL)


class ServiceMounts:
    """The mounts of the service's data on one guest."""

    def __init__(self, guest: Guest) -> None:
        self._guest = guest
        self.targets: tuple[str, ...] = ()

    def are_gone(self, also: tuple[str, ...] = ()) -> bool:
        return not self._guest.is_mounted

    def unmount(self) -> None:
        self._guest.act(FenceAction.UNMOUNT)


class NoDevices:
    """The watchdog device is the machine's own: it resets when the fence process is gone."""

    opened = "the simulation's"

    def open(self, timeout_s: int) -> None:
        return None
