"""Chooses the directory for the machines' memory, which User Mode Linux maps from a file.

For: `lab.hardware.uml` and the probe. Guarantees: the directory allows executable mappings and has enough space; the
first candidate that fits is taken. Does not: reserve the space.
Source: Documentation/virt/uml (TMPDIR, then /dev/shm); containers often give /dev/shm only 64 MiB.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from lab.base.errors import LabPreconditionError


@dataclass(frozen=True)
class Room:
    """What matters of a directory: exists and writable, mounted executable, free space in MiB."""

    usable: bool
    executable: bool
    free_mib: int


def look_at(directory: Path) -> Room:
    """Observe `directory`."""
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
