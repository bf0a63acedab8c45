"""Mounts the EFS file system, proves that it is the right one, and takes it away again.

For: steps mount-data and mount-lease. Two transports behind one interface: `efs-tls` (the image's mount helper, TLS and
IAM) and `nfs` (plain NFSv4.1). Each is tried by the zone-independent name first, then by the mount target's address.
Guarantees: each attempt is bounded, its child killed past it; success is what mountinfo says, never an exit code; the
marker is read by a killable child, so a server that hangs costs an attempt, not the agent; running again is safe.
Does not: write data; create mount targets.
Sources: EFS user guide "Recommended NFS mount options"; efs-utils README (`mounttargetip`, the local proxy shows the
source as 127.0.0.1; its last attempt has no time-out; "network not ready" exits 0); nfs(5) for `noac`, `lookupcache`.
"""

from __future__ import annotations

import json
import logging
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bootstrap.base.clock import Deadline
from bootstrap.base.document import FileSystem
from bootstrap.base.errors import MountError
from bootstrap.base.retry import NotYet, Pauses, retry
from bootstrap.machine.commands import Commands
from bootstrap.machine.mountinfo import Mount, mount_at

log = logging.getLogger(__name__)

NFS_OPTIONS = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport"
LEASE_OPTIONS = "noac,lookupcache=none,nosharecache"  # a cached answer about a lease is a wrong answer
PAUSES = Pauses(first_s=0.5, longest_s=5.0)
UNMOUNT_S = 10.0
CHILD = str(Path(__file__).with_name("data_child.py"))


@dataclass(frozen=True, kw_only=True)
class MountPlan:
    """One way to mount one part of the file system."""

    argv: tuple[str, ...]
    target: str
    kind: str
    sources: frozenset[str]  # what mountinfo may call the source
    options: frozenset[str]  # what mountinfo must list
    by: str  # for people


def plan_mounts(file_system: FileSystem, *, is_lease: bool, target: str, mount_target_address: str) -> list[MountPlan]:
    """The ways to mount the data or the lease part at `target`, best first. Pure."""
    names = [file_system.dns_name, mount_target_address]
    # /proc/self/mountinfo says "lookupcache=none" and "noac" where they are in force (Linux fs/nfs/super.c).
    required = frozenset({"hard", "noac", "lookupcache=none"} if is_lease else {"hard"})
    extra = f",{LEASE_OPTIONS}" if is_lease else ""
    if file_system.transport == "nfs":
        path = file_system.lease_path if is_lease else file_system.data_path
        return [
            MountPlan(
                argv=("mount", "-t", "nfs4", "-o", NFS_OPTIONS + extra, f"{name}:{path}", target),
                target=target,
                kind="nfs4",
                sources=frozenset({f"{name}:{path}" for name in names}),
                options=required,
                by=name,
            )
            for name in names
        ]
    access_point = file_system.lease_access_point_id if is_lease else file_system.data_access_point_id
    options = f"tls,iam,accesspoint={access_point},noresvport{extra}"
    return [
        MountPlan(
            argv=("mount", "-t", "efs", "-o", options + by, f"{file_system.id}:/", target),
            target=target,
            kind="nfs4",
            sources=frozenset({"127.0.0.1:/"}),
            options=required,
            by=name,
        )
        for name, by in zip(names, ("", f",mounttargetip={mount_target_address}"), strict=True)
    ]


def difference(plan: MountPlan, mount: Mount | None) -> str:
    """Why `mount` is not what `plan` asks for, or "". Pure."""
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

    def mount_at(self, target: str) -> Mount | None:
        """The topmost mount at `target`. Never touches the mounted file system."""
        return mount_at(self._mountinfo.read_text(encoding="utf-8"), target)

    def ensure_mounted(self, plans: list[MountPlan], deadline: Deadline, attempt_s: float, *, marker: Marker) -> str:
        """Mount by the first plan that works; by which. Raises MountRefused, DeadlineExceeded, StopRequested."""

        def attempt() -> str:
            seen = ""
            for plan in plans:
                deadline.check(seen)
                seen = self._attempt(plan, deadline.within(attempt_s, f"mount {plan.target} by {plan.by}"), marker)
                if not seen:
                    return f"by {plan.by}"
                log.info("mount %s by %s: %s", plan.target, plan.by, seen)
                self.unmount(plan.target, Deadline(deadline.clock, 2 * UNMOUNT_S, "unmount", deadline.stop))
            raise NotYet(seen)

        return retry(attempt, deadline, PAUSES)

    def _attempt(self, plan: MountPlan, attempt: Deadline, marker: Marker) -> str:
        """Why this plan did not work, or ""."""
        wrong = difference(plan, self.mount_at(plan.target))
        if wrong:
            self.unmount(plan.target, attempt)  # whatever else is there would only be hidden
            Path(plan.target).mkdir(parents=True, exist_ok=True)
            done = self._commands.run(plan.argv, attempt)
            wrong = difference(plan, self.mount_at(plan.target))
            if wrong:
                return f"{wrong} (mount: {done.summary})"
        return marker.verify(attempt)

    def bind(self, source: str, target: str, deadline: Deadline) -> None:
        """Show `source` at `target`. Raises MountError; the caller verifies."""
        done = self._commands.run(("mount", "--bind", source, target), deadline)
        if not done.succeeded:
            raise MountError(f"bind {source} to {target}: {done.summary}", remedy="Read the kernel log")

    def unmount(self, target: str, deadline: Deadline, *, may_be_lazy: bool = True) -> bool:
        """Unmount `target`; False when only lazily or not at all. Never lazily what may hold unwritten data: what is
        only detached can be written back at any time, and nobody sees it."""
        if self.mount_at(target) is None:
            return True
        done = self._commands.run(("umount", target), deadline.within(UNMOUNT_S, f"unmount {target}"))
        if self.mount_at(target) is None:
            return True
        if not may_be_lazy:
            log.warning("umount %s: %s; it stays", target, done.summary)
            return False
        log.warning("umount %s: %s; lazily now", target, done.summary)
        self._commands.run(("umount", "-f", "-l", target), deadline.within(UNMOUNT_S, f"unmount {target} lazily"))
        return False

    def sync(self, target: str, deadline: Deadline) -> bool:
        """Write everything back to the server; False when it did not answer in time."""
        return self._commands.run(("sync", "-f", target), deadline).succeeded

    def ask_child(self, request: dict[str, Any], deadline: Deadline) -> str:
        """Have data_child.py do `request`; what it did. Raises MountError, MountRefused for what will not change."""
        done = self._commands.run((sys.executable, "-I", "-S", CHILD), deadline, text_in=json.dumps(request))
        try:
            answer = json.loads(done.output)
        except ValueError:
            raise MountError(f"{request['root']} does not answer ({done.summary})") from None
        if "refused" in answer:
            raise MountRefused(str(answer["refused"]))
        if "failed" in answer:
            raise MountError(f"{request['root']}: {answer['failed']}")
        return str(answer["done"])


class MountRefused(MountError):
    """The right mount, but what is on it is not for this service; trying again cannot help."""

    reason = "file-system-refused"


class Marker:
    """The marker file on the data root; `Unmarked` below for the lease part, which needs none."""

    def __init__(self, file_systems: FileSystems, root: str, file_system_id: str, service: str) -> None:
        self._file_systems = file_systems
        self._request = {"verb": "marker", "root": root, "file_system": file_system_id, "service": service}

    def verify(self, deadline: Deadline) -> str:
        """Why the file system cannot be used now, or "". Raises MountRefused when it never can."""
        try:
            self._file_systems.ask_child(self._request, deadline)
        except MountRefused:
            raise
        except MountError as error:
            return str(error)
        return ""


class Unmarked(Marker):
    """A part that carries no marker: being mounted is enough."""

    def __init__(self) -> None:
        """Nothing to remember."""

    def verify(self, deadline: Deadline) -> str:
        return "" if not deadline.is_past else "no time left"
