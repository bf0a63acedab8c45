"""Which service and operation a request means, whatever the protocol.

For: faults, limits and the call log, which speak of `service:Operation`. Guarantees: the operation has botocore's name;
where no model knows the path, it is method and path. Does not: look at credentials beyond the access key, or at bodies
other than query-protocol forms. Source: AWS query, EC2, JSON 1.1, REST-XML and REST-JSON protocols; botocore's models.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache

import botocore.session

_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/aws4_request")
_MODELS = {"route53": "route53", "elasticfilesystem": "efs", "lambda": "lambda"}
_ACTION = re.compile(rb"(?:^|&)Action=(\w+)")


def classify(headers: Mapping[str, str], method: str, path: str, body: bytes) -> tuple[str, str, str]:
    """Access key, service (signing name) and operation. Header names in lower case; `path` without query."""
    found = _CREDENTIAL.search(headers.get("authorization", ""))
    key, service = (found.group(1), found.group(2)) if found else ("", "")
    target = headers.get("x-amz-target", "")
    if target:
        return key, service, target.rpartition(".")[2]
    if service in _MODELS:
        return key, service, rest_operation(service, method, path)
    action = _ACTION.search(body)
    return key, service, action.group(1).decode() if action else f"{method} {path}"


def rest_operation(service: str, method: str, path: str) -> str:
    """The operation of a REST service that this method and path mean."""
    for known_method, pattern, name in _routes(service):
        if known_method == method and pattern.fullmatch(path.rstrip("/") or "/"):
            return name
    return f"{method} {path}"


@lru_cache
def _routes(service: str) -> list[tuple[str, re.Pattern[str], str]]:
    """Method, path and name of all operations; those with the fewest variables first."""
    model = botocore.session.get_session().get_service_model(_MODELS[service])
    routes = []
    for name in model.operation_names:
        http = model.operation_model(name).http
        path = http["requestUri"].partition("?")[0].rstrip("/")
        pattern = re.sub(r"\\\{[^}]*?\\\}", "[^/]+", re.escape(path))
        routes.append((path.count("{"), http["method"], re.compile(pattern), name))
    return [(method, pattern, name) for _, method, pattern, name in sorted(routes, key=lambda one: one[0])]
