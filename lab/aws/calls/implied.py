"""What AWS asks IAM besides the call itself: further actions that the caller of one request must be allowed.

For: the call log, so that a policy that lacks them is found. Guarantees: whoever gives a group a launch template is
asked for ec2:RunInstances on everything that a launch touches, and for iam:PassRole where the template has a role.
Does not: refuse anything; ask for ec2:CreateTags, which only a launch template with tags of its own would need.
Source: Auto Scaling user guide, "Control Amazon EC2 launch template usage in Auto Scaling groups"; Service
Authorization Reference, RunInstances (required resource types, ec2:LaunchTemplate) and PassRole (iam:PassedToService).
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from moto.core.exceptions import ServiceException

from lab.aws.autoscaling.group_rules import template_of
from lab.aws.autoscaling.state import AutoScaling
from lab.aws.calls.request import ApiRequest
from lab.aws.core.call_log import Call, Resource
from lab.aws.core.cloud import Cloud
from lab.aws.ec2.launch_rules import instance_profile

_ASKED_BY = ("autoscaling:CreateAutoScalingGroup", "autoscaling:UpdateAutoScalingGroup")
_MADE = ("instance/i-made", "network-interface/eni-made", "volume/vol-made")  # by a launch: ids that nobody knows yet


def implied(cloud: Cloud, request: ApiRequest, call: Call) -> tuple[Call, ...]:
    """The further calls that the caller of `call` must be allowed. Call under the lock."""
    given = template_of(dict(request.parameters)) if call.action in _ASKED_BY else {}
    if not given:
        return ()
    try:
        version = cloud.backend("ec2")._get_template_from_args(given)
    except ServiceException:
        return ()  # nothing is launched from what is not there; the call itself is refused
    keys = call.keys | {"ec2:LaunchTemplate": _arn(cloud, f"launch-template/{version.template.id}")}
    launched = tuple(Resource(arn=_arn(cloud, name)) for name in _touched(cloud, request.parameters, version))
    calls = [replace(call, action="ec2:RunInstances", resources=launched, keys=keys)]
    profile = version.data.get("IamInstanceProfile") or {}
    if profile:
        found = instance_profile(cloud.account_id, "aws", profile.get("Arn"), profile.get("Name"))
        passed = call.keys | {"iam:PassedToService": "ec2.amazonaws.com"}
        roles = tuple(Resource(arn=role.arn) for role in found.roles)
        calls.append(replace(call, action="iam:PassRole", resources=roles, keys=passed))
    return tuple(calls)


def _touched(cloud: Cloud, parameters: Mapping[str, Any], version: Any) -> Iterator[str]:
    group = AutoScaling.of(cloud).groups.get(parameters.get("AutoScalingGroupName", ""))
    subnets = parameters.get("VPCZoneIdentifier") or (group.record.vpc_zone_identifier if group else "")
    yield f"launch-template/{version.template.id}"
    yield f"image/{version.data.get('ImageId')}"
    yield from (f"subnet/{one}" for one in (subnets or "subnet-default").split(","))
    yield from (f"security-group/{one}" for one in version.data.get("SecurityGroupIds") or ("sg-default",))
    yield from _MADE


def _arn(cloud: Cloud, rest: str) -> str:
    account = "" if rest.startswith("image/") else cloud.account_id
    return f"arn:aws:ec2:{cloud.region}:{account}:{rest}"
