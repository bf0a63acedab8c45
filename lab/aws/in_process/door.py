"""The door that calls pass inside the process: what moto's `mock_aws` serves meets the call log, limits and faults.

For: `strict_mock_aws`; plain unit tests get the same throttling, lost answers and delays as over HTTP. Guarantees: what
boto3 sees is what it would see on a wire: an error document, or a closed connection that its own retries know. A delay
passes on the test's own clock, at once. Does not: exist over HTTP; there the server is the door.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from moto.core.botocore_stubber import MockRawResponse

from lab.aws.calls import admission
from lab.aws.calls.recording import recording
from lab.aws.calls.request import read_request
from lab.aws.core.cloud import Room, current
from lab.aws.core.patches import original, replaces
from lab.aws.faults.codes import Refusal
from lab.aws.faults.faults import ApiCall, refusal, strike

_STUBBER = "moto.core.botocore_stubber:BotocoreStubber"


@dataclass
class Waits(Room):
    """How a delay passes in process: the test's clock moves, nothing sleeps."""

    pass_time: Callable[[float], None] = lambda _seconds: None


@replaces(
    f"{_STUBBER}.__call__", expects="self, event_name, request, kwargs", reason="in-process calls must meet faults too"
)
def answer(self: Any, event_name: str, request: Any, **kwargs: Any) -> Any:
    """What botocore's before-send event gets: moto's answer, or what a limit or a fault makes of it."""
    if not self.enabled:
        return None
    cloud = current()
    headers, body = _headers_and_body(request)
    asked = read_request(request.method, request.url, headers, body)
    call = admission.identify(cloud, asked, request.url, body)
    refused = admission.refused(cloud, asked, call)
    if refused is not None:
        return _refuse(request, headers, call, refused)
    fault = strike(cloud, call)
    if fault is not None:
        if fault.delay_s:
            Waits.of(cloud).pass_time(fault.delay_s)
        if fault.lose_answer:
            original(f"{_STUBBER}.__call__")(self, event_name, request, **kwargs)
        if fault.lose_answer or fault.drop:
            raise ConnectionClosedError(endpoint_url=request.url)
        refused = refusal(fault, call)
        if refused is not None:
            return _refuse(request, headers, call, refused)
    return original(f"{_STUBBER}.__call__")(self, event_name, request, **kwargs)


def _headers_and_body(request: Any) -> tuple[dict[str, str], bytes]:
    headers = {name: one.decode() if isinstance(one, bytes) else str(one) for name, one in request.headers.items()}
    return headers, request.body if isinstance(request.body, bytes) else str(request.body or "").encode()


def _refuse(request: Any, headers: dict[str, str], call: ApiCall, refused: Refusal) -> Any:
    is_json = "x-amz-target" in {name.lower() for name in headers}
    shown, body = admission.error_document(call.service, refused.code, refused.message, is_json=is_json)
    return AWSResponse(request.url, refused.status, shown, MockRawResponse(body))


@replaces(f"{_STUBBER}.process_request", expects="self, request", reason="in-process calls belong into the call log")
def process_request(self: Any, request: Any) -> Any:
    """moto's in-process answer, recorded in the call log."""
    headers, body = _headers_and_body(request)
    with recording(current(), request.method, request.url, headers, body) as noted:
        response = original(f"{_STUBBER}.process_request")(self, request)
        if response is not None:
            noted.take(int(response[0]), response[2])
        return response
