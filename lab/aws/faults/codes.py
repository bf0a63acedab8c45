"""Kinds of errors in each service's own words: throttled, denied, unavailable, failed inside.

For: `faults`. Guarantees: code and HTTP status are those that the service documents, or the common ones of its
protocol. Does not: know what a call would have answered.
Sources: EC2 API reference "Error codes" (RequestLimitExceeded, UnauthorizedOperation, Unavailable 503, InternalError
500); "Common errors" pages of Auto Scaling, Route 53, SSM, EFS, SNS, IAM and CloudWatch; Route 53 developer guide
"Throttling for Amazon Route 53 API requests".
"""

from typing import NamedTuple

KINDS = ("throttled", "denied", "unavailable", "internal-error")


class Refusal(NamedTuple):
    """An error answer: `status` is the HTTP status."""

    code: str
    status: int
    message: str


_DEFAULT: dict[str, Refusal] = {
    "throttled": Refusal("Throttling", 400, "Rate exceeded"),
    "denied": Refusal("AccessDenied", 403, "User: {caller} is not authorized to perform: {call}"),
    "unavailable": Refusal(
        "ServiceUnavailable", 503, "The request has failed due to a temporary failure of the server."
    ),
    "internal-error": Refusal("InternalFailure", 500, "The request processing has failed because of an unknown error."),
}
_JSON: dict[str, Refusal] = {
    "throttled": Refusal("ThrottlingException", 400, "Rate exceeded"),
    "denied": Refusal("AccessDeniedException", 400, "User: {caller} is not authorized to perform: {call}"),
    "unavailable": Refusal("ServiceUnavailableException", 503, "The service is unavailable."),
    "internal-error": Refusal("InternalServerError", 500, "An error occurred on the server side."),
}
_OWN: dict[str, dict[str, Refusal]] = {
    "ec2": {
        "throttled": Refusal("RequestLimitExceeded", 503, "Request limit exceeded."),
        "denied": Refusal("UnauthorizedOperation", 403, "You are not authorized to perform this operation."),
        "unavailable": Refusal("Unavailable", 503, "The service is unavailable. Please try again shortly."),
        "internal-error": Refusal("InternalError", 500, "An internal error has occurred"),
    },
    "ssm": _JSON,
    "logs": _JSON,
    "elasticfilesystem": _JSON | {"denied": _JSON["denied"]._replace(status=403)},
}


def words(kind: str, service: str, action: str, caller: str) -> Refusal:
    """A kind of error in the words of a service."""
    code, status, message = _OWN.get(service, _DEFAULT).get(kind, _DEFAULT[kind])
    return Refusal(code, status, message.format(caller=caller or "unknown", call=f"{service}:{action}"))
