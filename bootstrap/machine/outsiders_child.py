"""Names, and on request signals, the processes that use the data outside the service's control group: `python -I -S`.

For: machine.outsiders. Reads one JSON request from stdin: `devices` (major:minor of the data), `group` (the service's
control group), `signal` (0 for none), `proc`. Writes one JSON line per outsider as soon as it is found, so that what
was found before a hang is known.
Guarantees: every process of the machine is looked at, in whatever mount namespace it is: its own copies of the mount
that stay when ours is gone, its open files, its mappings, its directories. The data file system itself is touched only
at the end, for open files whose mount was detached, and only its attributes.
Does not: signal itself, its parent, or the first process; mount, wait, or import anything but the standard library.
Sources: proc(5) on fdinfo (`mnt_id`, `flags`), maps, mountinfo and its optional fields; mount_namespaces(7) (an unmount
also happens where the mount above is a peer or a slave of the one above ours).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
from collections.abc import Iterator
from typing import Any

WRITABLE = os.O_WRONLY | os.O_RDWR
NO_FILES = ("/memfd:", "/SYSV", "/dev/zero", "/anon_hugepage")  # shown like files, on mounts that nobody sees
MOST_USES = 3
PEER = re.compile(r"^(?:shared|master):(\d+)$")

Use = tuple[str, bool]  # what it does, and whether that writes


class MountTable:
    """The mounts of one namespace."""

    def __init__(self, text: str) -> None:
        self.devices: dict[str, str] = {}  # by mount id
        self.targets: dict[str, str] = {}  # device by target; the topmost wins
        self.lines: list[tuple[str, str, bool, str]] = []  # device, target, writable, id of the parent mount
        self._groups: dict[str, set[str]] = {}  # peer groups by mount id
        for fields in (line.split() for line in text.splitlines()):
            optional = fields[6 : fields.index("-", 6)]
            self.devices[fields[0]] = self.targets[fields[4]] = fields[2]
            self._groups[fields[0]] = {match.group(1) for word in optional if (match := PEER.match(word))}
            self.lines.append((fields[2], fields[4], "rw" in fields[5].split(","), fields[1]))

    def groups_above(self, devices: set[str]) -> set[str]:
        """The peer groups of the mounts on which `devices` are mounted: an unmount reaches the others of the group."""
        return {group for device, _, _, parent in self.lines if device in devices for group in self.groups(parent)}

    def groups(self, mount: str) -> set[str]:
        return self._groups.get(mount, set())

    def device_of(self, path: str) -> str:
        """The device that shows `path`."""
        while path not in self.targets and path != "/":
            path = os.path.dirname(path) or "/"
        return self.targets.get(path, "")


class Machine:
    """All processes of one machine."""

    def __init__(self, devices: set[str], proc: str) -> None:
        self._devices = devices
        self._proc = proc
        self.own = self._link("self", "ns/mnt")
        self.tables = {self.own: MountTable(self.read("self", "mountinfo"))}
        self.namespaces: dict[str, str] = {}
        for pid in filter(str.isdecimal, os.listdir(proc)):
            with contextlib.suppress(OSError):  # it has ended
                namespace = self._link(pid, "ns/mnt")
                if namespace not in self.tables:
                    self.tables[namespace] = MountTable(self.read(pid, "mountinfo"))
                self.namespaces[pid] = namespace
        self._by_id = {id_: device for table in self.tables.values() for id_, device in table.devices.items()}

    def read(self, pid: str, name: str) -> str:
        with open(f"{self._proc}/{pid}/{name}", encoding="utf-8", errors="replace") as stream:
            return stream.read()

    def uses(self, pid: str) -> Iterator[Use]:
        """What `pid` does with the data. Touches no file system."""
        yield from self._mounts(pid)
        table = self.tables[self.namespaces[pid]]
        for name, what in (("cwd", "works in"), ("root", "has its root in"), ("exe", "runs")):
            with contextlib.suppress(OSError):
                path = self._link(pid, name)
                if table.device_of(path) in self._devices:
                    yield f"{what} {path}", False
        for path, flags, mount in self._open_files(pid):
            if self._by_id.get(mount) in self._devices:
                yield f"has {path} open", bool(flags & WRITABLE)
        yield from self._mappings(pid)

    def detached_uses(self, pid: str) -> Iterator[Use]:
        """Open files on a mount that is in no namespace any more. Asks for their attributes."""
        for number, (path, flags, mount) in enumerate(self._open_files(pid)):
            if mount in self._by_id or path.startswith(NO_FILES):
                continue
            with contextlib.suppress(OSError):
                status = os.stat(f"{self._proc}/{pid}/fd/{self._fds[number]}").st_dev
                if f"{os.major(status)}:{os.minor(status)}" in self._devices:
                    yield f"has {path} open on a detached mount", bool(flags & WRITABLE)

    def _mounts(self, pid: str) -> Iterator[Use]:
        namespace = self.namespaces[pid]
        if namespace == self.own:
            return
        ours, table = self.tables[self.own].groups_above(self._devices), self.tables[namespace]
        for device, target, is_writable, parent in table.lines:
            if device in self._devices and not table.groups(parent) & ours:
                yield f"has a mount of its own at {target}", is_writable

    def _open_files(self, pid: str) -> Iterator[tuple[str, int, str]]:
        self._fds: list[str] = []
        try:
            names = os.listdir(f"{self._proc}/{pid}/fd")
        except OSError:
            return
        for name in names:
            with contextlib.suppress(OSError, ValueError, KeyError):
                path = self._link(pid, f"fd/{name}")
                if not path.startswith("/"):
                    continue  # a pipe or a socket
                fields = dict(line.split(":", 1) for line in self.read(pid, f"fdinfo/{name}").splitlines()[:4])
                found = path, int(fields["flags"], 8), fields["mnt_id"].strip()
                self._fds.append(name)
                yield found

    def _mappings(self, pid: str) -> Iterator[Use]:
        with contextlib.suppress(OSError):
            for line in self.read(pid, "maps").splitlines():
                fields = line.split(maxsplit=5)
                major, _, minor = fields[3].partition(":")
                if f"{int(major, 16)}:{int(minor, 16)}" in self._devices:
                    yield f"maps {fields[-1]}", "w" in fields[1] and "s" in fields[1]

    def _link(self, pid: str, name: str) -> str:
        return os.readlink(f"{self._proc}/{pid}/{name}")


def outsiders(request: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Each outsider: pid, name, control group, what it does, whether that writes."""
    machine = Machine(set(request["devices"]), request["proc"])
    spared = {str(os.getpid()), str(os.getppid()), "1"}
    suspects = {}
    for pid in machine.namespaces.keys() - spared:
        with contextlib.suppress(OSError):
            group = machine.read(pid, "cgroup").strip().rpartition("::")[2]
            if not f"{group}/".startswith(f"{request['group']}/"):
                suspects[pid] = group
    seen: set[str] = set()
    for look in (machine.uses, machine.detached_uses):
        for pid in sorted(suspects.keys() - seen, key=int):
            uses = list(dict.fromkeys(look(pid)))
            if not uses:
                continue
            seen.add(pid)
            name = ""
            with contextlib.suppress(OSError):
                name = machine.read(pid, "comm").strip()
                if request["signal"]:
                    os.kill(int(pid), request["signal"])
            what = ", ".join(use for use, _ in uses[:MOST_USES])
            more = f" and {len(uses) - MOST_USES} more" if len(uses) > MOST_USES else ""
            yield {
                "pid": int(pid),
                "name": name,
                "group": suspects[pid],
                "uses": what + more,
                "is_writing": any(is_writing for _, is_writing in uses),
            }


if __name__ == "__main__":
    for found in outsiders(json.loads(sys.stdin.read())):
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()
