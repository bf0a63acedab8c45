"""What a machine takes of its host: the directory for its memory, and processes, which end with it.

For: `lab.hardware.uml`, the probe and the namespace. A machine is many processes in one session (one per address space
of the guest), and User Mode Linux maps its memory from a file. Guarantees: the directory allows executable mappings and
has enough space, the first candidate that fits is taken; no process of the session is left when `kill_session` returns.
Does not: reserve the space, or touch any other session.
Source: Documentation/virt/uml (TMPDIR, then /dev/shm); containers often give /dev/shm only 64 MiB.
"""

import contextlib
import os
import signal
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from lab.base.errors import LabPreconditionError
from lab.base.waiting import wait_for

KILL_LIMIT_S = 10.0


@dataclass(frozen=True)
class Room:
    """What matters of a directory: exists and writable, mounted executable, free space in MiB."""

    usable: bool
    executable: bool
    free_mib: int


def look_at(directory: Path) -> Room:
    if not (directory.is_dir() and os.access(directory, os.W_OK | os.X_OK)):
        return Room(usable=False, executable=False, free_mib=0)
    seen = os.statvfs(directory)
    return Room(
        usable=True,
        executable=not seen.f_flag & os.ST_NOEXEC,
        free_mib=seen.f_bavail * seen.f_frsize // (1024 * 1024),
    )


def choose_directory(candidates: Iterable[Path], needed_mib: int, look: Callable[[Path], Room] = look_at) -> Path:
    """The first of `candidates` that fits. Raises LabPreconditionError saying what is wrong with each."""
    findings = []
    for candidate in candidates:
        room = look(candidate)
        if not room.usable:
            findings.append(f"{candidate} is not writable")
        elif not room.executable:
            findings.append(f"{candidate} is mounted noexec")
        elif room.free_mib < needed_mib:
            findings.append(f"{candidate} has {room.free_mib} MiB free")
        else:
            return candidate
    raise LabPreconditionError(
        f"no place for {needed_mib} MiB of machine memory: {'; '.join(findings)}. "
        f"Free some space or enlarge /dev/shm (mount -o remount,exec,size={needed_mib}M /dev/shm)"
    )


class Stat(NamedTuple):
    """A process: its state's letter, its parent and its session."""

    state: str
    parent: int
    session: int


def parse_stat(text: str) -> Stat:
    """From the text of /proc/PID/stat; the command in it may contain anything."""
    fields = text.rpartition(")")[2].split()
    return Stat(fields[0], int(fields[1]), int(fields[3]))


def processes(proc: Path = Path("/proc")) -> Iterator[tuple[int, Stat]]:
    """All processes by id; one that ends while being looked at is left out."""
    for entry in proc.iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                yield int(entry.name), parse_stat((entry / "stat").read_text())


def session_members(session_id: int, proc: Path = Path("/proc")) -> list[int]:
    """Living processes of the session; zombies, which hold nothing any more, are left out."""
    return [pid for pid, stat in processes(proc) if stat.session == session_id and stat.state not in "ZX"]


def kill_session(session_id: int) -> None:
    """SIGKILL every process of the session until none lives. Raises LabTimeout when some cannot be ended."""

    def killed() -> bool:
        members = session_members(session_id)
        for pid in members:
            with contextlib.suppress(ProcessLookupError):  # just ended
                os.kill(pid, signal.SIGKILL)
        return not members

    wait_for(killed, f"end of the processes of session {session_id}", deadline_s=KILL_LIMIT_S, poll_s=0.01)
