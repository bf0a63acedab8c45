"""Probes of endpoints that fail in every way an endpoint can: a reason in words, and no longer than the time-out."""

import contextlib
import os
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bootstrap.base.clock import Deadline, SystemClock
from bootstrap.base.document import Health
from bootstrap.machine.commands import ChildCommands
from bootstrap.machine.health import KINDS, Prober
from bootstrap.machine.http_transport import Connections
from bootstrap.machine.probes.file import FileCheck
from bootstrap.machine.probes.http import fits
from tests.kit.clock import FakeClock

TIMEOUT_S = 0.6
SLACK_S = 3.0  # of a busy machine
Answerer = Callable[[socket.socket, threading.Event], None]


class Endpoint:
    """A port on loopback whose connections `answer` has, within `tls`; `requests` are their first lines. `keep` gets
    each whole request."""

    def __init__(self, answer: Answerer) -> None:
        self._answer = answer
        self._over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.requests: list[str] = []
        self.keep: Callable[[str], None] = lambda _: None
        self.tls: ssl.SSLContext | None = None
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if self.tls is not None:
                connection = self.tls.wrap_socket(connection, server_side=True)
            request = connection.recv(4096).decode(errors="replace")
            self.keep(request)
            self.requests.append(request.partition("\r\n")[0])
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


def probe(**check: object) -> tuple[list[str], float]:
    """What the prober says, and how long it took."""
    (kind,) = (kind for kind in KINDS if kind.kind == check["kind"])
    one = kind(**{"timeout_s": TIMEOUT_S, **check})  # type: ignore[arg-type]
    prober = Prober(ChildCommands(), Health(checks=(one,), start_allowance_s=9, interval_s=1, unhealthy_after=3))
    started_s = time.monotonic()
    found = prober.failures(Deadline(SystemClock(), 60, "test"))
    return found, time.monotonic() - started_s


def http_probe(port: int, *, scheme: str = "http") -> list[str]:
    found, took_s = probe(kind="http", url=f"{scheme}://127.0.0.1:{port}/ping")
    assert took_s < TIMEOUT_S + SLACK_S
    return found


OK = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"


def test_an_endpoint_that_is_well_is_asked_once_for_exactly_its_path(serve: Serve) -> None:
    endpoint = serve(says(OK))
    found, _ = probe(kind="http", url=f"http://127.0.0.1:{endpoint.port}/ping?deep=1")
    assert (found, endpoint.requests) == ([], ["GET /ping?deep=1 HTTP/1.1"])


@pytest.mark.parametrize("status", [204, 301, 400, 401, 404, 500, 502, 503])
def test_every_other_status_is_named(serve: Serve, status: int) -> None:
    endpoint = serve(says(f"HTTP/1.1 {status} Some Words\r\nContent-Length: 0\r\n\r\n"))
    assert http_probe(endpoint.port) == [f"GET http://127.0.0.1:{endpoint.port}/ping: status {status}, not 200"]


def test_a_redirect_to_what_is_well_is_not_followed(serve: Serve) -> None:
    well = serve(says(OK))
    away = f"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:{well.port}/\r\nContent-Length: 0\r\n\r\n"
    (found,) = http_probe(serve(says(away)).port)
    assert found.endswith("status 302, not 200")
    assert well.requests == []


def test_a_refused_connection_is_named() -> None:
    (found,) = http_probe(closed_port())
    assert "Connection refused" in found


@pytest.mark.parametrize("answer", [silent, drips])
def test_an_answer_that_does_not_come_costs_no_more_than_the_time_out(serve: Serve, answer: Answerer) -> None:
    (found,) = http_probe(serve(answer).port)
    assert "timed out" in found


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("SSH-2.0-OpenSSH_9.2\r\n", "BadStatusLine: SSH-2.0"),
        ("HTTP/1.1 well\r\n", "BadStatusLine: HTTP/1.1 well"),
        ("", "RemoteDisconnected: "),
    ],
)
def test_what_is_no_http_is_a_reason_too(serve: Serve, text: str, words: str) -> None:
    (found,) = http_probe(serve(says(text)).port)
    assert words in found


def test_https_to_a_port_that_speaks_none_is_a_reason_too(serve: Serve) -> None:
    (found,) = probe(kind="http", url=f"https://127.0.0.1:{serve(says(OK)).port}/ping", timeout_s=20.0)[0]
    assert "SSL" in found


def test_tcp_accepts_or_is_named(serve: Serve) -> None:
    assert probe(kind="tcp", port=serve(silent).port)[0] == []
    port = closed_port()
    (found,) = probe(kind="tcp", port=port)[0]
    assert found.startswith(f"connect 127.0.0.1:{port}: ")
    assert "refused" in found


def test_tcp_to_a_port_that_takes_nobody_more_is_bounded() -> None:
    with contextlib.ExitStack() as held:
        full = held.enter_context(socket.create_server(("127.0.0.1", 0), backlog=0))
        for _ in range(4):  # the kernel drops what the queue of those not yet accepted has no place for
            waiting = held.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(full.getsockname())
        found, took_s = probe(kind="tcp", port=full.getsockname()[1])
    assert "timed out" in found[0]
    assert took_s < TIMEOUT_S + SLACK_S


def test_a_probe_whose_time_out_counts_from_the_last_byte_is_seen(
    serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the cut, the library alone would wait for as long as the server sends."""
    monkeypatch.setattr(Connections, "cut", lambda _: None)
    endpoint = serve(drips)
    threading.Timer(TIMEOUT_S * 4, endpoint.close).start()
    found, took_s = probe(kind="http", url=f"http://127.0.0.1:{endpoint.port}/ping")
    assert found
    assert took_s > TIMEOUT_S * 3


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_no_descriptor_is_left_open(serve: Serve, scheme: str) -> None:
    endpoint = serve(drips)
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        http_probe(endpoint.port, scheme=scheme)
    endpoint.close()
    deadline = Deadline(SystemClock(), 10, "the endpoint to close its connections")
    while len(os.listdir("/proc/self/fd")) > before:
        deadline.pause(0.05)


def answering(body: str = "", *headers: str) -> Answerer:
    return says("\r\n".join(["HTTP/1.1 200 OK", f"Content-Length: {len(body)}", *headers, "", body]))


@pytest.mark.parametrize(
    ("expected", "words"),
    [
        ({"expect_body": '"UP"'}, ""),
        ({"expect_body": '"status":*"UP"*}'}, ""),
        ({"expect_body": '"UP"*"status"'}, "the first 64 KiB do not hold"),
        ({"expect_body": '"DOWN"'}, 'begin with \'{"status": "UP"}\''),
        ({"expect_headers": ("x-role: primary",)}, ""),
        ({"expect_headers": ("X-Role: pri*", "X-Role: *ary")}, ""),
        ({"expect_headers": ("X-Role: prim",)}, "header X-Role is 'primary', not 'prim'"),
        ({"expect_headers": ("X-Zone: *",)}, "no header X-Zone"),
    ],
)
def test_headers_and_body_are_compared_where_the_check_asks(
    serve: Serve, expected: dict[str, object], words: str
) -> None:
    endpoint = serve(answering('{"status": "UP"}', "X-Role: primary"))
    found, _ = probe(kind="http", url=f"http://127.0.0.1:{endpoint.port}/", **expected)
    assert bool(found) == bool(words)
    assert words in "".join(found)


def test_a_header_of_the_check_is_sent(serve: Serve) -> None:
    sent: list[str] = []

    endpoint = serve(says(OK))
    endpoint.keep = sent.append
    found, _ = probe(kind="http", url=f"http://127.0.0.1:{endpoint.port}/", headers=("Host: build.example.com",))
    assert (found, sent[0].count("Host: ")) == ([], 1)
    assert "Host: build.example.com\r\n" in sent[0]


@pytest.mark.parametrize(("kib", "is_well"), [(60, True), (70, False)])
def test_of_a_body_64_kib_count_and_the_rest_is_not_read(serve: Serve, kib: int, *, is_well: bool) -> None:
    endpoint = serve(answering("x" * kib * 1024 + "well" + "x" * 10_000_000))
    found, _ = probe(kind="http", url=f"http://127.0.0.1:{endpoint.port}/", expect_body="well", timeout_s=20.0)
    assert bool(found) != is_well


def test_a_body_that_drips_costs_no_more_than_the_time_out(serve: Serve) -> None:
    def body(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        drips(connection, over)

    (found,), took_s = probe(kind="http", url=f"http://127.0.0.1:{serve(body).port}/", expect_body="well")
    assert "timed out" in found
    assert took_s < TIMEOUT_S + SLACK_S


@pytest.mark.parametrize(
    ("pattern", "text", "is_fitting"),
    [
        ("", "", True),
        ("", "a", False),
        ("*", "", True),
        ("ab*ba", "aba", False),
        ("ab*ba", "abba", True),
        ("*b*", "abc", True),
        ("a*b*c*c", "abc", False),
        ("a.c", "abc", False),
        ("a" + "*a" * 400, "a" * 65_536 + "b", False),
    ],
)
def test_a_star_stands_for_anything(pattern: str, text: str, *, is_fitting: bool) -> None:
    assert fits(pattern, text) is is_fitting


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, ""),
        ({"verify_tls": True}, "CERTIFICATE_VERIFY_FAILED"),
        ({"verify_tls": True, "ca_file": "{file}"}, ""),
        ({"verify_tls": True, "ca_file": "{file}", "tls_name": "build.example.com"}, ""),
        ({"verify_tls": True, "ca_file": "{file}", "tls_name": "other.example.com"}, "other.example.com"),
        ({"verify_tls": True, "ca_file": "/nonexistent"}, "/nonexistent"),
    ],
)
def test_a_certificate_counts_where_the_check_asks(
    serve: Serve, tls_file: Path, settings: dict[str, object], words: str
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls_file)
    endpoint = serve(says(OK))
    endpoint.tls = context
    settings = {name: str(tls_file) if value == "{file}" else value for name, value in settings.items()}
    found, _ = probe(kind="http", url=f"https://127.0.0.1:{endpoint.port}/", timeout_s=20.0, **settings)
    assert bool(found) == bool(words)
    assert words in "".join(found)


@pytest.mark.parametrize("status", [200, 302])
def test_a_body_of_any_size_is_not_read(serve: Serve, status: int) -> None:
    """The status is all that counts: a body that goes on for ever costs nothing."""

    def endless(connection: socket.socket, over: threading.Event) -> None:
        head = f"HTTP/1.1 {status} Words\r\nLocation: /elsewhere\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        while not over.is_set():
            connection.sendall(b"400\r\n" + b"x" * 1024 + b"\r\n")

    url = f"http://127.0.0.1:{serve(endless).port}/ping"
    found, took_s = probe(kind="http", url=url, expect_status=status, timeout_s=20.0)
    assert found == []
    assert took_s < 10


def test_a_command_that_exits_0_is_well_and_another_says_why() -> None:
    assert probe(kind="command", argv=("true",))[0] == []
    (found,) = probe(kind="command", argv=("sh", "-c", "echo no seats; exit 3"), timeout_s=20.0)[0]
    assert found == "sh -c echo no seats; exit 3: exit code 3: no seats"


def test_a_command_that_does_not_end_is_killed_at_the_time_out() -> None:
    found, took_s = probe(kind="command", argv=("sleep", "60"))
    assert found == ["sleep 60: killed at its deadline"]
    assert took_s < TIMEOUT_S + SLACK_S


def test_a_file_that_is_young_is_well_and_one_that_is_too_old_or_missing_is_named(tmp_path: Path) -> None:
    file = tmp_path / "heartbeat"
    check = {"kind": "file", "path": str(file), "younger_than_s": 60.0, "timeout_s": 20.0}
    (missing,) = probe(**check)[0]
    assert missing.startswith(f"{file}: exit code 1: [Errno 2] No such file or directory")
    file.touch()
    assert probe(**check)[0] == []
    other = tmp_path / "old"
    other.touch()
    os.utime(other, (time.time() - 90, time.time() - 90))
    (old,) = probe(**{**check, "path": str(other)})[0]
    assert re.fullmatch(rf"{other}: 9\d s old, not younger than 60 s", old)


def test_a_wall_clock_that_is_set_makes_no_file_old_or_young(tmp_path: Path) -> None:
    """Each look: seconds after the one before, by how much the clock is set, whether the file was written since."""
    clock, wall_s, off_s = FakeClock(), 1_000_000.0, 0.0
    written_s, check = wall_s, FileCheck(path=str(tmp_path / "heartbeat"), younger_than_s=60.0)

    def look(after_s: float, stepped_s: float = 0.0, *, is_written: bool = False) -> str:
        nonlocal wall_s, off_s, written_s
        clock.advance(after_s)
        wall_s, off_s = wall_s + after_s, off_s + stepped_s
        written_s = wall_s + off_s if is_written else written_s
        said = f"exit code 1: written {int(written_s * 1e9)} ns, {wall_s + off_s - written_s:.3f} s ago"
        return check.failure(clock.deadline(), lambda _argv, _limit: said)

    assert look(0) == look(10, 3600.0) == look(10, -7200.0) == "", "20 s old"
    assert look(10, 3600.0, is_written=True) == look(50) == look(9, 3600.0) == ""
    assert look(2, -7200.0).endswith("61 s old, not younger than 60 s"), "not young for an hour"
    assert look(1, is_written=True) == ""
    assert look(30, is_written=True) == ""
    assert look(100, -3600.0).endswith("100 s old, not younger than 60 s")


@pytest.mark.parametrize(
    ("check", "words"),
    [
        ({"kind": "tcp", "port": 0}, "port: is 0; expected: A port from 1 to 65535"),
        ({"kind": "tcp", "port": 80, "host": "a\nb"}, "host: holds a line break"),
        ({"kind": "http", "url": "ftp://x"}, "url: not of the right form; expected: An http or https URL"),
        ({"kind": "http", "url": "http://x", "expect_status": 99}, "expect_status: is 99"),
        ({"kind": "http", "url": "http://x", "expect_headers": ("X-Role",)}, "expect_headers: not of the right form"),
        ({"kind": "http", "url": "http://x", "headers": ("A: b\nC: d",)}, "headers: holds a line break"),
        ({"kind": "http", "url": "http://x", "verify_tls": True}, "belong to a URL that begins with https:"),
        ({"kind": "http", "url": "https://x", "ca_file": "/x"}, "ca_file has no effect without verify_tls"),
        ({"kind": "http", "url": "https://x", "tls_name": "a b"}, "tls_name: not of the right form"),
        ({"kind": "command", "argv": ()}, "argv: has length 0"),
        ({"kind": "command", "argv": ("a", "")}, "argv: has length 0"),
        ({"kind": "file", "path": "etc/x", "younger_than_s": 1.0}, "path: not of the right form"),
        ({"kind": "file", "path": "/etc/x", "younger_than_s": 0.0}, "younger_than_s: is 0"),
        ({"kind": "tcp", "port": 80, "timeout_s": float("nan")}, "timeout_s: is nan"),
    ],
)
def test_a_check_outside_its_limits_cannot_be_made(check: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=re.escape(words)):
        probe(**check)
