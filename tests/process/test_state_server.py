"""The state server under clients that are slow, many, or no clients at all: each is bounded, and others are served."""

import errno
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from bootstrap.base.clock import Clock, SystemClock
from bootstrap.base.state import State, StateServerSettings
from bootstrap.base.threads import Event
from bootstrap.show import server
from bootstrap.show.server import CONNECTIONS, LARGEST_HEAD, StateServer
from bootstrap.show.view import View
from lab.base.waiting import wait_for
from tests.kit.clock import FakeClock

VIEW = View(
    service="demo", role="holder", is_ready=True, is_healthy=True, state=State(phase="ready", sentence="serves")
)
SLACK_S = 10.0  # of a busy machine
SHORT_S = 0.5

Start = Callable[..., StateServer]


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as ends:

        def open_server(
            port: int = 0, view: Callable[[], View] = lambda: VIEW, clock: Clock | None = None, **settings: str
        ) -> StateServer:
            made = StateServer(StateServerSettings(port=port, **settings), clock or SystemClock(), view)
            ends.callback(made.close)
            made.start()
            return made

        yield open_server


def listening(of: StateServer) -> int:
    return wait_for(lambda: of.port, "a port", deadline_s=SLACK_S)


def exchanged(port: int, request: bytes) -> bytes:
    """All that comes back; what was sent is all that is ever sent."""
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SLACK_S) as connection:
        connection.sendall(request)
        with suppress(ConnectionResetError):  # closed while something was still unread
            while received := connection.recv(65_536):
                answer += received
    return answer


def test_get_and_head_are_answered_and_nothing_else(start: Start) -> None:
    port = listening(start())
    url = f"http://127.0.0.1:{port}"
    got, head = requests.get(f"{url}/ready", timeout=SLACK_S), requests.head(f"{url}/ready", timeout=SLACK_S)
    assert (got.status_code, got.text) == (200, "ready: holder, ready: serves\n")
    assert (head.status_code, head.text, head.headers["Content-Length"]) == (200, "", str(len(got.text)))
    refused = requests.post(f"{url}/ready", data=b"x", timeout=SLACK_S)
    assert (refused.status_code, refused.headers["Allow"]) == (405, "GET, HEAD")


@pytest.mark.parametrize(
    ("request_text", "status"),
    [
        (b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n", 200),
        (b"GET /live HTTP/1.0\n\n", 200),
        (b"GET /live\r\n\r\n", 200),
        (b"\r\n\r\n", None),
        (b"GET /live HTTP/1.1 x y\r\n\r\n", 400),
        (b"GET /live HTTP/9.9\r\n\r\n", 505),
        (b"GET /live HTTP/1.1\r\nA: " + b"x" * LARGEST_HEAD, None),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET /live HTTP/1.1\r\n" + b"a: b\r\n" * 200 + b"\r\n", 431),
        (b"GET /\xff\xfe HTTP/1.1\r\n\r\n", 404),
        (b"GET /live HTTP/1.1\r\nHost: a\r\n\r\n" + b"GET /state HTTP/1.1\r\n\r\n", 200),
    ],
)
def test_whatever_is_sent_the_answer_is_one_and_the_next_client_is_served(
    start: Start, request_text: bytes, status: int | None
) -> None:
    port = listening(start())
    for _ in range(CONNECTIONS + 1):  # a thread that ended would be missed
        answer = exchanged(port, request_text)
        found = re.match(rb"HTTP/1\.[01] ([0-9]{3}) ", answer)
        assert (int(found[1]) if found else None) == status
        assert answer.count(b"HTTP/1.") <= 1
    assert exchanged(port, b"GET /ready HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.0 200")


def test_a_client_that_sends_a_byte_at_a_time_is_cut_off(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTION_S", SHORT_S)
    port, began_s = listening(start()), time.monotonic()
    with socket.create_connection(("127.0.0.1", port), timeout=SLACK_S) as slow:
        slow.settimeout(SHORT_S / 10)

        def is_cut_off() -> bool:
            try:
                slow.sendall(b"G")
                return slow.recv(1) == b""
            except TimeoutError:
                return False
            except OSError:
                return True

        wait_for(is_cut_off, "the end of the connection", deadline_s=SLACK_S, poll_s=0.01)
    assert time.monotonic() - began_s >= SHORT_S * 0.9


def test_clients_that_hold_every_connection_hold_it_for_a_moment(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTION_S", SHORT_S)
    port = listening(start())
    with ExitStack() as held:
        for _ in range(2 * CONNECTIONS):
            held.enter_context(socket.create_connection(("127.0.0.1", port), timeout=SLACK_S))
        assert requests.get(f"http://127.0.0.1:{port}/ready", timeout=SLACK_S).status_code == 200


def test_a_defect_of_the_view_costs_one_answer_and_no_thread(start: Start) -> None:
    broken = threading.Event()
    broken.set()

    def view() -> View:
        if broken.is_set():
            raise RuntimeError("planted")
        return VIEW

    port = listening(start(view=view))
    for _ in range(CONNECTIONS + 1):
        assert exchanged(port, b"GET /ready HTTP/1.1\r\n\r\n") == b""
    broken.clear()
    assert exchanged(port, b"GET /ready HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.0 200")


class CountingClock(SystemClock):
    """Counts the waits and shortens none."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def wait(self, event: Event, timeout_s: float) -> bool:
        self.waits.append(timeout_s)
        return super().wait(event, timeout_s)


def test_a_flood_costs_the_machine_little_because_every_thread_pauses(start: Start) -> None:
    clock = CountingClock()
    port = listening(start(clock=clock))
    for _ in range(3 * CONNECTIONS):
        assert exchanged(port, b"GET /metrics HTTP/1.1\r\n\r\n").startswith(b"HTTP/1.0 200")
    wait_for(lambda: len(clock.waits) >= 3 * CONNECTIONS, "a pause after each connection", deadline_s=SLACK_S)
    assert set(clock.waits) == {server.PAUSE_S}


def test_closed_before_it_could_listen_it_never_does(monkeypatch: pytest.MonkeyPatch) -> None:
    create = socket.create_server
    opened: list[socket.socket] = []
    instance = StateServer(StateServerSettings(port=0), SystemClock(), lambda: VIEW)

    def closing(*given: Any, **named: Any) -> socket.socket:
        instance.close()
        opened.append(create(*given, **named))
        return opened[-1]

    monkeypatch.setattr(server.socket, "create_server", closing)
    before = set(threading.enumerate())
    instance._open()
    assert opened[0].fileno() == -1
    assert set(threading.enumerate()) <= before, "and no thread serves"


def test_a_port_that_is_taken_is_tried_again_and_said_once(
    start: Start, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(server, "AGAIN_S", 0.05)
    with socket.create_server(("", 0)) as taken:
        port = int(taken.getsockname()[1])
        made = start(port)
        wait_for(lambda: f"not shown on port {port}" in caplog.text, "a warning", deadline_s=SLACK_S)
    assert listening(made) == port
    assert caplog.text.count("not shown") == 1


def test_closed_it_listens_no_more(start: Start) -> None:
    made = start()
    port = listening(made)
    made.close()
    made.close()

    def is_refused() -> bool:
        try:
            exchanged(port, b"GET /live HTTP/1.1\r\n\r\n")
        except ConnectionError:
            return True
        return False

    assert is_refused()


def test_tls_and_token(start: Start, tls_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "CONNECTION_S", 2.0)
    (tmp_path / "token").write_text("secret\n")
    port = listening(start(tls_file=str(tls_file), token_file=str(tmp_path / "token")))
    for _ in range(CONNECTIONS + 1):
        assert exchanged(port, b"GET /ready HTTP/1.1\r\n\r\n")[:4] != b"HTTP", "no answer without TLS"
    context = ssl.create_default_context(cafile=str(tls_file))
    with context.wrap_socket(socket.create_connection(("127.0.0.1", port)), server_hostname="127.0.0.1") as trusted:
        trusted.sendall(b"GET /state HTTP/1.1\r\n\r\n")
        assert trusted.recv(65_536).startswith(b"HTTP/1.0 401")
    headers = {"Authorization": "Bearer secret"}
    url = f"https://127.0.0.1:{port}/state"
    assert requests.get(url, timeout=SLACK_S, verify=str(tls_file), headers=headers).json()["service"] == "demo"


@pytest.mark.parametrize("text", ["", " \n"])
def test_an_empty_token_opens_nothing(
    start: Start, tmp_path: Path, text: str, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "token").write_text(text)
    made = start(token_file=str(tmp_path / "token"))
    wait_for(lambda: "is empty: write the token into it" in caplog.text, "a warning", deadline_s=SLACK_S)
    assert made.port == 0


def test_without_a_free_descriptor_it_waits_before_it_accepts_again() -> None:
    tries, clock = [], FakeClock()

    class Full:
        def accept(self) -> None:
            tries.append(len(tries))
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

        def fileno(self) -> int:
            return 3 if len(tries) < 4 else -1

    listener: Any = Full()
    server._Connections(listener, None, "", lambda: VIEW, clock, threading.Event()).serve()
    assert (len(tries), clock.waits) == (4, [server.ACCEPT_AGAIN_S] * 3)
