"""The agent's side of the fence: sends it deadlines and waits for its answer.

For: the lease. Guarantees: each request ends within `ANSWER_S` with the fence's answer or with FenceError, and
`ask_until` within its deadline; the client connects again to a fence that was restarted. Does not: judge deadlines;
the fence does.
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
from bootstrap.fence.protocol import LONGEST_MESSAGE_BYTES, FenceAnswer, FenceRequest, decode_answer, packet_of

log = logging.getLogger(__name__)

ANSWER_S = 2.0
FENCE_PATIENCE_S = 30.0  # for a look: the whole machine may stand still for some seconds
PAUSES = Pauses(first_s=0.1, longest_s=1.0)
REMEDY = "Read journalctl -u soloist-fence; without it the service must not run"


class Fence(Protocol):
    """One request and its answer. Raises FenceError."""

    def ask(self, request: FenceRequest) -> FenceAnswer: ...


def ask_until(fence: Fence, request: FenceRequest, deadline: Deadline) -> FenceAnswer:
    """Ask until the fence answers. One silence of `ANSWER_S` is no failure of the fence: the whole machine may have
    stood still. Every request may be sent twice. Raises FenceError at the deadline, StopRequested."""
    try:
        return retry(lambda: fence.ask(request), deadline, PAUSES, passes=lambda *_: True, say=log.warning)
    except DeadlineExceeded as error:
        raise FenceError(str(error), remedy=REMEDY) from None


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
        self._channel.send(packet_of(request))
        packet = self._channel.recv(LONGEST_MESSAGE_BYTES)
        if not packet:
            raise OSError("it has ended")
        return decode_answer(packet)

    def _close(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None:
            with contextlib.suppress(OSError):
                channel.close()
