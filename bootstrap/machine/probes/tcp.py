"""The health check `tcp`: healthy when `host`:`port` accepts a connection.

For: bootstrap.machine.health. Guarantees: one attempt, no longer than its time-out; the connection is closed at once.
Does not: send or read anything.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from typing import Literal

from bootstrap.base.check import Check, RunCommand
from bootstrap.base.clock import Deadline
from bootstrap.base.values import Port, Text


@dataclass(frozen=True, kw_only=True)
class TcpCheck(Check):
    """Healthy when `host`:`port` accepts a connection."""

    kind: Literal["tcp"] = "tcp"
    port: Port
    host: Text = "127.0.0.1"

    def failure(self, limit: Deadline, _run: RunCommand, /) -> str:
        try:
            socket.create_connection((self.host, self.port), timeout=limit.seconds).close()
        except OSError as error:
            return f"connect {self.host}:{self.port}: {error}"
        return ""


KIND = TcpCheck
