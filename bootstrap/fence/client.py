"""The agent's side of the fence: tell it deadlines, and have its word in hand before anything rests on it.

For: the lease. Guarantees: every call is bounded and answered by the fence or raises FenceError; a fence that was
started again is found again. Does not: judge deadlines; the fence does.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
from pathlib import Path
from typing import Protocol

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import DeadlineExceeded, FenceError
from bootstrap.base.retry import Pauses, retry
from bootstrap.fence.protocol import LONGEST_MESSAGE_BYTES, FenceAnswer, FenceRequest, decode_answer, encode

log = logging.getLogger(__name__)

ANSWER_S = 2.0
PAUSES = Pauses(first_s=0.1)
REMEDY = "Read journalctl -u soloist-fence; without it the service must not run"


class Fence(Protocol):
    """One request and its answer. Raises FenceError."""

    def ask(self, request: FenceRequest) -> FenceAnswer: ...


def await_ready(fence: Fence, deadline: Deadline) -> FenceAnswer:
    """Wait until the fence answers. Raises FenceError at the deadline, StopRequested."""
    try:
        return retry(lambda: fence.ask(FenceRequest(verb="look")), deadline, PAUSES, passes=lambda *_: True)
    except DeadlineExceeded as error:
        raise FenceError(f"the fence was not ready in time: {error.seen}", remedy=REMEDY) from None


class FenceClient:
    """A connection to the fence's socket, made when needed. Safe to call from many threads."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._channel: socket.socket | None = None
        self._lock = threading.Lock()

    def ask(self, request: FenceRequest) -> FenceAnswer:
        """The fence's answer. Raises FenceError when there is none within `ANSWER_S`."""
        with self._lock:
            try:
                return self._exchange(request)
            except (OSError, ValueError) as error:
                self._close()
                raise FenceError(f"the fence does not answer {request.verb}: {error}", remedy=REMEDY) from None

    def _exchange(self, request: FenceRequest) -> FenceAnswer:
        if self._channel is None:
            channel = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
            channel.settimeout(ANSWER_S)
            try:
                channel.connect(str(self._path))
            except OSError:
                channel.close()
                raise
            self._channel = channel
        self._channel.send(encode(request))
        packet = self._channel.recv(LONGEST_MESSAGE_BYTES)
        if not packet:
            raise OSError("it has ended")
        return decode_answer(packet)

    def _close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            with contextlib.suppress(OSError):
                channel.close()
