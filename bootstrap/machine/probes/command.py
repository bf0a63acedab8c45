"""The health check `command`: healthy when a program exits 0.

For: bootstrap.machine.health. Guarantees: the program is killed at its time-out. Does not: use a shell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bootstrap.base.check import Check, RunCommand
from bootstrap.base.clock import Deadline
from bootstrap.base.values import Argv


@dataclass(frozen=True, kw_only=True)
class CommandCheck(Check):
    """Healthy when `argv` exits 0."""

    kind: Literal["command"] = "command"
    argv: Argv

    def failure(self, limit: Deadline, run: RunCommand, /) -> str:
        problem = run(self.argv, limit)
        return f"{' '.join(self.argv)}: {problem}" if problem else ""


KIND = CommandCheck
