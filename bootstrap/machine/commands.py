"""Runs other programs as children that can be killed.

For: mount, umount, systemctl, hooks, and every program that touches a file system which may not answer. Guarantees: a
child that is not done at its deadline is killed with its whole process group; one that cannot be killed, because it is
blocked in the kernel, is left behind and not waited for. Output goes to a file and not to a pipe, because the
background process of a mount helper would hold a pipe open for ever. The file is in memory (memfd_create(2)), because a
root disk that hangs or is full must not keep the agent from stopping a service.
Does not: use a shell, or raise for a non-zero exit code.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO, Protocol

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import StopRequested

log = logging.getLogger(__name__)

OUTPUT_LIMIT_BYTES = 65536
POLL_S = 0.5
KILL_WAIT_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Completed:
    """How a command ended. `exit_code` is None when it was killed at its deadline, 127 when it could not be started."""

    exit_code: int | None
    output: str

    @property
    def succeeded(self) -> bool:
        return self.exit_code == 0

    @property
    def summary(self) -> str:
        """One line for an error message."""
        ending = "killed at its deadline" if self.exit_code is None else f"exit code {self.exit_code}"
        last = " ".join(self.output.split())[-300:]
        return f"{ending}: {last}" if last else ending


class Commands(Protocol):
    """Runs one program until it ends or `deadline` kills it. Raises StopRequested after killing it on a stop."""

    def run(self, argv: Sequence[str], deadline: Deadline, *, text_in: str = "") -> Completed: ...


class ChildCommands:
    """Commands as children of this process."""

    def run(self, argv: Sequence[str], deadline: Deadline, *, text_in: str = "") -> Completed:
        with _memory_file("output") as output, _memory_file("input") as given:
            given.write(text_in.encode())
            given.seek(0)
            try:
                child = subprocess.Popen(
                    list(argv), stdin=given, stdout=output, stderr=subprocess.STDOUT, start_new_session=True
                )
            except OSError as error:
                return Completed(exit_code=127, output=str(error))
            try:
                exit_code = _wait(child, deadline)
            except StopRequested:
                _kill(child)
                raise
            if exit_code is None:
                _kill(child)
            output.seek(0)
            return Completed(exit_code=exit_code, output=output.read(OUTPUT_LIMIT_BYTES).decode(errors="replace"))


def _memory_file(name: str) -> BinaryIO:
    """A file for the input or the output of a child."""
    return os.fdopen(os.memfd_create(name), "w+b")


def _wait(child: subprocess.Popen[bytes], deadline: Deadline) -> int | None:
    while True:
        try:
            return child.wait(timeout=min(POLL_S, deadline.remaining_s))
        except subprocess.TimeoutExpired:
            if deadline.stop.is_requested:
                raise StopRequested(deadline.stop.sentence) from None
            if deadline.is_past:
                return None


def _kill(child: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(child.pid, signal.SIGKILL)
        child.wait(timeout=KILL_WAIT_S)
    except ProcessLookupError:
        return
    except subprocess.TimeoutExpired:
        log.warning("process %d (%s) cannot be killed and is left behind", child.pid, child.args)
