"""Who calls what, and what happens to the call before AWS does its work: limits and faults.

For: the HTTP server and the in-process door (`in_process`), so that both refuse the same. Guarantees: the same request
is the same `ApiCall` at both doors. Does not: carry out delays and hang-ups; each door does that in its own way.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from lab.aws.core.call_request import ApiRequest
from lab.aws.core.state import Cloud
from lab.aws.faults.codes import words
from lab.aws.faults.faults import ApiCall, Fault

_IDENTIFIERS = re.compile(r"\b(?:i|eni|eni-attach|subnet|fsmt)-[0-9a-f]{8,17}\b")
_ZONES = re.compile(r"\b[a-z]{2}-[a-z]+-\d[a-f]\b")
_ZONAL_SERVICES = ("ec2", "elasticfilesystem")  # the others are regional or global, whatever they are told
AUTO_SCALING_ROLE = (
    "arn:aws:iam::{account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
)


@dataclass(frozen=True)
class Refusal:
    """An error answer."""

    code: str
    status: int
    message: str


def identify(cloud: Cloud, request: ApiRequest, url: str, body: bytes) -> ApiCall:
    """The call that a request is, with the zones of what its URL and its body name."""
    key, service = request.access_key, request.service
    caller = cloud.callers.get(key)
    text = unquote(url + " " + body[:20_000].decode("utf-8", "replace"))
    with cloud.lock:
        return ApiCall(
            service=service,
            action=request.operation,
            caller=caller.arn if caller is not None else key,
            caller_zone=_zone_of(cloud, caller.instance_id) if caller is not None else "",
            zones=_zones_in(cloud, text) if service in _ZONAL_SERVICES else frozenset(),
        )


def _zones_in(cloud: Cloud, text: str) -> frozenset[str]:
    named = {_zone_of(cloud, identifier) for identifier in set(_IDENTIFIERS.findall(text))}
    return frozenset((named | set(_ZONES.findall(text))) - {""})


def _zone_of(cloud: Cloud, identifier: str) -> str:
    ec2 = cloud.ec2
    zone: Any = ""
    if identifier.startswith("i-"):
        instance = ec2.get_instance_by_id(identifier)
        zone = instance.placement.zone if instance is not None else ""
    elif identifier.startswith("eni-attach-"):
        held = [eni_id for eni_id, one in cloud.attachments.items() if one.attachment_id == identifier]
        zone = _zone_of(cloud, held[0]) if held else ""
    elif identifier.startswith("fsmt-"):
        target = cloud.efs.mount_targets_by_id.get(identifier)
        zone = _zone_of(cloud, target.subnet_id) if target is not None else ""
    elif identifier.startswith("eni-"):
        eni = ec2.enis.get(identifier)
        zone = eni.subnet.availability_zone if eni is not None else ""
    else:
        found = [group[identifier] for group in ec2.subnets.values() if identifier in group]
        zone = found[0].availability_zone if found else ""
    return str(zone)


def limit(cloud: Cloud, call: ApiCall) -> Refusal | None:
    """The refusal of a call that is one too many, or None."""
    with cloud.lock:
        refused = cloud.limits.refuses(call, cloud.timing)
    if not refused:
        return None
    cloud.event("limit", f"{call.service}:{call.action}", "one request too many")
    code, status, message = words("throttled", call.service, call.action, call.caller)
    return Refusal(code, status, message)


def strike(cloud: Cloud, call: ApiCall) -> Fault | None:
    """The fault that hits this call, counted and told as an event, or None."""
    fault = cloud.faults.take(call)
    if fault is not None:
        who = f" from {call.caller}" if call.caller else ""
        cloud.event("fault", f"{call.service}:{call.action}", f"{fault.outcome}{who}")
    return fault


def refusal(fault: Fault, call: ApiCall) -> Refusal | None:
    """The error answer that a fault gives, or None when it gives none."""
    if fault.kind:
        code, status, message = words(fault.kind, call.service, call.action, call.caller)
        return Refusal(code, status, message)
    return Refusal(fault.code, fault.status, fault.message) if fault.code else None


def internal_launch(cloud: Cloud, zone: str) -> Refusal | None:
    """What Auto Scaling itself meets when it launches in a zone: the error, or None. Drops are errors to it too."""
    role = AUTO_SCALING_ROLE.format(account=cloud.account_id)
    call = ApiCall(service="ec2", action="RunInstances", caller=role, zones=frozenset({zone}), is_internal=True)
    fault = strike(cloud, call)
    if fault is None:
        return None
    return refusal(fault, call) or Refusal("InternalError", 500, "An internal error has occurred")
