"""Everything that the display shows at one moment, as plain data.

For: `lab.play.stage` fills one several times a second; `lab.report.screen` draws it. Guarantees: frozen; all `_s` are
seconds since the run began, except ages and gaps. Does not: know the control plane or the ledger.
"""

from __future__ import annotations

from dataclasses import dataclass

from lab.report.model import Event


@dataclass(frozen=True, kw_only=True)
class MachineRow:
    """One machine. `state` is EC2's word, `lifecycle` the group's; `age_s` since it was launched."""

    instance_id: str
    zone: str
    image_version: str
    state: str
    lifecycle: str
    age_s: float


@dataclass(frozen=True, kw_only=True)
class InterfaceRow:
    """One zone's fixed network interface. `attached_to` is an instance id, empty when free."""

    zone: str
    id: str
    address: str
    attached_to: str


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """Everything on the screen. `events` are all since the beginning, oldest first; only ever appended to."""

    now_s: float
    scene: str
    doing: str  # one sentence
    machines: tuple[MachineRow, ...] = ()
    interfaces: tuple[InterfaceRow, ...] = ()
    record_name: str = ""
    record_value: str = ""  # empty: no record yet
    acknowledged: int = 0
    per_second: tuple[int, ...] = ()  # acknowledged writes, oldest second first
    gap_s: float | None = None  # since the last acknowledged write; None before the first
    events: tuple[Event, ...] = ()
