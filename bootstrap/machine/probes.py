"""Asks the service whether it is well: HTTP, TCP or a command.

For: step healthy and the supervisor. Guarantees: each probe is bounded by its own time-out and returns a reason in
words instead of raising. Does not: change anything, decide anything, or follow redirects.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from urllib.parse import urlsplit

from bootstrap.base.clock import Deadline
from bootstrap.base.document import Health, HealthCheck
from bootstrap.base.errors import ServiceError
from bootstrap.machine.commands import Commands

START_POLL_S = 0.25
LONGEST_STATUS_LINE_BYTES = 4096


class Prober:
    """Runs the checks of one service."""

    def __init__(self, commands: Commands, health: Health) -> None:
        self._commands = commands
        self._health = health

    def failures(self, deadline: Deadline) -> list[str]:
        """Why the service is not well, one entry per failing check; empty when all pass. Raises StopRequested."""
        found = (self._probe(check, deadline) for check in self._health.checks)
        return [reason for reason in found if reason]

    def await_healthy(self, deadline: Deadline) -> str:
        """Wait until all checks pass. Raises ServiceError when they do not until `deadline`, StopRequested."""
        rounds = 1
        while failures := self.failures(deadline):
            if deadline.remaining_s <= START_POLL_S:
                raise ServiceError(
                    f"not healthy after {deadline.seconds:.0f} s: {'; '.join(failures)}",
                    remedy="Read the service's journal; raise health.start_allowance_s if it only needs longer",
                )
            deadline.pause(START_POLL_S, "; ".join(failures))
            rounds += 1
        return f"{len(self._health.checks)} checks passed in round {rounds}"

    def _probe(self, check: HealthCheck, deadline: Deadline) -> str:
        timeout_s = max(0.1, min(check.timeout_s, deadline.remaining_s))
        if check.kind == "http":
            return _probe_http(check, deadline.within(timeout_s, f"GET {check.url}"))
        if check.kind == "tcp":
            return _probe_tcp(check, timeout_s)
        limit = Deadline(deadline.clock, timeout_s, f"health check {check.argv[0]}", deadline.stop)
        done = self._commands.run(check.argv, limit)
        return "" if done.succeeded else f"{' '.join(check.argv)}: {done.summary}"


def _probe_http(check: HealthCheck, limit: Deadline) -> str:
    url = urlsplit(check.url)
    host = url.hostname or "127.0.0.1"
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        # The probe asks whether the service answers, on its own machine; certificates carry the public name.
        context = ssl._create_unverified_context()
        connection = http.client.HTTPSConnection(host, url.port, timeout=limit.seconds, context=context)
    else:
        connection = http.client.HTTPConnection(host, url.port, timeout=limit.seconds)
    path = (url.path or "/") + (f"?{url.query}" if url.query else "")
    try:
        connection.request("GET", path, headers={"User-Agent": "soloist", "Connection": "close"})
        status = _status(connection, limit)
    except (OSError, http.client.HTTPException) as error:
        return f"GET {check.url}: {type(error).__name__}: {error}"
    finally:
        connection.close()
    return "" if status == check.expect_status else f"GET {check.url}: status {status}, not {check.expect_status}"


def _status(connection: http.client.HTTPConnection, limit: Deadline) -> int:
    """The status of the answer, which is here before `limit`: http.client's own time-out begins anew with every byte.
    Raises OSError, http.client.HTTPException."""
    line = b""
    while b"\n" not in line and len(line) < LONGEST_STATUS_LINE_BYTES:
        remaining_s = limit.remaining_s
        if remaining_s <= 0:
            raise TimeoutError("timed out")
        connection.sock.settimeout(remaining_s)
        received = connection.sock.recv(LONGEST_STATUS_LINE_BYTES)
        if not received:
            break
        line += received
    version, _, rest = line.partition(b"\n")[0].decode("latin-1").strip().partition(" ")
    status = rest[:3]
    if not version.startswith("HTTP/") or not status.isdecimal():
        raise http.client.BadStatusLine(line[:80].decode("latin-1"))
    return int(status)


def _probe_tcp(check: HealthCheck, timeout_s: float) -> str:
    try:
        socket.create_connection((check.host, check.port), timeout=timeout_s).close()
    except OSError as error:
        return f"connect {check.host}:{check.port}: {error}"
    return ""
