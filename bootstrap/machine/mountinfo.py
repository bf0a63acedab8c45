"""What is mounted where, as the kernel says in /proc/self/mountinfo.

For: agent and fence; neither believes that something is mounted because a command said so. Guarantees: pure parsing;
reading the file never touches the file systems it lists, so it cannot hang on one of them. Does not: mount.
Source: proc(5), "/proc/pid/mountinfo".
"""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Mount:
    """One line of mountinfo. The `source` of an NFS mount includes the directory that `target` shows."""

    device: str
    target: str
    kind: str
    source: str
    options: frozenset[str]  # of the mount and of the file system together


def parse_mountinfo(text: str) -> tuple[Mount, ...]:
    """All mounts in the order in which they were made. Raises ValueError on a line the kernel would not write."""
    return tuple(_parse_line(line) for line in text.splitlines() if line.strip())


def mount_at(text: str, target: str) -> Mount | None:
    """The topmost mount at exactly `target`, or None."""
    found = [mount for mount in parse_mountinfo(text) if mount.target == target]
    return found[-1] if found else None


def _parse_line(line: str) -> Mount:
    fields = line.split()
    separator = fields.index("-", 6)
    kind, source, file_system_options = fields[separator + 1], fields[separator + 2], fields[separator + 3]
    return Mount(
        device=fields[2],
        target=_unescape(fields[4]),
        kind=kind,
        source=_unescape(source),
        options=frozenset(fields[5].split(",")) | frozenset(file_system_options.split(",")),
    )


def _unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)
