"""The log of takeovers on the data: one JSON line each, in a file of bounded size beside the marker.

For: run.takeovers. Guarantees: only a child that can be killed touches the file system (data_child.py). Does not: know
what a line means.
"""

from __future__ import annotations

from bootstrap.base.clock import Deadline
from bootstrap.machine.file_system import FileSystems


class TakeoverLog:
    """The log on the data mounted at `root`."""

    def __init__(self, file_systems: FileSystems, root: str) -> None:
        self._file_systems = file_systems
        self._root = root

    def append(self, line: str, deadline: Deadline) -> str:
        """Append `line`; the newest lines afterwards, with this one as the last. Raises MountError, StopRequested."""
        return self._file_systems.ask_child({"verb": "append-takeover", "root": self._root, "line": line}, deadline)
