"""The outsiders: processes that use the data and are not in the service's control group.

For: the upkeep, which names them, and the ordered stop, which ends them before the lease is released. The fence does
not reach them, a reader keeps the unmount busy, and one with a mount of its own in another namespace could write on.
Guarantees: a look is a child that can be killed (outsiders_child.py); each outsider is named in the log before it is
ended, by TERM and then KILL, within bounds; what was looked for last is known after the unmount, too.
Does not: look inside the service's control group, or end the first process.
"""

from __future__ import annotations

import json
import logging
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from bootstrap.base.clock import Deadline
from bootstrap.base.codec import DecodeError, decode
from bootstrap.base.errors import DeadlineExceeded, SurroundingsError
from bootstrap.base.retry import NotYet, Pauses, retry
from bootstrap.machine.commands import Commands
from bootstrap.machine.file_system import FileSystems

log = logging.getLogger(__name__)

CHILD = str(Path(__file__).with_name("outsiders_child.py"))
LOOK_S = 10.0
TERM_S = 5.0
KILL_S = 3.0
PAUSES = Pauses(first_s=0.5, longest_s=1.0)


@dataclass(frozen=True, kw_only=True)
class Outsider:
    """One process, and what it does with the data."""

    pid: int
    name: str
    group: str
    uses: str
    is_writing: bool

    def __str__(self) -> str:
        return f"{self.name} (process {self.pid} in {self.group}) {self.uses}"


class Outsiders:
    """The outsiders of the data mounted at `root`; `group` is the service's control group."""

    def __init__(self, commands: Commands, file_systems: FileSystems, root: str, group: str) -> None:
        self._commands = commands
        self._file_systems = file_systems
        self._root = root
        self._group = group
        self._device = ""  # of the data when they were mounted last

    def remember(self) -> None:
        """Know which device the data are on, from here on also while they are not mounted."""
        data = self._file_systems.mount_at(self._root)
        self._device = data.device if data else self._device

    def look(self, deadline: Deadline) -> list[Outsider]:
        """Who they are now; nobody where the data were never mounted. Raises SurroundingsError, StopRequested."""
        return self._ask(deadline, 0)

    def end(self, deadline: Deadline) -> tuple[list[Outsider], list[Outsider]]:
        """End them; who was found, and who stays. Raises SurroundingsError, StopRequested."""
        found = self._ask(deadline, signal.SIGTERM)
        if not found:
            return [], []
        for one in found:
            log.warning("outside the service, and ended before the release: %s", one)
        left = self._await_end(deadline.within(TERM_S, "outsiders to end"))
        if left:
            self._ask(deadline, signal.SIGKILL)
            left = self._await_end(deadline.within(KILL_S, "killed outsiders to end"))
        return found, left

    def _await_end(self, limit: Deadline) -> list[Outsider]:
        left: list[Outsider] = []

        def attempt() -> None:
            left[:] = self.look(limit)
            if left:
                raise NotYet(", ".join(map(str, left)))

        try:
            retry(attempt, limit, PAUSES)
        except DeadlineExceeded:
            return left or self.look(limit)
        return []

    def _ask(self, deadline: Deadline, number: int) -> list[Outsider]:
        self.remember()
        if not self._device:
            return []
        request = {"devices": [self._device], "group": self._group, "signal": number, "proc": "/proc"}
        limit = deadline.within(LOOK_S, "look for outsiders")
        done = self._commands.run((sys.executable, "-I", "-S", CHILD), limit, text_in=json.dumps(request))
        try:
            found = [decode(Outsider, line, unknown_keys="refuse") for line in done.output.splitlines()]
        except DecodeError:
            raise SurroundingsError(f"the look for outsiders failed: {done.summary}") from None
        if not found and not done.succeeded:
            raise SurroundingsError(f"the look for outsiders failed: {done.summary}")
        return found
