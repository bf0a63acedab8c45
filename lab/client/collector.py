"""Receives the writers' reports over TCP and puts them into the ledger.

For: the writers on the client machine connect to it. Guarantees: a bounded number of connections; a line that is no
report is counted and skipped. Does not: judge; `lab.client.ledger` and `lab.client.check` do.
"""

import json
import socketserver
import time

from lab.base.bounded_server import BoundedServer
from lab.client.ledger import Ledger

MAX_LINE = 4096
IDLE_S = 10.0  # a writer gives a sign of life every second


class Collector(BoundedServer):
    """Feeds `ledger`; `open()` starts, `close()` ends it."""

    def __init__(self, ledger: Ledger, *, address: str, port: int = 0) -> None:
        super().__init__((address, port), _Connection, connections=16)
        self._ledger = ledger
        self.rejected = 0

    def take(self, line: bytes) -> None:
        try:
            report = json.loads(line)
            if not isinstance(report, dict):
                raise ValueError("not an object")
            self._ledger.add(report, time.monotonic())
        except ValueError:
            self.rejected += 1


class _Connection(socketserver.StreamRequestHandler):
    timeout = IDLE_S
    server: Collector

    def handle(self) -> None:
        while (line := self.rfile.readline(MAX_LINE)).endswith(b"\n"):
            self.server.take(line)
