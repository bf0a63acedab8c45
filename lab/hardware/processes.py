"""Ends a machine: User Mode Linux is many processes in one session (one per address space of the guest).

For: `lab.hardware.uml` and the probe. Guarantees: no process of the session is left when `kill_session` returns.
Does not: touch any other session.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path

from lab.base.waiting import wait_for

KILL_LIMIT_S = 10.0


def parse_stat(text: str) -> tuple[str, int]:
    """(state, session id) from the text of /proc/PID/stat; the command in it may contain anything."""
    fields = text.rpartition(")")[2].split()
    return fields[0], int(fields[3])


def session_members(session_id: int, proc: Path = Path("/proc")) -> list[int]:
    """Living processes of the session; zombies, which hold nothing any more, are left out."""
    members = []
    for entry in proc.iterdir():
        if not entry.name.isdigit():
            continue
        try:
            state, session = parse_stat((entry / "stat").read_text())
        except (FileNotFoundError, ProcessLookupError):  # ended while being looked at
            continue
        if session == session_id and state not in "ZX":
            members.append(int(entry.name))
    return members


def kill_session(session_id: int) -> None:
    """SIGKILL every process of the session until none lives. Raises LabTimeout when some cannot be ended."""

    def killed() -> bool:
        members = session_members(session_id)
        for pid in members:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:  # just ended
                continue
        return not members

    wait_for(killed, f"end of the processes of session {session_id}", deadline_s=KILL_LIMIT_S, poll_s=0.01)
