"""The lab's DNS server on sockets: UDP and TCP on one address and port.

For: the lab listens on 169.254.169.253 port 53 inside its own network namespace. Guarantees: one thread for UDP, a
bounded number of TCP connections, each idle for at most `IDLE_S`; neither a bad packet nor a failing look-up ends the
server (SERVFAIL, and the traceback in the log). Does not: decide anything; that is `lab.edges.names`.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import socketserver
import threading

from lab.base.bounded_server import BoundedServer
from lab.edges.names import Names, server_failure

IDLE_S = 5.0
_LOG = logging.getLogger(__name__)


class NamesServer:
    """Serves `names`; `open()` starts, `close()` ends it."""

    def __init__(self, names: Names, *, address: str = "169.254.169.253", port: int = 53) -> None:
        """Binds both sockets at once; with port 0 both get the same free one. Raises OSError naming the address."""
        self._tcp = _TcpServer(names, address, port)
        self._udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._udp.bind((address, self._tcp.port))
        except OSError as error:
            self._tcp.close()
            self._udp.close()
            raise OSError(
                error.errno, f"cannot listen on {address} port {self._tcp.port} (UDP): {error.strerror}"
            ) from error
        self._udp.settimeout(0.2)
        self._names = names
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._serve_udp, name="names-udp", daemon=True)

    @property
    def port(self) -> int:
        """The port really bound, where 0 was asked for."""
        return self._tcp.port

    def open(self) -> None:
        """Start to serve in threads of its own."""
        self._tcp.open()
        self._thread.start()

    def close(self, *, deadline_s: float = 5.0) -> None:
        """Stop serving and close the sockets. Safe to repeat."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(deadline_s)
        self._udp.close()
        self._tcp.close(deadline_s=deadline_s)

    def _serve_udp(self) -> None:
        while not self._stop.is_set():
            try:
                packet, source = self._udp.recvfrom(4096)
            except TimeoutError:
                continue
            except OSError:
                continue  # an ICMP error of an earlier answer; the socket itself stays usable
            answer = _answer(self._names, packet, source[0], udp=True)
            if answer is not None:
                with contextlib.suppress(OSError):  # the asker has gone: its loss
                    self._udp.sendto(answer, source)


def _answer(names: Names, packet: bytes, source_address: str, *, udp: bool) -> bytes | None:
    try:
        return names.answer(packet, source_address, udp=udp)
    except Exception:  # whatever a look-up raised: the asker gets an answer, the log gets the reason
        _LOG.exception("no answer for a query from %s", source_address)
        return server_failure(packet)


class _TcpServer(BoundedServer):
    def __init__(self, names: Names, address: str, port: int) -> None:
        super().__init__((address, port), _TcpConnection, connections=32)
        self.names = names


class _TcpConnection(socketserver.StreamRequestHandler):
    timeout = IDLE_S
    server: _TcpServer

    def handle(self) -> None:
        while len(prefix := self.rfile.read(2)) == 2:
            packet = self.rfile.read(int.from_bytes(prefix, "big"))
            answer = _answer(self.server.names, packet, str(self.client_address[0]), udp=False)
            if answer is None:
                return
            self.wfile.write(len(answer).to_bytes(2, "big") + answer)
