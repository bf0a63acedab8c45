"""HTTP connections that somebody may cut: the transport below the health check `http`.

For: bootstrap.machine.probes.http. Guarantees: `cut` ends every connection at once, whatever it waits for, so that an
answer is bounded as a whole. Does not: know what an answer means.
Sources: requests documentation, "Timeouts" (a time-out counts from the last byte, so it does not bound the whole
answer); urllib3 `HTTPConnection._new_conn`, which returns the new socket, and `HTTPSConnectionPool` for
`server_hostname` (TLS SNI) and `assert_hostname` (the name in the certificate).
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import Any

import urllib3
from requests.adapters import HTTPAdapter

OF_THE_LIBRARY = ("requests", "urllib3")


class Connections(HTTPAdapter):
    """The transport of requests. It keeps a second descriptor of each socket, so that `cut` ends the connection in
    whatever state it is, also during a TLS handshake."""

    def __init__(self, tls_name: str = "") -> None:
        """`tls_name`: the server's name in the TLS handshake and in its certificate, where it is not the URL's host."""
        self._tls_options: dict[str, Any] = (
            {"server_hostname": tls_name, "assert_hostname": tls_name} if tls_name else {}
        )
        self.are_cut = False
        self._copies: list[socket.socket] = []
        self._lock = threading.Lock()
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **{**options, **self._tls_options})
        self.poolmanager.pool_classes_by_scheme = {
            scheme: _watched(pool, self._watch)
            for scheme, pool in (("http", urllib3.HTTPConnectionPool), ("https", urllib3.HTTPSConnectionPool))
        }

    def cut(self) -> None:
        """End every connection now; whoever reads from one gets an error or its end."""
        with self._lock:
            self.are_cut = True
            for each in self._copies:
                _shut(each)

    def close(self) -> None:
        super().close()
        with self._lock:
            for each in self._copies:
                each.close()
            self._copies.clear()

    def _watch(self, made: socket.socket) -> socket.socket:
        with self._lock:
            self._copies.append(made.dup())
            if self.are_cut:
                _shut(made)
        return made


def _watched(pool: Any, watch: Any) -> Any:
    """The pool class `pool` whose connections tell `watch` their sockets."""

    class Connection(pool.ConnectionCls):  # type: ignore[misc]
        def _new_conn(self) -> socket.socket:
            made: socket.socket = watch(super()._new_conn())
            return made

    return type(pool.__name__, (pool,), {"ConnectionCls": Connection})


def _shut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it has ended already
        connection.shutdown(socket.SHUT_RDWR)


def innermost(error: BaseException) -> str:
    """The reason below the library's own errors, which wrap it several times and repeat the URL."""
    while type(error).__module__.partition(".")[0] in OF_THE_LIBRARY and (error.__cause__ or error.__context__):
        error = error.__cause__ or error.__context__ or error
    return f"{type(error).__name__}: {error}"
