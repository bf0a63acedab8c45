"""What the state server of this run shows: the report, the lease and the supervisor, put together.

For: agent.py, whose state server asks for a view per request. Guarantees: it never waits and never touches the file
system: past holders are read once, in a thread of their own, when this instance has become ready. Does not: decide
anything.
"""

from __future__ import annotations

from collections.abc import Callable

from bootstrap.base.state import FileSystemState
from bootstrap.base.takeovers import Takeover
from bootstrap.lease.rules.record import HISTORY, LeaseRecord
from bootstrap.run.instance import Instance
from bootstrap.run.report import Report
from bootstrap.show.view import PastHolder, Role, View

HAS_LEFT = ("stopping", "stopped", "failed")


class Shown:
    """One run. `service`: its name, once it is known."""

    def __init__(self, report: Report) -> None:
        self.service = ""
        self._report = report
        self._instance: Instance | None = None
        self._is_healthy: Callable[[], bool] = lambda: False
        self._ready_at_s: float | None = None
        self._holders: tuple[PastHolder, ...] = ()
        self.takeovers: tuple[Takeover, ...] = ()  # of the log, the newest first; whoever reads it sets them

    def knows(self, instance: Instance) -> None:
        """Show the lease of `instance` from now on."""
        self._instance = instance

    def serves(self, is_healthy: Callable[[], bool]) -> None:
        """This instance has become ready now; `is_healthy` asks the supervisor. Before, nothing is healthy."""
        instance = self._instance
        assert instance is not None
        self._is_healthy, self._ready_at_s = is_healthy, instance.clock.monotonic()
        instance.machine.threads.start("history", lambda: self._read_history(instance))

    def view(self) -> View:
        """What is so now."""
        state, role = self._report.state, self._role()
        age_s, left_s = self._lease_s() if role == "holder" else (None, None)
        holds = role == "holder" and left_s is not None and left_s > 0
        is_healthy = state.phase == "ready" and self._is_healthy()
        now_s = self._instance.clock.monotonic() if self._instance is not None else 0.0
        return View(
            service=self.service,
            role=role,
            is_ready=holds and is_healthy,
            is_healthy=is_healthy,
            state=state,
            serves_for_s=now_s - self._ready_at_s if self._ready_at_s is not None and role == "holder" else None,
            age_s=age_s,
            left_s=left_s,
            network_interface_mac=self._instance.claims.network_interface.mac if self._instance is not None else "",
            holders=self._holders,
            takeovers=self.takeovers,
            file_system=self._file_system() if role != "newcomer" else None,
        )

    def _role(self) -> Role:
        keeper = self._instance.lease.keeper if self._instance is not None else None
        if keeper is None or keeper.hold is None:
            return "newcomer"
        has_left = keeper.lost is not None or self._report.state.phase in HAS_LEFT
        return "former-holder" if has_left else "holder"

    def _file_system(self) -> FileSystemState:
        assert self._instance is not None
        return self._instance.claims.data.shown()

    def _lease_s(self) -> tuple[float, float]:
        """Since the last confirmed renewal was sent, and until its deadline."""
        assert self._instance is not None
        hold = self._instance.lease.keeper.hold
        assert hold is not None
        left_s = hold.deadline_s - self._instance.clock.monotonic()
        return round(hold.record.renew_deadline_s - left_s, 3), round(left_s, 3)

    def _read_history(self, instance: Instance) -> None:
        parts = instance.lease.parts
        records = parts.directory.history(HISTORY, parts.timing.request_timeout_s)
        self._holders = tuple(map(_past, records))


def _past(record: LeaseRecord) -> PastHolder:
    return PastHolder(
        generation=record.generation,
        instance_id=record.instance_id,
        zone=record.zone,
        image_id=record.image_id,
        image_version=record.agent_version,
        ground=record.ground,
        is_released=record.is_released,
        renewed_at=record.written_at,
    )
