"""Asks the child process that touches the lease directory, one request at a time, and kills it when it hangs.

For: directory. Guarantees: an answer or `NoAnswer` within the time given; a child that is blocked on a server that is
away is killed, and the next request gets a new child; a late answer is never taken for the answer to a later request.
The server may still carry out what a killed child had sent, so the caller reads back.
Does not: know what a request means.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import select
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bootstrap.base.clock import Clock
from bootstrap.lease.rules.observation import NoAnswer

log = logging.getLogger(__name__)

CHILD = str(Path(__file__).with_name("child.py"))
KILL_WAIT_S = 0.5
READ_BYTES = 65536


class LeaseWorker:
    """One child at a time. Safe to call from many threads; they wait for one another, within their own time."""

    def __init__(self, clock: Clock, argv: Sequence[str] = (sys.executable, "-I", "-S", CHILD)) -> None:
        self._clock = clock
        self._argv = list(argv)
        self._child: subprocess.Popen[bytes] | None = None
        self._buffer = b""
        self._number = 0
        self._lock = threading.Lock()

    def start(self) -> None:
        """Start the child ahead of the first request, so that it costs no time then."""
        with self._lock, contextlib.suppress(OSError):
            self._ensure_child()

    def ask(self, timeout_s: float, **request: Any) -> dict[str, Any] | NoAnswer:
        """The child's answer to `request` (with its `verb`)."""
        ends_s = self._clock.monotonic() + timeout_s
        if not self._lock.acquire(timeout=timeout_s):
            return NoAnswer(reason=f"the lease directory is still busy with another request after {timeout_s:.0f} s")
        try:
            return self._exchange(request, ends_s, timeout_s)
        except (OSError, ValueError) as error:
            self._end_child()
            return NoAnswer(reason=f"the lease directory's process failed: {error}")
        finally:
            self._lock.release()

    def close(self) -> None:
        """End the child."""
        with self._lock:
            self._end_child()

    def _exchange(self, request: dict[str, Any], ends_s: float, timeout_s: float) -> dict[str, Any] | NoAnswer:
        child = self._ensure_child()
        self._number += 1
        line = json.dumps({"number": self._number, **request}).encode() + b"\n"
        assert child.stdin is not None
        assert child.stdout is not None
        os.write(child.stdin.fileno(), line)
        while b"\n" not in self._buffer:
            left_s = ends_s - self._clock.monotonic()
            if left_s <= 0 or not select.select([child.stdout], [], [], left_s)[0]:
                self._end_child()
                return NoAnswer(reason=f"the lease directory did not answer {request['verb']} within {timeout_s:.0f} s")
            piece = os.read(child.stdout.fileno(), READ_BYTES)
            if not piece:
                raise OSError(f"it ended (exit code {child.poll()})")
            self._buffer += piece
        text, _, self._buffer = self._buffer.partition(b"\n")
        answer: dict[str, Any] = json.loads(text)
        if answer.pop("number") != self._number:
            raise ValueError("an answer to another question")
        if "failed" in answer:
            return NoAnswer(reason=f"{request['verb']}: {answer['failed']}", cause=str(answer.get("cause", "")))
        return answer

    def _ensure_child(self) -> subprocess.Popen[bytes]:
        if self._child is None or self._child.poll() is not None:
            self._buffer = b""
            self._child = subprocess.Popen(
                self._argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd="/", start_new_session=True, bufsize=0
            )
        return self._child

    def _end_child(self) -> None:
        child, self._child, self._buffer = self._child, None, b""
        if child is None:
            return
        with contextlib.suppress(OSError):
            child.kill()
        for pipe in (child.stdin, child.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        try:
            child.wait(KILL_WAIT_S)
        except subprocess.TimeoutExpired:
            log.warning("process %d cannot be killed (blocked on the lease directory) and is left behind", child.pid)
