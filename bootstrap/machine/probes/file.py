"""The health check `file`: healthy when a file was written less than `younger_than_s` ago.

For: bootstrap.machine.health; a service that has no port to ask, but writes a file at intervals (a heartbeat, a log).
Guarantees: the file is looked at by a child process that is killed at the time-out, because the file may be on a file
system that does not answer. The age is the machine's clock minus the file's modification time (stat(2), st_mtime).
Does not: read the file.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from typing import Literal

if __name__ == "__main__":  # the child: it imports the standard library alone, whatever the agent's path is
    PATH, YOUNGER_THAN_S = sys.argv[1], float(sys.argv[2])
    try:
        AGE_S = time.time() - os.stat(PATH).st_mtime
    except OSError as error:
        sys.exit(str(error))
    sys.exit(0 if AGE_S < YOUNGER_THAN_S else f"{AGE_S:.0f} s old, not younger than {YOUNGER_THAN_S:g} s")

from bootstrap.base.clock import Deadline
from bootstrap.base.document import Check, RunCommand
from bootstrap.base.values import AbsolutePath, Seconds


@dataclass(frozen=True, kw_only=True)
class FileCheck(Check):
    """Healthy when the file at `path` was written less than `younger_than_s` ago."""

    kind: Literal["file"] = "file"
    path: AbsolutePath
    younger_than_s: Seconds

    def failure(self, limit: Deadline, run: RunCommand, /) -> str:
        problem = run((sys.executable, "-I", "-S", __file__, self.path, f"{self.younger_than_s:g}"), limit)
        return f"{self.path}: {problem}" if problem else ""


KIND = FileCheck
