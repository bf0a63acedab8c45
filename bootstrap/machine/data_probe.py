"""One small write to the data, again and again, by a child that nobody waits for.

For: run.data_watch. Guarantees: the caller never touches the file system and never waits for it; there is one child at
most, and it lives from look to look, because to start a process costs more than the look; between two looks it keeps
nothing of the data open, so they can be unmounted; while one cannot be killed, because the kernel holds it, no other
is started. How many were left so is counted.
Does not: judge an answer, or know how long it may take.
"""

from __future__ import annotations

import json
import logging
import os
import select
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bootstrap.machine.commands import KILL_WAIT_S, OUTPUT_LIMIT_BYTES

log = logging.getLogger(__name__)

CHILD = str(Path(__file__).with_name("probe_child.py"))
READ_BYTES = 65536


class DataProbe:
    """The looks of one watch. Not safe for many threads."""

    def __init__(self, argv: Sequence[str] = (sys.executable, "-I", "-S", CHILD)) -> None:
        self._argv = list(argv)
        self._child: subprocess.Popen[bytes] | None = None
        self._said = b""
        self._is_asked = False
        self.stuck_count = 0

    @property
    def is_running(self) -> bool:
        """Whether a look is under way: its answer is not taken yet, or its child cannot be killed."""
        return self._is_asked

    def start(self, request: Mapping[str, Any]) -> None:
        """Begin a look; call it only while none is under way. Raises OSError."""
        assert not self._is_asked
        if self._child is not None and self._child.poll() is not None:
            self._forget()
        if self._child is None:
            self._child = subprocess.Popen(
                self._argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                start_new_session=True,
                bufsize=0,
            )
        assert self._child.stdin is not None
        os.write(self._child.stdin.fileno(), json.dumps(request).encode() + b"\n")  # far less than a pipe holds
        self._is_asked = True

    def answer(self) -> str | None:
        """What the child said, "" if it ended without a word or says no end of words; None while it looks."""
        if self._child is None or not self._is_asked:
            return None
        assert self._child.stdout is not None
        while select.select([self._child.stdout], [], [], 0)[0]:
            piece = os.read(self._child.stdout.fileno(), READ_BYTES)
            self._said += piece
            line, end, _ = self._said.partition(b"\n")
            if end:
                self._said, self._is_asked = b"", False
                return line.decode(errors="replace")
            if not piece or len(self._said) > OUTPUT_LIMIT_BYTES:
                return "" if self.kill() else None
        return None

    def kill(self) -> bool:
        """End the child; False while it cannot be killed."""
        child = self._child
        if child is None:
            return True
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGKILL)
        try:
            child.wait(KILL_WAIT_S)
        except subprocess.TimeoutExpired:
            self.stuck_count += 1
            log.warning("process %d of the data watch cannot be killed (%d so far)", child.pid, self.stuck_count)
            return False
        self._forget()
        return True

    def _forget(self) -> None:
        child, self._child, self._said, self._is_asked = self._child, None, b"", False
        for pipe in (child.stdin, child.stdout) if child else ():
            if pipe is not None:
                pipe.close()
