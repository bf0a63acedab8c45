"""Launching one instance for a group: which zone, from what, and what if there is no capacity.

For: `groups`. Guarantees: a launch that fails is a failed scaling activity; for want of capacity, or when a zone's
control plane is away, another zone is tried at once (balanced-best-effort), for any other reason the group waits
`launch_retry_s`. Does not: decide when an instance is launched.
Sources: Auto Scaling user guide "Instance distribution", "Allocation strategies for multiple instance types" and
"Verify a scaling activity".
"""

import traceback
from typing import Any

from moto.core.exceptions import ServiceException

from lab.aws.autoscaling.group_decisions import CAUSE_REPLACE, LEAVING, choose_zone
from lab.aws.autoscaling.group_records import Group, Member, begin_activity, stamp, subnet_in
from lab.aws.autoscaling.state import AutoScaling
from lab.aws.core.cloud import Cloud
from lab.aws.core.errors import refused
from lab.aws.faults.codes import Refusal
from lab.aws.faults.faults import ApiCall, refusal, strike

_ROLE = "arn:aws:iam::{account}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
# Failures of one zone: the group tries another one at once.
_ZONAL_FAILURES = ("InsufficientInstanceCapacity", "Unavailable", "InternalError")


def launch(cloud: Cloud, group: Group) -> None:
    """Launch one instance in the zone AWS would choose; try the other zones when there is no capacity."""
    active = sum(1 for member in group.members.values() if member.lifecycle not in LEAVING)
    cause = _launch_cause(cloud, group, active)
    excluded = set(AutoScaling.of(cloud).places.unavailable)
    while True:
        zone = choose_zone(
            tuple(dict.fromkeys(group.record.availability_zones)),
            in_use=_instances_per_zone(group),
            preferred=AutoScaling.of(cloud).places.preferred,
            excluded=frozenset(excluded),
        )
        if zone is None:
            group.launch_allowed_at = cloud.now() + cloud.timing.launch_retry_s
            cloud.look_again_in(cloud.timing.launch_retry_s)
            cloud.event("group", group.name, "no zone can take a new instance; will try again")
            return
        try:
            member = _launch_in(cloud, group, zone, cause)
        except Exception as error:
            _note_failed_launch(cloud, group, zone, cause, error)
            excluded.add(zone)
            if getattr(error, "code", "") not in _ZONAL_FAILURES or group.distribution == "balanced-only":
                excluded.update(group.record.availability_zones)
            continue
        group.capacity_cause, group.replacing = "", max(0, group.replacing - 1)
        cloud.event("group", group.name, f"launching {member.instance_id} in {zone}: {cause}")
        return


def _launch_cause(cloud: Cloud, group: Group, active: int) -> str:
    if group.replacing:
        return CAUSE_REPLACE
    prefix = f"{group.capacity_cause}  At {stamp(cloud)} " if group.capacity_cause else ""
    return (
        f"{prefix}an instance was started in response to a difference between desired and actual capacity, "
        f"increasing the capacity from {active} to {active + 1}."
    )


def _instances_per_zone(group: Group) -> dict[str, int]:
    count: dict[str, int] = {}
    for member in group.members.values():
        if member.lifecycle not in LEAVING:
            count[member.zone] = count.get(member.zone, 0) + 1
    return count


def _note_failed_launch(cloud: Cloud, group: Group, zone: str, cause: str, error: Exception) -> None:
    """A Failed activity; an error of the lab's own is kept as well, and must not stop the other groups."""
    if not isinstance(error, ServiceException):
        cloud.note_error(f"a launch of group {group.name}:\n{traceback.format_exc()}")
    text = str(getattr(error, "message", f"the lab failed: {error!r}")).rstrip(".")
    activity = begin_activity(cloud, group, "Launching a new EC2 instance", cause, zone)
    activity.end(cloud.now(), "Failed", f"{text}. Launching EC2 instance failed.")
    cloud.event("group", group.name, f"launch in {zone} failed: {text}")


def _launch_in(cloud: Cloud, group: Group, zone: str, cause: str) -> Member:
    record = group.record
    version = record.ec2_launch_template.get_version(record.launch_template_version)
    struck = _refusal_inside(cloud, zone)
    if struck is not None:
        raise refused(struck.code, struck.message)
    instance_type = _type_with_capacity(cloud, zone, instance_types(record, version))
    subnet_id = subnet_in(cloud, group, zone)
    if subnet_id is None and record.vpc_zone_identifier:
        raise refused("InvalidSubnetID.NotFound", f"The subnet ID '{record.vpc_zone_identifier}' does not exist")
    reservation = cloud.backend("ec2").run_instances(
        image_id_of(cloud, version.image_id),
        1,
        None,
        [],
        launch_template={"LaunchTemplateId": version.template.id, "Version": str(version.number)},
        instance_type=instance_type,
        is_instance_type_default=False,
        region_name=cloud.region,
        subnet_id=subnet_id,
        associate_public_ip=None,
        tags={"instance": record.get_propagated_tags() | {"aws:autoscaling:groupName": group.name}},
    )
    instance = reservation.instances[0]
    activity = begin_activity(cloud, group, f"Launching a new EC2 instance: {instance.id}", cause, zone)
    member = Member(
        instance_id=instance.id,
        instance_type=instance_type,
        zone=zone,
        launched_at=cloud.now(),
        template={
            "LaunchTemplateId": version.template.id,
            "LaunchTemplateName": version.template.name,
            "Version": str(version.number),
        },
        launch=activity,
        protected=bool(record.new_instances_protected_from_scale_in),
    )
    group.members[instance.id] = member
    return member


def instance_types(record: Any, version: Any) -> tuple[str, ...]:
    """What the group may launch, the preferred type first: its overrides, else the launch template's type."""
    overrides = ((record.mixed_instances_policy or {}).get("LaunchTemplate") or {}).get("Overrides") or []
    named = tuple(str(one["InstanceType"]) for one in overrides if one.get("InstanceType"))
    return named or (version.instance_type or "m1.small",)


def _type_with_capacity(cloud: Cloud, zone: str, types: tuple[str, ...]) -> str:
    """The first type that the zone has. One launch asks for all of them: only when none is there has it failed."""
    places = AutoScaling.of(cloud).places
    if zone not in places.without_capacity:
        for one in types:
            if (zone, one) not in places.without_type:
                return one
    raise refused(
        "InsufficientInstanceCapacity",
        f"We currently do not have sufficient {', '.join(types)} capacity in the Availability Zone you requested "
        f"({zone}). Our system will be working on provisioning additional capacity",
    )


def _refusal_inside(cloud: Cloud, zone: str) -> Refusal | None:
    """The error that a fault gives to Auto Scaling's own launch in a zone, or None. A dropped call is an error, too."""
    caller = _ROLE.format(account=cloud.account_id)
    call = ApiCall(service="ec2", action="RunInstances", caller=caller, zones=frozenset({zone}), is_internal=True)
    fault = strike(cloud, call)
    if fault is None:
        return None
    return refusal(fault, call) or Refusal("InternalError", 500, "An internal error has occurred")


def image_id_of(cloud: Cloud, image_id: str) -> str:
    """Resolve `resolve:ssm:NAME` as the group does at launch.

    Source: Auto Scaling user guide "Use AWS Systems Manager parameters instead of AMI IDs in launch templates".
    """
    if not image_id.startswith("resolve:ssm:"):
        return image_id
    parameter = cloud.backend("ssm").get_parameter(image_id.removeprefix("resolve:ssm:"))
    if parameter is None:
        raise refused("InvalidParameterValue", f"The SSM parameter in '{image_id}' does not exist")
    value: str = parameter.value
    return value
