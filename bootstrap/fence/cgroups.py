"""The control group of the service: lists its processes, says whether it is empty, ends all of them.

For: the fence, which must know that the service has ended without asking systemd, AWS or the disk; the agent, before
it takes a lease again. Guarantees: "empty" is what the kernel says (cgroup.events), or systemd has removed the group
and the hierarchy above it is there; a group that cannot be read is not empty; `kill` reaches every process of every
group below, also one that is being forked.
Does not: put processes there. The service's units are in `soloist.slice` by the drop-in that ami/install.sh writes.
Source: Linux Documentation/admin-guide/cgroup-v2.rst (cgroup.events `populated`, cgroup.procs, cgroup.kill since 5.14).
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

from bootstrap.base.paths import SERVICE_GROUP

Send = Callable[[int, int], None]


class ServiceGroup:
    """The control group at `path` with all groups below it."""

    def __init__(self, path: Path = SERVICE_GROUP, send: Send = os.kill) -> None:
        self._path = path
        self._send = send

    def is_empty(self) -> bool:
        """True only when the kernel shows no process in it or below it."""
        try:
            events = (self._path / "cgroup.events").read_text(encoding="ascii")
        except FileNotFoundError:
            # No group; but only a mounted hierarchy without this group proves that.
            return not self._path.exists() and (self._path.parent / "cgroup.procs").exists()
        except OSError:
            return False
        return "populated 0" in events.splitlines()

    def members(self) -> list[int]:
        """Process ids in it and below it; what cannot be read is left out."""
        found: list[int] = []
        for directory, _, _ in os.walk(self._path):
            try:
                text = Path(directory, "cgroup.procs").read_text(encoding="ascii")
            except OSError:
                continue
            found += [int(word) for word in text.split()]
        return found

    def terminate(self) -> int:
        """SIGTERM to every member; to how many."""
        return self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL to all of it at once; where the kernel has no cgroup.kill, one by one."""
        if not self._path.exists():
            return
        try:
            # Never created: a kernel without cgroup.kill has no such file.
            descriptor = os.open(self._path / "cgroup.kill", os.O_WRONLY)
        except OSError:
            self._signal(signal.SIGKILL)
            return
        try:
            os.write(descriptor, b"1")
        except OSError:
            self._signal(signal.SIGKILL)
        finally:
            os.close(descriptor)

    def _signal(self, number: int) -> int:
        reached = 0
        for pid in self.members():
            try:
                self._send(pid, number)
            except OSError:
                continue  # it ended meanwhile
            reached += 1
        return reached
