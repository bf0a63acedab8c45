"""Mounts and unmounts file systems, and proves from mountinfo what is mounted where.

For: every kind of storage (bootstrap.claims.storage), and the data directories. Guarantees: what counts is what
mountinfo says, never an exit code; the kernel's list is read without touching a file system; whatever does touch one is
a child that is killed at its deadline, so a server that hangs costs an attempt and not the agent; safe to repeat.
Does not: know a kind of storage, or write data (its child writes the marker, see data_child.py).
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import MountError
from bootstrap.machine.commands import Commands
from bootstrap.machine.mountinfo import Mount, mount_at

log = logging.getLogger(__name__)

UNMOUNT_S = 10.0
CHILD = str(Path(__file__).with_name("data_child.py"))


@dataclass(frozen=True, kw_only=True)
class MountPlan:
    """One way to mount a file system, and what mountinfo must say afterwards. `patience_s`: how long the others have
    to have failed before this one is tried."""

    argv: tuple[str, ...]
    target: str
    kind: str
    sources: frozenset[str]  # what mountinfo may call the source
    options: frozenset[str]  # what mountinfo must list
    by: str  # for people
    patience_s: float = 0.0


def difference(plan: MountPlan, mount: Mount | None) -> str:
    """Why `mount` is not what `plan` asks for; "" when it is. Pure."""
    if mount is None:
        return f"nothing is mounted at {plan.target}"
    if mount.kind != plan.kind:
        return f"{plan.target} is {mount.kind}, not {plan.kind}"
    if mount.source not in plan.sources:
        return f"{plan.target} shows {mount.source}, not {' or '.join(sorted(plan.sources))}"
    missing = plan.options - mount.options
    if missing:
        return f"{plan.target} is mounted without {', '.join(sorted(missing))}"
    if "ro" in mount.options:
        return f"{plan.target} is mounted read-only"
    return ""


class FileSystems:
    """Mounts and unmounts by command, and looks only at mountinfo."""

    def __init__(self, commands: Commands, mountinfo: Path) -> None:
        self._commands = commands
        self._mountinfo = mountinfo
        self.space: tuple[int, int] | None = None  # bytes in all and in use, when a child looked last

    def mount_at(self, target: str) -> Mount | None:
        """The topmost mount at `target`. Never touches the mounted file system."""
        return mount_at(self._mountinfo.read_text(encoding="utf-8"), target)

    def mount(self, plan: MountPlan, deadline: Deadline) -> str:
        """Mount by `plan`, unless it is mounted so already; why it is not, "" when it is. Raises StopRequested."""
        wrong = difference(plan, self.mount_at(plan.target))
        if not wrong:
            return ""
        self.unmount(plan.target, deadline)  # what else is mounted there would only be hidden
        Path(plan.target).mkdir(parents=True, exist_ok=True)
        done = self._commands.run(plan.argv, deadline)
        wrong = difference(plan, self.mount_at(plan.target))
        return f"{wrong} (mount: {done.summary})" if wrong else ""

    def check_marker(
        self, root: str, storage_id: str, service: str, deadline: Deadline, *, is_written: bool = True
    ) -> str:
        """Why what is mounted at `root` cannot be used for `service` now; "" when its marker says that it is
        `storage_id` of `service`, or (with `is_written`) was written now because the file system is empty.
        Raises MountRefused when it never can be used, StopRequested."""
        verb = "marker" if is_written else "inspect-marker"
        request = {"verb": verb, "root": root, "file_system": storage_id, "service": service}
        try:
            self.ask_child(request, deadline)
        except MountRefused:
            raise
        except MountError as error:
            return str(error)
        return ""

    def bind(self, source: str, target: str, deadline: Deadline) -> None:
        """Show `source` at `target`; the caller verifies it. Raises MountError, StopRequested."""
        done = self._commands.run(("mount", "--bind", source, target), deadline)
        if not done.succeeded:
            raise MountError(f"bind {source} to {target}: {done.summary}", remedy="Read the kernel log")

    def unmount(self, target: str, deadline: Deadline, *, may_be_lazy: bool = True) -> bool:
        """Unmount `target`; False when that was possible only lazily, or not at all. Use `may_be_lazy=False` where
        there may be unwritten data: after a lazy unmount they can be written back at any later time, unseen."""
        if self.mount_at(target) is None:
            return True
        done = self._commands.run(("umount", target), deadline.within(UNMOUNT_S, f"unmount {target}"))
        if self.mount_at(target) is None:
            return True
        if not may_be_lazy:
            log.warning("umount %s failed (%s): it stays mounted", target, done.summary)
            return False
        log.warning("umount %s failed (%s): unmounting it lazily", target, done.summary)
        self._commands.run(("umount", "-f", "-l", target), deadline.within(UNMOUNT_S, f"unmount {target} lazily"))
        return False

    def sync(self, target: str, deadline: Deadline) -> bool:
        """Write everything back to the server; False when it did not answer in time."""
        return self._commands.run(("sync", "-f", target), deadline).succeeded

    def ask_child(self, request: dict[str, Any], deadline: Deadline) -> str:
        """Have data_child.py carry out `request`; what it did, in words. Raises MountRefused when trying again cannot
        help, else MountError; StopRequested."""
        done = self._commands.run((sys.executable, "-I", "-S", CHILD), deadline, text_in=json.dumps(request))
        try:
            answer = json.loads(done.output)
        except ValueError:
            raise MountError(f"{request['root']} does not answer ({done.summary})") from None
        if "refused" in answer:
            raise MountRefused(str(answer["refused"]))
        if "failed" in answer:
            raise MountError(f"{request['root']}: {answer['failed']}")
        if "space" in answer:
            total, used = answer["space"]
            self.space = (int(total), int(used))
        return str(answer["done"])


class MountRefused(MountError):
    """The file system holds what this service must not use; trying again cannot help."""

    reason = "file-system-refused"
