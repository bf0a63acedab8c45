"""A TCP server with one thread per connection and a fixed maximum of connections.

For: the metadata service, DNS over TCP and the collector, because the machines under test may misbehave. Guarantees: a
connection beyond the maximum is closed at once; `close` ends the listener and every connection and waits for the
threads. Does not: look up the peer's name, as the standard HTTP server does, which then waits for a resolver.
"""

import contextlib
import socket
import socketserver
import sys
import threading
from typing import Any


class BoundedServer(socketserver.ThreadingTCPServer):
    """`handler` serves one connection; its own `timeout` must bound every read."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64

    def __init__(
        self, address: tuple[str, int], handler: type[socketserver.BaseRequestHandler], connections: int
    ) -> None:
        """Binds at once. Raises OSError naming the address when it cannot."""
        self._open: dict[socket.socket, threading.Thread] = {}
        self._open_lock = threading.Lock()
        self._connections = connections
        self._loop: threading.Thread | None = None
        try:
            super().__init__(address, handler)
        except OSError as error:
            raise OSError(error.errno, f"cannot listen on {address[0]} port {address[1]}: {error.strerror}") from error

    @property
    def port(self) -> int:
        """The port really bound, where 0 was asked for."""
        return int(self.server_address[1])

    def open(self) -> None:
        """Start to serve in a thread of its own."""
        self._loop = threading.Thread(
            target=self.serve_forever, kwargs={"poll_interval": 0.1}, name=type(self).__name__, daemon=True
        )
        self._loop.start()

    def close(self, *, deadline_s: float = 5.0) -> None:
        """Stop listening, cut open connections, wait for their threads up to `deadline_s`. Safe to repeat."""
        if self._loop is not None:
            self.shutdown()
            self._loop.join(deadline_s)
            self._loop = None
        self.server_close()
        with self._open_lock:
            left = dict(self._open)
        for connection in left:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in left.values():
            thread.join(deadline_s)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve in a new thread, or close where the bound is reached."""
        with self._open_lock:
            if len(self._open) >= self._connections:
                self.shutdown_request(request)
                return
            thread = threading.Thread(
                target=self.process_request_thread, args=(request, client_address), name="connection", daemon=True
            )
            self._open[request] = thread
            thread.start()

    def shutdown_request(self, request: Any) -> None:
        """Called by the serving thread at its end."""
        super().shutdown_request(request)
        self._open.pop(request, None)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a peer that goes away, which is normal here; anything else is a defect and goes to stderr."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)
