"""Reads the instance metadata service, version 2 only.

For: identity, user data and target lifecycle state. Guarantees: every request carries a session token, which is
renewed before it expires and after a 401; every request ends within its time-out, however slowly the other side sends,
and then its connection is cut; 404 is the answer "nothing", not an error; a token or an identity that cannot be one
(the page of some other server) is asked for again until the deadline.
Does not: use IMDSv1, a proxy, bind to an address, or cache answers.
Sources: EC2 user guide "Use the Instance Metadata Service" (PUT /latest/api/token, TTL header, 401 on a bad token, 403
when switched off) and "Instance metadata categories"; Auto Scaling user guide "Retrieve the target lifecycle state";
Python documentation of socket (a time-out counts from the last byte, so it does not bound a whole answer).
"""

from __future__ import annotations

import contextlib
import queue
import re
import socket
import threading
from dataclasses import dataclass
from http.client import HTTPConnection
from typing import Protocol
from urllib.parse import urlsplit

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.errors import BadBootDocument, DeadlineExceeded, SurroundingsError
from bootstrap.base.retry import NotYet, Pauses, retry

DEFAULT_ENDPOINT = "http://169.254.169.254"
TOKEN_TTL_S = 21600
REQUEST_TIMEOUT_S = 2.0
SHORTEST_TIMEOUT_S = 0.1  # 0 would mean "do not wait at all"
LARGEST_ANSWER_BYTES = 65_536  # user data are at most 16 KiB
PAUSES = Pauses(first_s=0.5, longest_s=1.0)
SHOWN = 60  # characters of a wrong answer, in a sentence
ANYTHING = re.compile(r".*", re.DOTALL)
TOKEN = re.compile(r"[!-~]{1,1024}")  # goes into a header
# What the answers look like, as far as that tells them from the page of some other server.
FORMS = {
    "meta-data/instance-id": re.compile(r"i-[0-9a-z]{1,32}"),
    "meta-data/placement/availability-zone": re.compile(r"[a-z0-9-]{3,40}"),
    "meta-data/ami-id": re.compile(r"ami-[0-9a-z]{1,32}"),
    "meta-data/mac": re.compile(r"([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}"),
    "meta-data/autoscaling/target-lifecycle-state": re.compile(r"[A-Za-z:]{0,40}"),
}
REMEDY = "Check that the launch template enables the metadata service with HttpTokens=required"


@dataclass(frozen=True, kw_only=True)
class Identity:
    """Who this instance is, as the metadata service says."""

    instance_id: str
    zone: str
    image_id: str
    mac: str  # of the primary network interface


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One HTTP answer."""

    status: int
    body: str


class Transport(Protocol):
    """Sends one request and returns within `timeout_s`. Raises OSError."""

    def __call__(self, method: str, path: str, headers: dict[str, str], timeout_s: float) -> Answer: ...


class HttpTransport:
    """Plain HTTP, one connection per request, so that a restart of the other side goes unnoticed.

    Each request runs in a thread of its own; when it is not done within its time-out, its connection is cut."""

    def __init__(self, endpoint: str = DEFAULT_ENDPOINT) -> None:
        where = urlsplit(endpoint)
        self._host, self._port = where.hostname or "", where.port

    def __call__(self, method: str, path: str, headers: dict[str, str], timeout_s: float) -> Answer:
        answers: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()
        connection = HTTPConnection(self._host, self._port, timeout=timeout_s)
        opened: list[socket.socket] = []

        def exchange() -> None:
            try:
                connection.connect()
                opened.append(connection.sock)
                answers.put(_exchange(connection, method, path, headers))
            except Exception as error:  # whatever it is, it must not end in this thread
                answers.put(error)
            finally:
                connection.close()

        threading.Thread(target=exchange, name="metadata", daemon=True).start()
        try:
            answer = answers.get(timeout=timeout_s)
        except queue.Empty:
            for each in opened:
                with contextlib.suppress(OSError):  # it has ended just now
                    each.shutdown(socket.SHUT_RDWR)
            raise TimeoutError(f"no whole answer within {timeout_s:.1f} s") from None
        if isinstance(answer, OSError):
            raise answer
        if isinstance(answer, Exception):
            raise OSError(f"{type(answer).__name__}: {answer}")
        return answer


def _exchange(connection: HTTPConnection, method: str, path: str, headers: dict[str, str]) -> Answer:
    connection.request(method, path, headers={**headers, "Connection": "close"})
    with connection.getresponse() as response:
        body = response.read(LARGEST_ANSWER_BYTES + 1)
        if len(body) > LARGEST_ANSWER_BYTES:
            raise OSError(f"the answer is longer than {LARGEST_ANSWER_BYTES} bytes")
        if response.length:
            raise OSError(f"the answer ended {response.length} bytes too soon")
        return Answer(status=response.status, body=body.decode(errors="replace"))


class MetadataService:
    """The metadata service of this instance."""

    def __init__(self, clock: Clock, transport: Transport) -> None:
        self._clock = clock
        self._transport = transport
        self._token = ""
        self._renew_at_s = 0.0

    def identity(self, deadline: Deadline) -> Identity:
        """Who I am. Raises SurroundingsError when the service gives no usable answer until `deadline`."""
        return Identity(
            instance_id=self._required("meta-data/instance-id", deadline),
            zone=self._required("meta-data/placement/availability-zone", deadline),
            image_id=self._required("meta-data/ami-id", deadline),
            mac=self._required("meta-data/mac", deadline).lower(),
        )

    def user_data(self, deadline: Deadline) -> str:
        """The user data. Raises BadBootDocument when there is none, SurroundingsError on no answer."""
        text = self.read("user-data", deadline)
        if text is None:
            raise BadBootDocument(
                "this instance has no user data", remedy="Launch this image from a soloist stack's launch template"
            )
        return text

    def target_lifecycle_state(self, deadline: Deadline) -> str:
        """`InService`, `Terminated`, `Warmed:...`, ... or "" when there is none yet."""
        return (self.read("meta-data/autoscaling/target-lifecycle-state", deadline) or "").strip()

    def read(self, path: str, deadline: Deadline) -> str | None:
        """The value at /latest/`path`, None for 404. Raises SurroundingsError, StopRequested."""

        def attempt() -> str | None:
            try:
                answer = self._request(path, deadline)
            except OSError as error:
                raise NotYet(f"{type(error).__name__}: {error}") from None
            if answer.status == 200:
                if not FORMS.get(path, ANYTHING).fullmatch(answer.body.strip()):
                    raise NotYet(f"an answer that cannot be one: {answer.body[:SHOWN]!r}")
                return answer.body
            if answer.status == 404:
                return None
            if answer.status == 403:
                raise SurroundingsError(f"the metadata service refuses /latest/{path} (status 403)", remedy=REMEDY)
            if answer.status == 401:
                self._token = ""
            raise NotYet(f"status {answer.status}")

        try:
            return retry(attempt, deadline, PAUSES)
        except DeadlineExceeded as error:
            raise SurroundingsError(
                f"the metadata service did not answer /latest/{path} within {deadline.seconds:.0f} s "
                f"({error.seen or 'not asked'})",
                remedy=REMEDY,
            ) from None

    def _required(self, path: str, deadline: Deadline) -> str:
        value = (self.read(path, deadline) or "").strip()
        if not value:
            raise SurroundingsError(f"the metadata service has no /latest/{path}", remedy=REMEDY)
        return value

    def _request(self, path: str, deadline: Deadline) -> Answer:
        if not self._token or self._clock.monotonic() >= self._renew_at_s:
            asked_s = self._clock.monotonic()
            headers = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_S)}
            answer = self._send("PUT", "/latest/api/token", headers, deadline)
            if answer.status != 200:
                return Answer(status=403 if answer.status == 403 else 503, body=answer.body)
            if not TOKEN.fullmatch(answer.body):
                raise OSError(f"the token cannot be one: {answer.body[:SHOWN]!r}")
            self._token, self._renew_at_s = answer.body, asked_s + TOKEN_TTL_S / 2
        return self._send("GET", f"/latest/{path}", {"X-aws-ec2-metadata-token": self._token}, deadline)

    def _send(self, method: str, path: str, headers: dict[str, str], deadline: Deadline) -> Answer:
        return self._transport(
            method, path, headers, max(SHORTEST_TIMEOUT_S, min(REQUEST_TIMEOUT_S, deadline.remaining_s))
        )
