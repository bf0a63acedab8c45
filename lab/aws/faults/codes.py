"""Kinds of errors in each service's own words: throttled, denied, unavailable, failed inside.

For: `faults`. Guarantees: code and HTTP status are those that the service documents, or the common ones of its
protocol. Does not: know what a call would have answered.
Sources: EC2 API reference "Error codes" (RequestLimitExceeded, UnauthorizedOperation, Unavailable 503, InternalError
500); "Common errors" pages of Auto Scaling, Route 53, SSM, EFS, SNS, IAM and CloudWatch; Route 53 developer guide
"Throttling for Amazon Route 53 API requests".
"""

from __future__ import annotations

KINDS = ("throttled", "denied", "unavailable", "internal-error")

Words = tuple[str, int, str]  # code, HTTP status, message

_DEFAULT: dict[str, Words] = {
    "throttled": ("Throttling", 400, "Rate exceeded"),
    "denied": ("AccessDenied", 403, "User: {caller} is not authorized to perform: {call}"),
    "unavailable": ("ServiceUnavailable", 503, "The request has failed due to a temporary failure of the server."),
    "internal-error": ("InternalFailure", 500, "The request processing has failed because of an unknown error."),
}
_JSON: dict[str, Words] = {
    "throttled": ("ThrottlingException", 400, "Rate exceeded"),
    "denied": ("AccessDeniedException", 400, "User: {caller} is not authorized to perform: {call}"),
    "unavailable": ("ServiceUnavailableException", 503, "The service is unavailable."),
    "internal-error": ("InternalServerError", 500, "An error occurred on the server side."),
}
_OWN: dict[str, dict[str, Words]] = {
    "ec2": {
        "throttled": ("RequestLimitExceeded", 503, "Request limit exceeded."),
        "denied": ("UnauthorizedOperation", 403, "You are not authorized to perform this operation."),
        "unavailable": ("Unavailable", 503, "The service is unavailable. Please try again shortly."),
        "internal-error": ("InternalError", 500, "An internal error has occurred"),
    },
    "ssm": _JSON,
    "logs": _JSON,
    "elasticfilesystem": _JSON | {"denied": ("AccessDeniedException", 403, _JSON["denied"][2])},
}


def words(kind: str, service: str, action: str, caller: str) -> Words:
    """Code, status and message of a kind of error in the words of a service."""
    code, status, message = _OWN.get(service, _DEFAULT).get(kind, _DEFAULT[kind])
    return code, status, message.format(caller=caller or "unknown", call=f"{service}:{action}")
