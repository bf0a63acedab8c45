"""The health check `file`: healthy when a file was written less than `younger_than_s` ago.

For: bootstrap.machine.health; a service that has no port to ask, but writes a file at intervals (a heartbeat, a log).
Guarantees: the file is looked at by a child process that is killed at the time-out, because the file may be on a file
system that does not answer. A wall clock that is set, here or on the file server, makes no file old or young: its age
counts on the monotonic clock from the look that saw another modification time (stat(2), st_mtime). Only of the first
look the wall clock says how old the file is. Does not: read the file.
"""

from __future__ import annotations

import os
import re
import sys
import time
from dataclasses import dataclass
from typing import Literal

if __name__ == "__main__":  # the child: it imports the standard library alone, whatever the agent's path is
    try:
        WRITTEN_NS = os.stat(sys.argv[1]).st_mtime_ns
    except OSError as error:
        sys.exit(str(error))
    sys.exit(f"written {WRITTEN_NS} ns, {time.time() - WRITTEN_NS / 1e9:.3f} s ago")  # what a child says when it fails

from bootstrap.base.check import Check, RunCommand
from bootstrap.base.clock import Deadline
from bootstrap.base.values import AbsolutePath, Seconds

ANSWER = re.compile(r"written (\d+) ns, (-?[\d.]+) s ago$")


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What the last look at a file saw; times on the monotonic clock."""

    modified_ns: int
    written_s: float
    looked_s: float


_LOOKS: dict[str, _Look] = {}  # by path


@dataclass(frozen=True, kw_only=True)
class FileCheck(Check):
    """Healthy when the file at `path` was written less than `younger_than_s` ago."""

    kind: Literal["file"] = "file"
    path: AbsolutePath
    younger_than_s: Seconds

    def failure(self, limit: Deadline, run: RunCommand, /) -> str:
        answer = run((sys.executable, "-I", "-S", __file__, self.path), limit)
        found = ANSWER.search(answer)
        if found is None:
            return f"{self.path}: {answer or 'no answer'}"
        age_s = _age_s(self.path, int(found[1]), float(found[2]), limit.clock.monotonic())
        if age_s < self.younger_than_s:
            return ""
        return f"{self.path}: {age_s:.0f} s old, not younger than {self.younger_than_s:g} s"


def _age_s(path: str, modified_ns: int, wall_age_s: float, now_s: float) -> float:
    """How long ago the file was written, at least; remembers this look."""
    before = _LOOKS.get(path)
    if before is not None and before.modified_ns == modified_ns:
        written_s = before.written_s
    else:  # since the look before, whatever the wall clock says
        written_s = max(now_s - max(0.0, wall_age_s), before.looked_s if before is not None else float("-inf"))
    _LOOKS[path] = _Look(modified_ns=modified_ns, written_s=written_s, looked_s=now_s)
    return now_s - written_s


KIND = FileCheck
