"""From a request on the wire to an entry of the call log.

For: both doors, HTTP and in process. Guarantees: one entry per request that arrives, and one for each
further action that AWS asks IAM about, also where a fault answers instead
of AWS or the connection is lost; resources and condition keys are those of the moment before the call.
Does not: record anything that is secret.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from lab.aws.calls.context import operator, request_keys, resources_of
from lab.aws.calls.implied import implied
from lab.aws.calls.request import ApiRequest, read_request
from lab.aws.core.call_log import NO_ANSWER, OK, Call
from lab.aws.core.cloud import Cloud

_CODE = re.compile(rb"<Code>([^<]+)</Code>|\"(?:__type|code|Code)\":\s*\"(?:[^\"]*#)?([^\"]+)\"")


@contextmanager
def recording(cloud: Cloud, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Iterator[Answer]:
    """The scope of one request: it is read on entry and logged on exit, with the outcome of its `Answer`."""
    request = read_request(method, url, headers, body)
    answer = Answer(request)
    with cloud.lock:
        call = _described(cloud, request)
        asked = (call, *implied(cloud, request, call))
    try:
        yield answer
    finally:
        for one in asked:
            cloud.calls.add(replace(one, outcome=answer.outcome))


def _described(cloud: Cloud, request: ApiRequest) -> Call:
    caller = cloud.callers.get(request.access_key) or operator(cloud, request.access_key)
    return Call(
        at_s=round(cloud.now(), 3),
        caller=caller,
        action=request.asked_of_iam,
        resources=resources_of(cloud, request),
        keys=request_keys(cloud, request, caller),
    )


class Answer:
    """The answer to a request; its outcome is "no answer" until a status is known."""

    def __init__(self, request: ApiRequest) -> None:
        self.request = request
        self._status: int | None = None
        self._body = b""

    def listen(self, start_response: Callable[..., Any]) -> Callable[..., Any]:
        """A WSGI start_response that overhears the status."""

        def start(status: str, *rest: Any) -> Any:
            self._status = int(status.split(" ", 1)[0])
            return start_response(status, *rest)

        return start

    def take(self, status: int, body: Iterable[bytes] | bytes | str) -> None:
        """The answer's status and body; the body is kept only for its error code."""
        self._status = status
        if status >= 400:
            self._body = body.encode() if isinstance(body, str) else body if isinstance(body, bytes) else b"".join(body)

    def overhear(self, body: Iterable[bytes]) -> list[bytes]:
        """The body as a list of chunks; `listen` has already seen the status."""
        chunks = list(body)
        self.take(self._status or 0, chunks)
        return chunks

    @property
    def outcome(self) -> str:
        """`OK`, an error code, or `NO_ANSWER`."""
        if self._status is None:
            return NO_ANSWER
        if self._status < 400:
            return OK
        found = _CODE.search(self._body)
        return (found.group(1) or found.group(2)).decode() if found else f"HTTP {self._status}"
