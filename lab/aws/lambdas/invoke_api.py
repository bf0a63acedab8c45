"""Lambda's Invoke, for a caller who waits for the answer.

For: whoever calls the API. Guarantees: the handler runs outside the cloud's lock, so it may call the control plane; an
error of the handler is an answer with status 200 and the header for it, never an error of the API. Does not: queue
(InvocationType Event is refused by the table of what is modelled), or know versions and aliases.
Source: Lambda API reference Invoke.
"""

import json
from typing import Any
from urllib.parse import unquote

from moto.awslambda.exceptions import LambdaClientError, UnknownFunctionException

from lab.aws.core.cloud import Cloud, current
from lab.aws.core.patches import replaces
from lab.aws.lambdas.functions import Lambdas, Throttled
from lab.aws.lambdas.invocations import answer, invoke


class _Refused(LambdaClientError):  # type: ignore[misc]
    def __init__(self, code: str, message: str, status: int) -> None:
        super().__init__(code, message)
        self.code = status


@replaces("moto.awslambda.responses:LambdaResponse.invoke", reason="moto runs functions in Docker containers")
def invoke_function(self: Any) -> tuple[int, dict[str, str], str]:
    """Invoke. Its path holds the function's name or ARN."""
    cloud = current()
    name = unquote(self.path.rsplit("/", 2)[-2])
    with cloud.lock:
        function = Lambdas.of(cloud).find(name)
    if function is None:
        raise UnknownFunctionException(name if name.startswith("arn:") else _arn(cloud, name))
    body = self.body.decode() if isinstance(self.body, bytes) else self.body
    try:
        event = json.loads(body or "{}")
    except ValueError as error:
        text = f"Could not parse request body into json: {error}"
        raise _Refused("InvalidRequestContentException", text, 400) from error
    try:
        headers, payload = answer(invoke(cloud, function, event))
    except Throttled as error:
        raise _Refused("TooManyRequestsException", "Rate Exceeded.", 429) from error
    return 200, headers, payload


def _arn(cloud: Cloud, name: str) -> str:
    return f"arn:aws:lambda:{cloud.region}:{cloud.account_id}:function:{name}"
