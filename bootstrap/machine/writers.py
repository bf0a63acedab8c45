"""Who has written to the data: one file per generation beside the marker, each with the lease record of its writer.

For: lease.entering. Guarantees: a file appears whole or not at all and is never overwritten; it counts on the file
system of the marker only, not on a copy; only a child that can be killed touches the file system.
Does not: know what a record means.
"""

from __future__ import annotations

from typing import Any

from bootstrap.base.clock import Deadline
from bootstrap.machine.file_system import FileSystems

ALL = 10**12  # above every generation


class DataWriters:
    """The writers of the data mounted at `root`. Each answer is generation and content of the highest file, 0 and ""
    where there is none. Raises MountError, StopRequested."""

    def __init__(self, file_systems: FileSystems, root: str) -> None:
        self._file_systems = file_systems
        self._root = root

    def last(self, deadline: Deadline, below: int = ALL) -> tuple[int, str]:
        """Who wrote last, of the generations below `below`."""
        return self._ask({"verb": "last-writer", "below": below}, deadline)

    def enter(self, generation: int, text: str, deadline: Deadline) -> tuple[int, str]:
        """Add the writer `generation` unless it is there; who is the last afterwards."""
        return self._ask({"verb": "enter-writer", "generation": generation, "text": text, "below": ALL}, deadline)

    def _ask(self, request: dict[str, Any], deadline: Deadline) -> tuple[int, str]:
        number, _, text = self._file_systems.ask_child({"root": self._root, **request}, deadline).partition(" ")
        return int(number), text
