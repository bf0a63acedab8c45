"""Reads the instance metadata service, version 2 only.

For: identity, user data and target lifecycle state. Guarantees: every request carries a session token, which is
renewed before it expires and after a 401; every request ends within its time-out, however slowly the other side sends;
404 is the answer "nothing", not an error.
Does not: use IMDSv1, a proxy, bind to an address, or cache answers.
Sources: EC2 user guide "Use the Instance Metadata Service" (PUT /latest/api/token, TTL header, 401 on a bad token, 403
when switched off) and "Instance metadata categories"; Auto Scaling user guide "Retrieve the target lifecycle state";
requests documentation "Timeouts" (its time-out counts from the last byte, so it does not bound a whole answer).
"""

from __future__ import annotations

import queue
import threading
from dataclasses import dataclass
from typing import Protocol

import requests

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.errors import BadBootDocument, DeadlineExceeded, SurroundingsError
from bootstrap.base.retry import NotYet, Pauses, retry

DEFAULT_ENDPOINT = "http://169.254.169.254"
TOKEN_TTL_S = 21600
REQUEST_TIMEOUT_S = 2.0
SHORTEST_TIMEOUT_S = 0.1  # the library refuses 0
LARGEST_ANSWER_BYTES = 65_536  # user data are at most 16 KiB
PAUSES = Pauses(first_s=0.5)
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

    Each request runs in a thread of its own: one that is not done within its time-out is not waited for any longer."""

    def __init__(self, endpoint: str = DEFAULT_ENDPOINT) -> None:
        self._endpoint = endpoint.rstrip("/")

    def __call__(self, method: str, path: str, headers: dict[str, str], timeout_s: float) -> Answer:
        answers: queue.SimpleQueue[Answer | OSError] = queue.SimpleQueue()

        def exchange() -> None:
            try:
                answers.put(self._exchange(method, path, headers, timeout_s))
            except OSError as error:  # requests.RequestException is one
                answers.put(error)

        threading.Thread(target=exchange, name="metadata", daemon=True).start()
        try:
            answer = answers.get(timeout=timeout_s)
        except queue.Empty:
            raise TimeoutError(f"no whole answer within {timeout_s:.1f} s") from None
        if isinstance(answer, OSError):
            raise answer
        return answer

    def _exchange(self, method: str, path: str, headers: dict[str, str], timeout_s: float) -> Answer:
        with requests.Session() as session:
            session.trust_env = False
            with session.request(
                method,
                self._endpoint + path,
                headers={**headers, "Connection": "close"},
                timeout=timeout_s,
                allow_redirects=False,
                stream=True,
            ) as response:
                body = b""
                for part in response.iter_content(LARGEST_ANSWER_BYTES):
                    body += part
                    if len(body) > LARGEST_ANSWER_BYTES:
                        raise OSError(f"the answer is longer than {LARGEST_ANSWER_BYTES} bytes")
                return Answer(status=response.status_code, body=body.decode(errors="replace"))


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
            self._token, self._renew_at_s = answer.body, asked_s + TOKEN_TTL_S / 2
        return self._send("GET", f"/latest/{path}", {"X-aws-ec2-metadata-token": self._token}, deadline)

    def _send(self, method: str, path: str, headers: dict[str, str], deadline: Deadline) -> Answer:
        return self._transport(
            method, path, headers, max(SHORTEST_TIMEOUT_S, min(REQUEST_TIMEOUT_S, deadline.remaining_s))
        )
