"""Answers HTTP requests for the state of this instance, within bounds.

For: the agent, from the moment it knows its service until it ends. Guarantees: it never changes anything; it serves few
connections at once and few per second, each for a few seconds in all (also a client that sends a byte at a time), and
reads no more than a small head; it never fails or delays the agent, and a port that is taken is tried again. Does not:
keep connections open, or read a body. Nobody reaches the port unless the service file lets them in (security group).
"""

from __future__ import annotations

import contextlib
import logging
import socket
import ssl
import threading
from collections.abc import Callable
from email.utils import formatdate
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from io import BytesIO
from pathlib import Path
from typing import Any

from bootstrap.base.clock import Clock
from bootstrap.base.state import StateServerSettings
from bootstrap.base.threads import Event
from bootstrap.show.answers import Answer, answer
from bootstrap.show.view import View

log = logging.getLogger(__name__)

CONNECTIONS = 4  # at once; the kernel keeps a few more waiting
WAITING = 16
CONNECTION_S = 5.0  # from accept to close
LARGEST_HEAD = 8192  # bytes
PAUSE_S = 0.05  # of a thread after each connection: the agent goes before the service, and a flood must not
AGAIN_S = 10.0  # until a port that is taken is tried again
ACCEPT_AGAIN_S = 1.0  # after a connection that could not be accepted; without a free descriptor that fails at once


class StateServer:
    """`view` returns what is shown; it must return at once, and may be called by several threads."""

    def __init__(self, settings: StateServerSettings, clock: Clock, view: Callable[[], View]) -> None:
        self._settings = settings
        self._clock = clock
        self._view = view
        self._ending = threading.Event()
        self._listener: socket.socket | None = None

    def start(self) -> None:
        """Serve from now on, in threads of its own."""
        threading.Thread(target=self._open, name="state-server", daemon=True).start()

    def close(self) -> None:
        """Accept no more. Safe to repeat."""
        self._ending.set()
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes the threads that wait for the next client
            self._listener.close()

    def _open(self) -> None:
        said = ""
        while not self._ending.is_set():
            try:
                token = _token(self._settings)
                context = _context(self._settings)
                self._listener = socket.create_server(("", self._settings.port), backlog=WAITING)
                if self._ending.is_set():  # meanwhile; `close` may have looked before there was a listener
                    self._listener.close()
                    return
            except (OSError, ValueError) as error:
                if str(error) != said:
                    said = str(error)
                    log.warning("the state is not shown on port %d: %s", self._settings.port, error)
                self._clock.wait(self._ending, AGAIN_S)
                continue
            log.info("the state is shown on port %d", self.port)
            for number in range(CONNECTIONS):
                serve = _Connections(self._listener, context, token, self._view, self._clock, self._ending).serve
                threading.Thread(target=serve, name=f"state-server-{number}", daemon=True).start()
            return

    @property
    def port(self) -> int:
        """Where it listens; 0 before."""
        return int(self._listener.getsockname()[1]) if self._listener is not None else 0


class _Connections:
    """One after another, of one thread."""

    def __init__(
        self,
        listener: socket.socket,
        context: ssl.SSLContext | None,
        token: str,
        view: Callable[[], View],
        clock: Clock,
        ending: Event,
    ) -> None:
        self._listener = listener
        self._context = context
        self._token = token
        self._view = view
        self._clock = clock
        self._ending = ending

    def serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError as error:
                if self._listener.fileno() < 0:
                    return  # closed
                log.debug("state server: %s", error)  # the client has gone, or no descriptor is free (accept(2))
                self._clock.wait(self._ending, ACCEPT_AGAIN_S)
                continue
            try:
                self._exchange(connection)
            except (OSError, ValueError) as error:
                log.debug("state server: %s", error)  # a client that goes, or speaks no TLS, is nobody's trouble
            except Exception:
                log.exception("state server: a defect; this answer is lost")
            finally:
                connection.close()
            self._clock.wait(self._ending, PAUSE_S)

    def _exchange(self, connection: socket.socket) -> None:
        connection.settimeout(CONNECTION_S)
        if self._context is not None:
            connection = self._context.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        # The time-out of a socket counts each read anew; this one ends whatever goes on, as the kernel's own shutdown.
        end = threading.Timer(CONNECTION_S, _end, (connection,))
        end.daemon = True
        end.start()
        try:
            if isinstance(connection, ssl.SSLSocket):
                connection.do_handshake()
            connection.sendall(reply(_head(connection), self._token, self._view))
        finally:
            end.cancel()
            connection.close()


def _end(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it was closed just now
        connection.shutdown(socket.SHUT_RDWR)


def reply(head: bytes, token: str, view: Callable[[], View]) -> bytes:
    """The whole response to a request with `head`, whatever bytes it is."""
    written = BytesIO()
    _Request(head, written, lambda path, authorization: answer(path, authorization, token, view))
    return written.getvalue()


def _head(connection: socket.socket) -> bytes:
    """The bytes up to the empty line. Raises OSError, ValueError."""
    head = b""
    while b"\r\n\r\n" not in head and b"\n\n" not in head:
        received = connection.recv(LARGEST_HEAD)
        if not received:
            raise ValueError("the client has gone")
        head += received
        if len(head) > LARGEST_HEAD:
            raise ValueError(f"the request is larger than {LARGEST_HEAD} bytes")
    return head


class _Request(BaseHTTPRequestHandler):
    """One request that is read already; `written` gets the response."""

    default_request_version = "HTTP/1.0"  # of a line that cannot be read: the answer needs a status line

    def __init__(self, head: bytes, written: BytesIO, decide: Callable[[str, str], Answer]) -> None:
        self.rfile, self.wfile = BytesIO(head), written
        self.client_address, self.request_version, self.close_connection = ("", 0), "HTTP/1.0", True
        self.raw_requestline = self.rfile.readline(LARGEST_HEAD)
        if self.parse_request():
            if self.command in ("GET", "HEAD"):
                self._say(decide(self.path, self.headers.get("Authorization", "")))
            else:
                self._say(Answer(status=HTTPStatus.METHOD_NOT_ALLOWED, body=b"the state is read with GET or HEAD\n"))

    def _say(self, said: Answer) -> None:
        self.send_response_only(said.status)
        headers = {
            "Date": formatdate(usegmt=True),
            "Content-Type": said.content_type,
            "Content-Length": str(len(said.body)),
            "Cache-Control": "no-store",
            "Connection": "close",
            "X-Content-Type-Options": "nosniff",
            "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
        }
        if said.status is HTTPStatus.METHOD_NOT_ALLOWED:
            headers["Allow"] = "GET, HEAD"
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(said.body)

    def send_error(self, code: int, *_: str | None, **__: str | None) -> None:
        """A request that cannot be read. What was sent is not sent back."""
        status = HTTPStatus(code)
        self._say(Answer(status=status, body=f"{status.phrase}: this is no request that can be read\n".encode()))

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing: a proxy asks every second."""


def _token(settings: StateServerSettings) -> str:
    """Raises OSError, ValueError."""
    if not settings.token_file:
        return ""
    token = Path(settings.token_file).read_text(encoding="ascii").strip()
    if not token:
        raise ValueError(f"{settings.token_file} is empty: write the token into it")
    return token


def _context(settings: StateServerSettings) -> ssl.SSLContext | None:
    """Raises OSError."""
    if not settings.tls_file:
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(settings.tls_file)
    return context
