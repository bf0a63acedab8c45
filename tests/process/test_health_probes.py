"""Probes of endpoints that fail in every way an endpoint can: a reason in words, and no longer than the time-out."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bootstrap.base.clock import Deadline, SystemClock
from bootstrap.base.document import Health, HealthCheck
from bootstrap.machine import probes as health
from bootstrap.machine.probes import Prober
from tests.kit.fake_os import FakeOs

TIMEOUT_S = 0.6
SLACK_S = 3.0  # of a busy machine
Answerer = Callable[[socket.socket, threading.Event], None]


class Endpoint:
    """A port on loopback whose connections `answer` has; `requests` are their first lines."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.requests: list[str] = []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            self.requests.append(connection.recv(4096).decode(errors="replace").partition("\r\n")[0])
            self._answer(connection, self._over)

    def close(self) -> None:
        self._over.set()
        self._listener.close()


Serve = Callable[[Answerer], Endpoint]


@pytest.fixture
def serve() -> Iterator[Serve]:
    made: list[Endpoint] = []

    def start(answer: Answerer) -> Endpoint:
        made.append(Endpoint(answer))
        return made[-1]

    yield start
    for endpoint in made:
        endpoint.close()


def says(text: str) -> Answerer:
    return lambda connection, _: connection.sendall(text.encode())


def silent(_: socket.socket, over: threading.Event) -> None:
    over.wait()


def drips(connection: socket.socket, over: threading.Event) -> None:
    """A byte at a time, each well within a time-out that counts from the last one."""
    for _ in range(100):
        connection.sendall(b"H")
        if over.wait(TIMEOUT_S / 10):
            return


def closed_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


def probe(root: Path, **check: object) -> tuple[list[str], float]:
    """What the prober says, and how long it took."""
    one = HealthCheck(timeout_s=TIMEOUT_S, **check)  # type: ignore[arg-type]
    prober = Prober(FakeOs(root), Health(checks=(one,), start_allowance_s=9, interval_s=1, unhealthy_after=3))
    started_s = time.monotonic()
    found = prober.failures(Deadline(SystemClock(), 60, "test"))
    return found, time.monotonic() - started_s


def http_probe(root: Path, port: int, *, scheme: str = "http") -> list[str]:
    found, took_s = probe(root, kind="http", url=f"{scheme}://127.0.0.1:{port}/ping")
    assert took_s < TIMEOUT_S + SLACK_S
    return found


OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_an_endpoint_that_is_well_is_asked_once_for_exactly_its_path(tmp_path: Path, serve: Serve) -> None:
    endpoint = serve(says(OK))
    found, _ = probe(tmp_path, kind="http", url=f"http://127.0.0.1:{endpoint.port}/ping?deep=1")
    assert (found, endpoint.requests) == ([], ["GET /ping?deep=1 HTTP/1.1"])


@pytest.mark.parametrize("status", [204, 301, 400, 401, 404, 500, 502, 503])
def test_every_other_status_is_named(tmp_path: Path, serve: Serve, status: int) -> None:
    endpoint = serve(says(f"HTTP/1.1 {status} Some Words\r\nContent-Length: 0\r\n\r\n"))
    assert http_probe(tmp_path, endpoint.port) == [
        f"GET http://127.0.0.1:{endpoint.port}/ping: status {status}, not 200"
    ]


def test_a_redirect_to_what_is_well_is_not_followed(tmp_path: Path, serve: Serve) -> None:
    well = serve(says(OK))
    away = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{well.port}/\r\nContent-Length: 0\r\n\r\n"
    (found,) = http_probe(tmp_path, serve(says(away)).port)
    assert found.endswith("status 302, not 200")
    assert well.requests == []


def test_a_refused_connection_is_named(tmp_path: Path) -> None:
    (found,) = http_probe(tmp_path, closed_port())
    assert "Connection refused" in found


@pytest.mark.parametrize("answer", [silent, drips])
def test_an_answer_that_does_not_come_costs_no_more_than_the_time_out(
    tmp_path: Path, serve: Serve, answer: Answerer
) -> None:
    (found,) = http_probe(tmp_path, serve(answer).port)
    assert "timed out" in found


@pytest.mark.parametrize(
    ("text", "words"), [("SSH-2.0-OpenSSH_9.2\r\n", "SSH-2.0"), ("", ""), ("HTTP/1.1 well\r\n", "well")]
)
def test_what_is_no_http_is_a_reason_too(tmp_path: Path, serve: Serve, text: str, words: str) -> None:
    (found,) = http_probe(tmp_path, serve(says(text)).port)
    assert "BadStatusLine" in found
    assert words in found


def test_https_to_a_port_that_speaks_none_is_a_reason_too(tmp_path: Path, serve: Serve) -> None:
    (found,) = http_probe(tmp_path, serve(says(OK)).port, scheme="https")
    assert "SSL" in found


def test_tcp_accepts_or_is_named(tmp_path: Path, serve: Serve) -> None:
    assert probe(tmp_path, kind="tcp", port=serve(silent).port)[0] == []
    port = closed_port()
    (found,) = probe(tmp_path, kind="tcp", port=port)[0]
    assert found.startswith(f"connect 127.0.0.1:{port}: ")
    assert "refused" in found


def test_tcp_to_a_port_that_takes_nobody_more_is_bounded(tmp_path: Path) -> None:
    with contextlib.ExitStack() as held:
        full = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # the kernel drops what the queue of those not yet accepted has no place for
            waiting = held.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        found, took_s = probe(tmp_path, kind="tcp", port=full.getsockname()[1])
    assert "timed out" in found[0]
    assert took_s < TIMEOUT_S + SLACK_S


def test_a_probe_whose_time_out_counts_from_the_last_byte_is_seen(
    tmp_path: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def patient(connection: http.client.HTTPConnection, _: Deadline) -> int:
        return connection.getresponse().status

    monkeypatch.setattr(health, "_status", patient)
    endpoint = serve(drips)
    threading.Timer(TIMEOUT_S * 4, endpoint.close).start()
    found, took_s = probe(tmp_path, kind="http", url=f"http://127.0.0.1:{endpoint.port}/ping")
    assert found
    assert took_s > TIMEOUT_S * 3
