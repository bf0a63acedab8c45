"""CloudFormation's launch template and Auto Scaling group.

For: staging a new image by deploying it. Guarantees: a changed launch template is a new version and the default stays;
a group is never replaced, and nothing that runs is. Does not: model UpdatePolicy or CreationPolicy (our template has
neither); a template that has them is refused.
Sources: CloudFormation resource reference AWS::EC2::LaunchTemplate and AWS::AutoScaling::AutoScalingGroup ("Update
requires"); Auto Scaling user guide "Delete your Auto Scaling infrastructure" (the group is set to 0 and drains).
"""

from __future__ import annotations

import time
from typing import Any

from moto.ec2.utils import parse_user_data

from lab.aws.autoscaling.group_api import create_group, delete_group, update_group
from lab.aws.autoscaling.lifecycle_hooks import hook_from
from lab.aws.autoscaling.state import AutoScaling
from lab.aws.cloudformation.stack_resources import (
    Deployed,
    MotoType,
    NotModelled,
    Properties,
    ResourceFailed,
    StackContext,
    physical_name,
    refuse_changes,
)

_POLL_S = 0.2
_GROUP_CHANGES = (
    "MinSize",
    "MaxSize",
    "DesiredCapacity",
    "LaunchTemplate",
    "HealthCheckType",
    "HealthCheckGracePeriod",
    "InstanceMaintenancePolicy",
    "AvailabilityZoneDistribution",
    "LifecycleHookSpecificationList",
    "NotificationConfigurations",
    "Tags",
)


class LaunchTemplateType(MotoType):
    """AWS::EC2::LaunchTemplate."""

    def __init__(self) -> None:
        super().__init__("moto.ec2.models.launch_templates:LaunchTemplate")

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Version 1 is the default."""
        data = dict(properties["LaunchTemplateData"])
        data["UserData"] = parse_user_data(data.get("UserData"))
        cloud = context.cloud
        tags = {"launch-template": context.tags_of(logical_id) | _launch_template_tags(properties)}
        with cloud.call():
            name = physical_name(context, logical_id, type_name, properties)
            record = cloud.backend("ec2").create_launch_template(
                name, properties.get("VersionDescription", ""), data, tags
            )
        return Deployed(logical_id, type_name, record.id, record=record)

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """A new version; CloudFormation never changes the default."""
        refuse_changes(deployed, changed, ("LaunchTemplateData", "VersionDescription", "TagSpecifications"))
        if {"LaunchTemplateData", "VersionDescription"} & set(changed):
            with context.cloud.call():
                deployed.record.create_version(dict(new["LaunchTemplateData"]), new.get("VersionDescription", ""))
        if "TagSpecifications" in changed:
            with context.cloud.call():
                _write_tags(context, deployed, new)


def _write_tags(context: StackContext, deployed: Deployed, new: Properties) -> None:
    """DescribeLaunchTemplates answers from a copy of the tags that moto makes on creation."""
    record, ec2 = deployed.record, context.cloud.backend("ec2")
    before, after = _launch_template_tags(deployed.properties), _launch_template_tags(new)
    ec2.delete_tags([record.id], dict.fromkeys(sorted(set(before) - set(after))))
    ec2.create_tags([record.id], after)
    record.tags = record.get_tags()


def _launch_template_tags(properties: Properties) -> dict[str, str]:
    return {
        tag["Key"]: tag["Value"]
        for specification in properties.get("TagSpecifications", [])
        if specification.get("ResourceType") == "launch-template"
        for tag in specification.get("Tags", [])
    }


class GroupType:
    """AWS::AutoScaling::AutoScalingGroup."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Create the group; its first instance launches later and passes the launch hook."""
        name = physical_name(context, logical_id, type_name, properties)
        cloud = context.cloud
        with cloud.call():
            group = create_group(cloud, _api_parameters(context, logical_id, name, properties))
            group.notifications = properties.get("NotificationConfigurations", [])
        deployed = Deployed(logical_id, type_name, name, record=group.record)
        deployed.attributes = {"AutoScalingGroupARN": lambda: group.record.arn}
        return deployed

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """In place; refused where AWS would replace instances or the group."""
        refuse_changes(deployed, changed, _GROUP_CHANGES)
        cloud, name = context.cloud, deployed.physical_resource_id
        parameters = _api_parameters(context, deployed.logical_resource_id, name, new)
        with cloud.call():
            group = AutoScaling.of(cloud).groups[name]
            wanted = {key: parameters[key] for key in changed if key in parameters}
            update_group(cloud, name, wanted)
            if "LifecycleHookSpecificationList" in changed:
                hooks = [hook_from(one) for one in new.get("LifecycleHookSpecificationList", [])]
                group.hooks = {hook.name: hook for hook in hooks}
            group.notifications = new.get("NotificationConfigurations", [])
            if "Tags" in changed:
                group.record.tags = parameters["Tags"]

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        """Set the sizes to 0, wait until no instance is left, delete the group."""
        cloud, name = context.cloud, deployed.physical_resource_id
        if name not in AutoScaling.of(cloud).groups:
            return
        with cloud.call():
            update_group(cloud, name, {"MinSize": 0, "MaxSize": 0, "DesiredCapacity": 0})
        deadline = time.monotonic() + cloud.timing.stack_settle_s
        while True:
            with cloud.call():
                members = sorted(AutoScaling.of(cloud).groups[name].members)
                if not members:
                    delete_group(cloud, name, force=False)
                    return
            if time.monotonic() >= deadline:
                raise ResourceFailed(
                    f"Group did not stabilize: {', '.join(members)} still there "
                    f"after {cloud.timing.stack_settle_s:.0f} s"
                )
            if cloud.stopping.wait(_POLL_S):
                raise ResourceFailed(f"the control plane was stopped while {', '.join(members)} were still there")


def _api_parameters(context: StackContext, logical_id: str, name: str, properties: Properties) -> dict[str, Any]:
    for unwanted in ("LaunchConfigurationName", "LoadBalancerNames", "TargetGroupARNs"):
        if properties.get(unwanted):
            raise NotModelled(f"the lab does not model {unwanted} of AWS::AutoScaling::AutoScalingGroup {logical_id}")
    parameters = properties | {"AutoScalingGroupName": name}
    parameters["VPCZoneIdentifier"] = ",".join(properties.get("VPCZoneIdentifier") or [])
    tags = {
        key: {"Key": key, "Value": value, "PropagateAtLaunch": True}
        for key, value in context.tags_of(logical_id).items()
    } | {tag["Key"]: dict(tag) for tag in properties.get("Tags", [])}
    parameters["Tags"] = list(tags.values())
    for number in ("MinSize", "MaxSize", "DesiredCapacity"):
        if number in parameters:
            parameters[number] = int(parameters[number])
    return parameters
