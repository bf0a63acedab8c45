"""The lab's DNS server on sockets: UDP and TCP on one address and port.

For: the lab listens on 169.254.169.253 port 53 inside its own network namespace. Guarantees: one thread for UDP; a
bounded number of TCP connections, none of which waits longer than `IDLE_S` for its peer; neither a bad packet nor a
failing look-up ends the server (SERVFAIL, and the traceback in the log). Does not: decide anything, which
`lab.edges.names` does; forward anything; answer more than one query per TCP connection (`dnslib.server` does not).
"""

import contextlib
import logging
import socketserver
import threading

from dnslib import DNSError
from dnslib.server import DNSHandler, DNSLogger

from lab.base.addresses import NAMES_ADDRESS
from lab.base.bounded_server import BoundedServer
from lab.edges.names import Names, server_failure

IDLE_S = 5.0
TCP_CONNECTIONS = 32
_LOG = logging.getLogger(__name__)


class NamesServer:
    """Serves `names`; `open()` starts, `close()` ends it."""

    def __init__(self, names: Names, *, address: str = NAMES_ADDRESS, port: int = 53) -> None:
        """Binds both sockets at once; with port 0 both get the same free one. Raises OSError naming the address."""
        self._tcp = BoundedServer((address, port), _handler(names, udp=False), TCP_CONNECTIONS)
        try:
            self._udp = socketserver.UDPServer((address, self.port), _handler(names, udp=True))
        except OSError as error:
            self._tcp.close()
            raise OSError(
                error.errno, f"cannot listen on {address} port {self.port} (UDP): {error.strerror}"
            ) from error
        self._loop = threading.Thread(target=self._udp.serve_forever, args=(0.1,), name="names-udp", daemon=True)

    @property
    def port(self) -> int:
        return self._tcp.port

    def open(self) -> None:
        self._tcp.open()
        self._loop.start()

    def close(self, *, deadline_s: float = 5.0) -> None:
        """Stop serving and close the sockets. Safe to repeat."""
        if self._loop.is_alive():
            self._udp.shutdown()
            self._loop.join(deadline_s)
        self._udp.server_close()
        self._tcp.close(deadline_s=deadline_s)


def _handler(names: Names, *, udp: bool) -> type[socketserver.BaseRequestHandler]:
    class Handler(DNSHandler):  # type: ignore[misc]  # dnslib has no types
        def setup(self) -> None:
            self.server.logger = DNSLogger(log="error", prefix=False, logf=_LOG.debug)
            if not udp:
                self.request.settimeout(IDLE_S)

        def handle(self) -> None:
            with contextlib.suppress(OSError):  # the asker has gone: its loss
                super().handle()

        def get_reply(self, packet: bytes) -> bytes:
            source_address = str(self.client_address[0])
            try:
                answer = names.answer(packet, source_address, udp=udp)
            except Exception:  # whatever a look-up raised: the asker gets an answer, the log gets the reason
                _LOG.exception("SERVFAIL for a query from %s: its look-up failed", source_address)
                answer = server_failure(packet)
            if answer is None:
                raise DNSError("not a query")
            return answer

    return Handler
