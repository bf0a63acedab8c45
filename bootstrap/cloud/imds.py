"""Reads the instance metadata service, version 2 only.

For: identity, user data and target lifecycle state. Guarantees: every request carries a session token, which is
renewed before it expires and after a 401; every wait is bounded; 404 is the answer "nothing", not an error.
Does not: use IMDSv1, bind to an address, or cache answers.
Sources: EC2 user guide "Use the Instance Metadata Service" (PUT /latest/api/token, TTL header, 401 on a bad token, 403
when switched off) and "Instance metadata categories"; Auto Scaling user guide "Retrieve the target lifecycle state".
Standard library HTTP: this is the first thing a boot waits for, and importing a larger client costs more than the call.
"""

from __future__ import annotations

import http.client
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.errors import BadBootDocument, SurroundingsError

DEFAULT_ENDPOINT = "http://169.254.169.254"
TOKEN_TTL_S = 21600
REQUEST_TIMEOUT_S = 2.0
RETRY_PAUSE_S = 0.5
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
    """Sends one request. Raises OSError or http.client.HTTPException."""

    def __call__(self, method: str, path: str, headers: dict[str, str]) -> Answer: ...


class HttpTransport:
    """Plain HTTP, one connection per request, so a restart of the service on the other side is never noticed."""

    def __init__(self, endpoint: str = DEFAULT_ENDPOINT) -> None:
        parts = urlsplit(endpoint)
        self._host, self._port = parts.hostname or "169.254.169.254", parts.port or 80

    def __call__(self, method: str, path: str, headers: dict[str, str]) -> Answer:
        connection = http.client.HTTPConnection(self._host, self._port, timeout=REQUEST_TIMEOUT_S)
        try:
            connection.request(method, path, headers=headers)
            response = connection.getresponse()
            return Answer(status=response.status, body=response.read().decode(errors="replace"))
        finally:
            connection.close()


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
        seen = "nothing yet"
        while True:
            try:
                answer = self._request(path)
            except (OSError, http.client.HTTPException) as error:
                seen = f"{type(error).__name__}: {error}"
            else:
                if answer.status == 200:
                    return answer.body
                if answer.status == 404:
                    return None
                seen = f"status {answer.status}"
                if answer.status == 403:
                    raise SurroundingsError(f"the metadata service refuses /latest/{path} ({seen})", remedy=REMEDY)
                if answer.status == 401:
                    self._token = ""
            if deadline.remaining_s <= RETRY_PAUSE_S:
                raise SurroundingsError(
                    f"the metadata service did not answer /latest/{path} within {deadline.seconds:.0f} s ({seen})",
                    remedy=REMEDY,
                )
            deadline.pause(RETRY_PAUSE_S, seen)

    def _required(self, path: str, deadline: Deadline) -> str:
        value = (self.read(path, deadline) or "").strip()
        if not value:
            raise SurroundingsError(f"the metadata service has no /latest/{path}", remedy=REMEDY)
        return value

    def _request(self, path: str) -> Answer:
        if not self._token or self._clock.monotonic() >= self._renew_at_s:
            asked_s = self._clock.monotonic()
            answer = self._transport(
                "PUT", "/latest/api/token", {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_S)}
            )
            if answer.status != 200:
                return Answer(status=403 if answer.status == 403 else 503, body=answer.body)
            self._token, self._renew_at_s = answer.body, asked_s + TOKEN_TTL_S / 2
        return self._transport("GET", f"/latest/{path}", {"X-aws-ec2-metadata-token": self._token})
