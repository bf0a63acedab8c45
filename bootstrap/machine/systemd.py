"""Tells systemd that the agent is ready, alive or stopping, and what it is doing.

For: the agent, a unit of `Type=notify`. Guarantees: never blocks and never fails the caller; does nothing where there
is no NOTIFY_SOCKET. Does not: judge whether the agent is alive (run.pulse does).
Source: sd_notify(3), also for EXTEND_TIMEOUT_USEC; an address that begins with "@" is an abstract socket and starts
with a NUL byte on the wire.
"""

from __future__ import annotations

import logging
import socket

log = logging.getLogger(__name__)

EXTEND_S = 60  # systemd ends a start or a stop that is over its time-out this long after the last sign of life


class ServiceNotifier:
    """Sends state lines to the notification socket at `address` (the value of NOTIFY_SOCKET, or empty)."""

    def __init__(self, address: str) -> None:
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self._is_serving = False

    def send(self, *lines: str) -> bool:
        """Send `lines` as one datagram; False when it could not be sent."""
        if not self._address:
            return False
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
                channel.settimeout(0)
                channel.sendto("\n".join(lines).encode(), self._address)
        except OSError as error:
            log.warning("systemd was not notified (%s): %s", lines[0], error)
            return False
        return True

    def ready(self, sentence: str) -> bool:
        self._is_serving = True
        return self.send("READY=1", f"STATUS={_one_line(sentence)}")

    def status(self, sentence: str) -> bool:
        return self.send(f"STATUS={_one_line(sentence)}")

    def alive(self) -> bool:
        """The watchdog is for an agent that is ready; while it starts or stops, systemd counts a time-out instead. An
        extension would also put off the watchdog, so there is none while the agent is ready."""
        extension = () if self._is_serving else (f"EXTEND_TIMEOUT_USEC={EXTEND_S * 1_000_000}",)
        return self.send("WATCHDOG=1", *extension)

    def stopping(self, sentence: str) -> bool:
        self._is_serving = False
        return self.send("STOPPING=1", f"STATUS={_one_line(sentence)}")


def _one_line(text: str) -> str:
    return " ".join(text.split())
