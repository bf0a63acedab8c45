"""One small write to the data, by a child that nobody waits for.

For: run.data_watch. Guarantees: the caller never touches the file system and never waits for it; there is one child at
most: while one cannot be killed, because the kernel holds it, no other is started. How many were left so is counted.
Does not: judge an answer, or know how long it may take.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, BinaryIO

from bootstrap.machine.commands import KILL_WAIT_S, OUTPUT_LIMIT_BYTES, memory_file

log = logging.getLogger(__name__)

CHILD = str(Path(__file__).with_name("probe_child.py"))


class DataProbe:
    """The children of one watch. Not safe for many threads."""

    def __init__(self, argv: Sequence[str] = (sys.executable, "-I", "-S", CHILD)) -> None:
        self._argv = list(argv)
        self._child: subprocess.Popen[bytes] | None = None
        self._output: BinaryIO | None = None
        self.stuck_count = 0

    @property
    def is_running(self) -> bool:
        """Whether there is a child whose answer is not taken yet, or that cannot be killed."""
        return self._child is not None

    def start(self, request: Mapping[str, Any]) -> None:
        """Start a child; call it only while none is running. Raises OSError."""
        assert self._child is None
        output = memory_file("output")
        with memory_file("input") as given:
            given.write(json.dumps(request).encode())
            given.seek(0)
            try:
                self._child = subprocess.Popen(
                    self._argv, stdin=given, stdout=output, stderr=subprocess.DEVNULL, start_new_session=True
                )
            except OSError:
                output.close()
                raise
        self._output = output

    def answer(self) -> str | None:
        """What the child said, "" if it ended without a word; None while it runs."""
        if self._child is None or self._child.poll() is None:
            return None
        assert self._output is not None
        self._output.seek(0)
        text = self._output.read(OUTPUT_LIMIT_BYTES).decode(errors="replace")
        self._forget()
        return text

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
        if self._output is not None:
            self._output.close()
        self._child = self._output = None
