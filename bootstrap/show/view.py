"""All that an instance shows of itself at one moment.

For: the answers of this room; `run.shown` makes one per request. Guarantees: pure; `StateDocument` is what `/state` and
`/history` say, with a version that grows whenever a field changes its meaning or goes. Does not: hold a secret.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bootstrap.base.state import FileSystemState, State
from bootstrap.base.takeovers import Takeover

DOCUMENT_VERSION = 1

Role = Literal["newcomer", "holder", "former-holder"]


@dataclass(frozen=True, kw_only=True)
class PastHolder:
    """One holder of the lease, from its record. `ground`: why its predecessor could not write any more."""

    generation: int
    instance_id: str
    zone: str
    image_id: str
    image_version: str
    ground: str
    is_released: bool
    renewed_at: str  # wall time of its last renewal that is known, for people


@dataclass(frozen=True, kw_only=True)
class View:
    """`sentence` is the supervisor's last one, `age_s` the seconds since the last confirmed renewal was sent, `left_s`
    those until the fence ends the service; both are None where no lease is held."""

    service: str
    role: Role
    is_ready: bool
    is_healthy: bool
    state: State
    serves_for_s: float | None = None
    age_s: float | None = None
    left_s: float | None = None
    network_interface_mac: str = ""
    holders: tuple[PastHolder, ...] = ()  # the newest first
    takeovers: tuple[Takeover, ...] = ()  # the newest first
    file_system: FileSystemState | None = None  # of whoever holds or held the lease


@dataclass(frozen=True, kw_only=True)
class StateDocument:
    """`/state`."""

    version: int
    service: str
    role: Role
    is_ready: bool
    is_healthy: bool
    serves_for_s: float | None
    lease_age_s: float | None
    lease_left_s: float | None
    network_interface_mac: str
    state: State
    file_system: FileSystemState | None


@dataclass(frozen=True, kw_only=True)
class HistoryDocument:
    """`/history`: the records in the lease directory, and the newest entries of the log of takeovers."""

    version: int
    service: str
    holders: tuple[PastHolder, ...]
    takeovers: tuple[Takeover, ...]


def state_document(view: View) -> StateDocument:
    """What `/state` says."""
    return StateDocument(
        version=DOCUMENT_VERSION,
        service=view.service,
        role=view.role,
        is_ready=view.is_ready,
        is_healthy=view.is_healthy,
        serves_for_s=view.serves_for_s,
        lease_age_s=view.age_s,
        lease_left_s=view.left_s,
        network_interface_mac=view.network_interface_mac,
        state=view.state,
        file_system=view.file_system,
    )
