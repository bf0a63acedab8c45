"""The health check `http`: healthy when a URL answers one status.

For: bootstrap.machine.health. Guarantees: the answer's status is there before the time-out ends, however slowly the
server sends: at that moment the connection is cut. The body is never read. Does not: follow redirects, use a proxy or
credentials of the environment, or check certificates: the probe asks whether the service answers on its own machine,
and certificates carry the public name.
Sources: requests documentation, "Timeouts" (a time-out counts from the last byte, so it does not bound the whole
answer) and "Body Content Workflow"; urllib3 `HTTPConnection._new_conn`, which returns the new socket.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from dataclasses import dataclass
from typing import Any, Literal

import requests
import urllib3
from requests.adapters import HTTPAdapter

from bootstrap.base.clock import Deadline
from bootstrap.base.document import Check, RunCommand
from bootstrap.base.values import HttpStatus, Url

HEADERS = {"User-Agent": "soloist", "Connection": "close"}
OF_THE_LIBRARY = ("requests", "urllib3")

# The certificate is not checked on purpose (see above); without this line every probe would print a warning.
urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)


@dataclass(frozen=True, kw_only=True)
class HttpCheck(Check):
    """Healthy when `url` answers `expect_status`."""

    kind: Literal["http"] = "http"
    url: Url
    expect_status: HttpStatus = 200

    def failure(self, limit: Deadline, _run: RunCommand, /) -> str:
        connections = Connections()
        timer = threading.Timer(limit.seconds, connections.cut)
        timer.daemon = True
        timer.start()
        try:
            status = _status(self.url, connections, limit.seconds)
        except (requests.RequestException, urllib3.exceptions.HTTPError) as error:
            reason = "TimeoutError: timed out" if connections.are_cut else _innermost(error)
            return f"GET {self.url}: {reason}"
        finally:
            timer.cancel()
            connections.close()
        return "" if status == self.expect_status else f"GET {self.url}: status {status}, not {self.expect_status}"


def _status(url: str, connections: Connections, timeout_s: float) -> int:
    # Not by a session: it would read the body of a redirect, however long, and look for a proxy in the environment.
    request = requests.Request("GET", url, headers=HEADERS).prepare()
    with connections.send(request, stream=True, timeout=timeout_s, verify=False) as answer:
        return answer.status_code


class Connections(HTTPAdapter):
    """The transport of requests. It keeps a second descriptor of each socket, so that `cut` ends the connection in
    whatever state it is, also during a TLS handshake."""

    def __init__(self) -> None:
        self.are_cut = False
        self._copies: list[socket.socket] = []
        self._lock = threading.Lock()
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, **options)
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


def _innermost(error: BaseException) -> str:
    """The reason below the library's own errors, which wrap it several times and repeat the URL."""
    while type(error).__module__.partition(".")[0] in OF_THE_LIBRARY and (error.__cause__ or error.__context__):
        error = error.__cause__ or error.__context__ or error
    return f"{type(error).__name__}: {error}"


KIND = HttpCheck
