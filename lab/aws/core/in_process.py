"""Faults and limits for `strict_mock_aws`: the door that calls pass inside the process.

For: plain unit tests get the same throttling, lost answers and delays as over HTTP. Guarantees: what boto3 sees is what
it would see on a wire: an error document, or a closed connection that its own retries know. A delay passes on the
test's own clock, at once. Does not: exist over HTTP; there the server is the door.
"""

from __future__ import annotations

from typing import Any

from botocore.awsrequest import AWSResponse
from botocore.exceptions import ConnectionClosedError
from moto.core.botocore_stubber import MockRawResponse

from lab.aws.core import calls
from lab.aws.core.call_request import read_request
from lab.aws.core.error_documents import error_document
from lab.aws.core.patches import original, replaces
from lab.aws.core.state import Cloud, current
from lab.aws.faults.faults import ApiCall

_STUBBER = "moto.core.botocore_stubber:BotocoreStubber.__call__"


@replaces(_STUBBER, expects=("self", "event_name", "request", "kwargs"), reason="in-process calls must meet faults too")
def answer(self: Any, event_name: str, request: Any, **kwargs: Any) -> Any:
    """What botocore's before-send event gets: moto's answer, or what a limit or a fault makes of it."""
    if not self.enabled:
        return None
    cloud = current()
    headers = {name: _text(value) for name, value in request.headers.items()}
    body = request.body if isinstance(request.body, bytes) else str(request.body or "").encode()
    call = calls.identify(cloud, read_request(request.method, request.url, headers, body), request.url, body)
    refused = calls.limit(cloud, call)
    if refused is not None:
        return _refuse(request, headers, call, refused)
    fault = calls.strike(cloud, call)
    if fault is not None:
        _pass_time(cloud, fault.delay_s)
        if fault.lose_answer:
            original(_STUBBER)(self, event_name, request, **kwargs)
        if fault.lose_answer or fault.drop:
            raise ConnectionClosedError(endpoint_url=request.url)
        refused = calls.refusal(fault, call)
        if refused is not None:
            return _refuse(request, headers, call, refused)
    return original(_STUBBER)(self, event_name, request, **kwargs)


def _pass_time(cloud: Cloud, seconds: float) -> None:
    if seconds and cloud.pass_time is not None:
        cloud.pass_time(seconds)


def _refuse(request: Any, headers: dict[str, str], call: ApiCall, refused: calls.Refusal) -> Any:
    is_json = "x-amz-target" in {name.lower() for name in headers}
    shown, body = error_document(call.service, refused.code, refused.message, is_json=is_json)
    return AWSResponse(request.url, refused.status, shown, MockRawResponse(body))


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)
