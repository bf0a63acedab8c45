"""What a request is before AWS does its work: the call that faults match, whether it is one too many, and a refusal.

For: both doors, HTTP and in process, so that both refuse the same. Guarantees: the same request is the same `ApiCall`
at both doors; botocore reads code and message out of a refusal as out of AWS's. Does not: carry out delays and
hang-ups; each door does that in its own way. Source: AWS query, EC2, REST-XML and JSON 1.1 protocols.
"""

import json
import re
import uuid
from typing import Any
from urllib.parse import unquote
from xml.sax.saxutils import escape

from lab.aws.calls.modelled import not_modelled
from lab.aws.calls.request import ApiRequest
from lab.aws.core.cloud import Cloud
from lab.aws.ec2.state import Ec2
from lab.aws.faults.codes import Refusal, words
from lab.aws.faults.faults import ApiCall
from lab.aws.route53.state import Route53

_IDENTIFIERS = re.compile(r"\b(?:i|eni|eni-attach|subnet|fsmt)-[0-9a-f]{8,17}\b")
_ZONES = re.compile(r"\b[a-z]{2}-[a-z]+-\d[a-f]\b")
_JSON_SERVICES = ("elasticfilesystem", "lambda")
_ZONAL_SERVICES = ("ec2", "elasticfilesystem")  # the others are regional or global, whatever they are told


def identify(cloud: Cloud, request: ApiRequest, url: str, body: bytes) -> ApiCall:
    """The request as a call that faults can match, with the zones of the resources it names."""
    caller = cloud.callers.get(request.access_key)
    text = unquote(url + " " + body[:20_000].decode("utf-8", "replace"))
    with cloud.lock:
        return ApiCall(
            service=request.service,
            action=request.operation,
            caller=caller.arn if caller is not None else request.access_key,
            caller_zone=_zone_of(cloud, caller.instance_id) if caller is not None else "",
            zones=_zones_in(cloud, text) if request.service in _ZONAL_SERVICES else frozenset(),
        )


def _zones_in(cloud: Cloud, text: str) -> frozenset[str]:
    named = {_zone_of(cloud, identifier) for identifier in set(_IDENTIFIERS.findall(text))}
    return frozenset((named | set(_ZONES.findall(text))) - {""})


def _zone_of(cloud: Cloud, identifier: str) -> str:
    ec2 = cloud.backend("ec2")
    zone: Any = ""
    if identifier.startswith("i-"):
        instance = ec2.get_instance_by_id(identifier)
        zone = instance.placement.zone if instance is not None else ""
    elif identifier.startswith("eni-attach-"):
        held = [eni_id for eni_id, one in Ec2.of(cloud).attachments.items() if one.attachment_id == identifier]
        zone = _zone_of(cloud, held[0]) if held else ""
    elif identifier.startswith("fsmt-"):
        target = cloud.backend("efs").mount_targets_by_id.get(identifier)
        zone = _zone_of(cloud, target.subnet_id) if target is not None else ""
    elif identifier.startswith("eni-"):
        eni = ec2.enis.get(identifier)
        zone = eni.subnet.availability_zone if eni is not None else ""
    else:
        found = [group[identifier] for group in ec2.subnets.values() if identifier in group]
        zone = found[0].availability_zone if found else ""
    return str(zone)


def refused(cloud: Cloud, request: ApiRequest, call: ApiCall) -> Refusal | None:
    """The refusal of a call for something that the lab does not model, or that exceeds the request limit, or None."""
    unknown = not_modelled(request)
    if unknown is not None:
        cloud.note_error(unknown.message)
        return unknown
    with cloud.lock:
        exceeds = Route53.of(cloud).limits.refuses(call, cloud.timing)
    if not exceeds:
        return None
    cloud.event("limit", f"{call.service}:{call.action}", "request limit exceeded")
    return words("throttled", call.service, call.action, call.caller)


def error_document(service: str, code: str, message: str, *, is_json: bool) -> tuple[dict[str, str], bytes]:
    """Headers and body of an error. `is_json`: the request was of the JSON protocol."""
    if is_json or service in _JSON_SERVICES:
        headers = {"Content-Type": "application/x-amz-json-1.1", "x-amzn-ErrorType": code}
        return headers, json.dumps({"__type": code, "message": message}).encode()
    inner = f"<Code>{escape(code)}</Code><Message>{escape(message)}</Message>"
    request_id = uuid.uuid4()
    if service == "ec2":
        text = f"<Response><Errors><Error>{inner}</Error></Errors><RequestID>{request_id}</RequestID></Response>"
    else:
        text = (
            f"<ErrorResponse><Error><Type>Sender</Type>{inner}</Error>"
            f"<RequestId>{request_id}</RequestId></ErrorResponse>"
        )
    return {"Content-Type": "text/xml"}, f'<?xml version="1.0"?>{text}'.encode()
