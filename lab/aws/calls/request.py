"""What a request on the wire asks for: service, operation and parameters, whatever the protocol.

For: the call log, for requests over HTTP and for moto's in-process ones. Guarantees: names are those of the service's
own API model (botocore's), so an action is written as IAM writes it. Does not: judge or carry out anything; a request
that no model knows has its operation named by method and path, and no parameters.
Source: Service Authorization Reference (the service prefix of an action, which is not always the signing name).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from moto.core.parse import PROTOCOL_PARSERS
from moto.core.request import Request, determine_request_protocol
from moto.core.routing import get_service_router
from moto.core.utils import get_service_model

_CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/[^/]+/([^/]+)/aws4_request")
_MODEL_NAMES = {"elasticfilesystem": "efs", "monitoring": "cloudwatch"}  # where botocore's name is not the signing name
_PREFIXES = {"monitoring": "cloudwatch"}  # where IAM's prefix is not the signing name
_ACTIONS = {"lambda:Invoke": "lambda:InvokeFunction"}  # where IAM's action is not the operation


@dataclass(frozen=True, kw_only=True)
class ApiRequest:
    """`service` is IAM's prefix, `action` the operation with it, e.g. "ec2:AttachNetworkInterface"."""

    access_key: str
    service: str
    operation: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    @property
    def action(self) -> str:
        return f"{self.service}:{self.operation}"

    @property
    def asked_of_iam(self) -> str:
        """The action that IAM judges."""
        return _ACTIONS.get(self.action, self.action)


def read_request(method: str, url: str, headers: Mapping[str, str], body: bytes) -> ApiRequest:
    """Parse a signed request. Never raises: a request that cannot be parsed has no parameters."""
    found = _CREDENTIAL.search(next((v for k, v in headers.items() if k.lower() == "authorization"), ""))
    access_key, signing_name = found.groups() if found else ("", "")
    service = _PREFIXES.get(signing_name, signing_name)
    request = Request.from_primitives(method, url, headers, body)
    try:
        operation, parameters = _parsed(_MODEL_NAMES.get(signing_name, signing_name), request)
    except Exception:  # moto's parsers raise whatever a malformed request makes them; moto itself will answer it
        operation, parameters = f"{method} {request.path}", {}
    return ApiRequest(access_key=access_key, service=service, operation=operation, parameters=parameters)


def _parsed(model_name: str, request: Any) -> tuple[str, dict[str, Any]]:
    target, uri_parameters = request.headers.get("X-Amz-Target", ""), {}
    if target:
        operation = target.rpartition(".")[2]
    elif "Action" in request.values:
        operation = request.values["Action"]
    else:
        routed, uri_parameters = get_service_router(model_name).match(request)
        operation = routed.name
    model = get_service_model(model_name)
    parser = PROTOCOL_PARSERS[determine_request_protocol(model, request.content_type)]
    parts = {
        "method": request.method,
        "values": request.values,
        "headers": request.headers,
        "body": request.data,
        "url_path": request.path,
        "url_params": uri_parameters,
    }
    return operation, parser(model.operation_model(operation)).parse(parts)
