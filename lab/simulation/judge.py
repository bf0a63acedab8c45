"""What the parts of the world report while they act, so that somebody may judge it.

Guarantees: the parts know no more of their judge than this. Does not: judge (lab.simulation.checker does).
"""

from __future__ import annotations

from typing import Protocol

from bootstrap.fence.rules import FenceMemory
from bootstrap.lease.rules.record import LeaseRecord
from lab.simulation.machine import Machine


class Judge(Protocol):
    """One call for each thing that may be wrong."""

    def publishing(self, machine: Machine, record: LeaseRecord) -> None: ...

    def landed(self, machine: Machine, record: LeaseRecord, sent_s: float) -> None: ...

    def kept(self, machine: Machine, record: LeaseRecord) -> None: ...

    def released(self, record: LeaseRecord) -> None: ...

    def overwritten(self, before: LeaseRecord, after: LeaseRecord) -> None: ...

    def guarded(self, machine: Machine, before: FenceMemory) -> None: ...

    def believed(self, machine: Machine) -> None: ...

    def confirmed(self, machine: Machine, sent_s: float) -> None: ...

    def shooting(self, by: Machine, target: Machine) -> None: ...

    def attaching(self, machine: Machine, generation: int, looked_s: float) -> None: ...

    def detached(self, owner: Machine, by: Machine) -> None: ...

    def record_moved(self, before: int, after: int) -> None: ...
