"""HTTP to the metadata service, over a real socket: whatever the other side does, a request ends in time."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import pytest

from bootstrap.cloud.imds import LARGEST_ANSWER_BYTES, Answer, HttpTransport

TIMEOUT_S = 1.0
WATCHDOG_S = 10.0  # only a broken transport ever needs them


@contextmanager
def serving(answer: Callable[[socket.socket, bytes], None]) -> Iterator[str]:
    """A server that reads one request, passes it to `answer` and ends, with the body at the latest; its URL."""
    accepted: list[socket.socket] = []

    def serve() -> None:
        try:
            connection, _ = listener.accept()
            accepted.append(connection)
            with connection:
                answer(connection, connection.recv(65536))
        except OSError:
            return  # the client has gone, as it should

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(WATCHDOG_S)
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        for connection in accepted:
            with suppress(OSError):  # it is closed already
                connection.shutdown(socket.SHUT_RDWR)
        thread.join(WATCHDOG_S)


def ask(url: str) -> Answer:
    return HttpTransport(url)("GET", "/latest/user-data", {"X-aws-ec2-metadata-token": "t"}, TIMEOUT_S)


def test_the_request_and_the_answer_are_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    asked: list[bytes] = []

    def answer(connection: socket.socket, request: bytes) -> None:
        asked.append(request)
        chunks = b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"
        connection.sendall(b"HTTP/1.1 404 Not Found\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks)

    with serving(answer) as url:
        assert ask(url) == Answer(status=404, body="hello world")
    assert asked[0].startswith(b"GET /latest/user-data HTTP/1.1\r\n")
    assert b"X-aws-ec2-metadata-token: t\r\n" in asked[0]


def test_a_redirect_is_an_answer() -> None:
    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 301 Moved\r\nLocation: http://192.0.2.1/\r\nContent-Length: 0\r\n\r\n")

    with serving(answer) as url:
        assert ask(url).status == 301


def drip(head: bytes) -> Callable[[socket.socket, bytes], None]:
    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(head)
        ends_s = time.monotonic() + 3 * TIMEOUT_S
        while time.monotonic() < ends_s:
            connection.sendall(b"x")
            time.sleep(0.05)

    return answer


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nX-Header: ", b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n"]
)
def test_an_answer_that_drips_ends_at_the_time_out(head: bytes) -> None:
    with serving(drip(head)) as url:
        began_s = time.monotonic()
        with pytest.raises(OSError, match="no whole answer within 1"):
            ask(url)
        assert time.monotonic() - began_s < 2 * TIMEOUT_S
        for thread in [each for each in threading.enumerate() if each.name == "metadata"]:
            thread.join(TIMEOUT_S)
            assert not thread.is_alive(), "the request goes on in the background"


def silent(connection: socket.socket, _: bytes) -> None:
    connection.recv(1)


def test_a_silent_server_and_no_server_are_errors() -> None:
    with serving(silent) as url, pytest.raises(OSError, match=r"within 1|timed out"):
        ask(url)
    with pytest.raises(OSError, match="refused"):
        ask("http://127.0.0.1:1")


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (b"HTTP/9 what\r\n\r\n", "BadStatusLine"),
        (b"\xff\x00", "BadStatusLine"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "5 bytes too soon"),
    ],
)
def test_what_is_no_whole_answer_is_an_error_of_the_system(answer: bytes, reason: str) -> None:
    with serving(lambda connection, _: connection.sendall(answer)) as url, pytest.raises(OSError, match=reason):
        ask(url)


@pytest.mark.parametrize(("token", "reason"), [("a\nb", "ValueError: Invalid"), ("tok\u20acn", "UnicodeEncodeError")])
def test_a_header_that_cannot_be_sent_is_an_error_of_the_system(token: str, reason: str) -> None:
    with serving(silent) as url, pytest.raises(OSError, match=reason):
        HttpTransport(url)("GET", "/", {"X-aws-ec2-metadata-token": token}, TIMEOUT_S)


def test_an_answer_without_end_is_refused() -> None:
    def answer(connection: socket.socket, _: bytes) -> None:
        connection.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + b"x" * (2 * LARGEST_ANSWER_BYTES))

    with serving(answer) as url, pytest.raises(OSError, match="longer than 65536 bytes"):
        ask(url)
