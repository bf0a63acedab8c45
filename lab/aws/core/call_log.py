"""The call log: who asked AWS for what, about which resources, and what came of it. One JSON object a line.

For: the policy check, the demo (build/demo/calls.jsonl) and whoever wonders. Guarantees: one entry per request that
arrives, also where a fault answers instead of AWS or the connection is lost, in the order of the answers; resources
and condition keys are those of the moment before the call. CloudFormation's own work is one entry per resource.
Does not: check permissions, or record anything that is secret. Source of the idea: CloudTrail record contents.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.aws.core.call_context import Keys, Resource, operator, request_keys, resources_of
from lab.aws.core.call_request import ApiRequest, read_request
from lab.aws.core.patches import original, replaces
from lab.aws.core.state import Caller, Cloud, current

_STUBBER = "moto.core.botocore_stubber:BotocoreStubber.process_request"
OK = "ok"
NO_ANSWER = "no answer"
_CODE = re.compile(rb"<Code>([^<]+)</Code>|\"(?:__type|code|Code)\":\s*\"(?:[^\"]*#)?([^\"]+)\"")


@dataclass(frozen=True, kw_only=True)
class Call:
    """One call. `outcome` is "ok", the error code, or "no answer"; `at_s` is the control plane's clock."""

    at_s: float
    caller: Caller
    action: str
    resources: tuple[Resource, ...] = ()
    keys: Keys = field(default_factory=dict)
    outcome: str = OK

    def to_json(self) -> str:
        """One line, without its end."""
        return json.dumps(asdict(self), separators=(",", ":"), sort_keys=True)

    @classmethod
    def from_json(cls, line: str) -> Call:
        """The call that `to_json` wrote. Raises ValueError, KeyError or TypeError for anything else."""
        found = json.loads(line)
        resources = tuple(Resource(**one) for one in found.pop("resources"))
        return cls(caller=Caller(**found.pop("caller")), resources=resources, **found)


def read_calls(path: Path) -> list[Call]:
    """The calls of a run's file. Raises OSError, and what `Call.from_json` raises."""
    return [Call.from_json(line) for line in path.read_text(encoding="utf-8").splitlines()]


class CallLog:
    """All calls of one control plane. Thread-safe."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        cloud.calls = self
        self._lock = threading.Lock()
        self._calls: list[Call] = []
        self._path: Path | None = None

    def keep_in(self, path: Path) -> None:
        """Write everything so far, and every call from now on, to `path` as it happens. Raises OSError."""
        with self._lock:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(call.to_json() + "\n" for call in self._calls), encoding="utf-8")
            self._path = path

    def calls(self) -> list[Call]:
        """Everything so far."""
        with self._lock:
            return list(self._calls)

    def add(self, call: Call) -> None:
        """Note a call."""
        with self._lock:
            self._calls.append(call)
            if self._path is not None:
                with self._path.open("a", encoding="utf-8") as file:
                    file.write(call.to_json() + "\n")

    def note_resource(self, stack_id: str, verb: str, type_name: str, ids: tuple[str, str], reason: str) -> None:
        """Note CloudFormation's work on one resource; `ids` are its logical and its physical id."""
        keys: Keys = {"cloudformation:ResourceTypes": [type_name], "logical-id": ids[0], "physical-id": ids[1]}
        self.add(
            Call(
                at_s=round(self._cloud.now(), 3),
                caller=Caller(kind="cloudformation", arn="cloudformation.amazonaws.com"),
                action=f"cloudformation:{verb.capitalize()}Resource",
                resources=(Resource(arn=stack_id),),
                keys=keys,
                outcome=reason or OK,
            )
        )

    @contextmanager
    def recording(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Iterator[Answer]:
        """The scope of one request: read on entry, noted on exit with what its `Answer` was told."""
        request = read_request(method, url, headers, body)
        answer = Answer(request)
        with self._cloud.lock:
            call = self._described(request)
        try:
            yield answer
        finally:
            self.add(Call(**(vars(call) | {"outcome": answer.outcome})))

    def _described(self, request: ApiRequest) -> Call:
        cloud = self._cloud
        caller = cloud.callers.get(request.access_key) or operator(cloud, request.access_key)
        return Call(
            at_s=round(cloud.now(), 3),
            caller=caller,
            action=request.action,
            resources=resources_of(cloud, request),
            keys=request_keys(cloud, request, caller),
        )


class Answer:
    """What a request came to; "no answer" until told otherwise."""

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
        """The body, read; the status has been overheard before."""
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


@replaces(_STUBBER, expects=("self", "request"), reason="in-process calls belong into the call log as well")
def process_request(self: Any, request: Any) -> Any:
    """moto's in-process answer, noted."""
    log = current().calls
    if log is None:
        return original(_STUBBER)(self, request)
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    headers = {name: one.decode() if isinstance(one, bytes) else one for name, one in request.headers.items()}
    with log.recording(request.method, request.url, headers, body) as answer:
        response = original(_STUBBER)(self, request)
        if response is not None:
            answer.take(int(response[0]), response[2])
        return response
