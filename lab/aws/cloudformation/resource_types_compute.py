"""CloudFormation's launch template, Auto Scaling group and lifecycle hook.

For: staging a new image by deploying it. Guarantees: a changed launch template is a new version and the default stays;
a group is never replaced, and nothing that runs is; a hook of its own holds instances as one of the group's list does.
Does not: model UpdatePolicy or CreationPolicy (our template has neither); a template that has them is refused.
Sources: CloudFormation resource reference AWS::EC2::LaunchTemplate and AWS::AutoScaling::AutoScalingGroup ("Update
requires"); Auto Scaling user guide "Delete your Auto Scaling infrastructure" (the group is set to 0 and drains).
"""

import time
from typing import Any

from moto.ec2.utils import parse_user_data

from lab.aws.autoscaling.group_api import create_group, delete_group, update_group
from lab.aws.autoscaling.lifecycle_hooks import hook_from, put_hook
from lab.aws.autoscaling.modelled import AUTO_SCALING
from lab.aws.autoscaling.state import AutoScaling
from lab.aws.cloudformation.stack_resources import (
    Deployed,
    MotoType,
    Properties,
    ResourceFailed,
    ResourceType,
    StackContext,
    WrittenType,
    physical_name,
    refuse_changes,
    refuse_unmodelled,
)
from lab.aws.ec2.modelled import EC2

_POLL_S = 0.2
_GROUP_CHANGES = (
    *("MinSize", "MaxSize", "DesiredCapacity", "LaunchTemplate", "HealthCheckType", "HealthCheckGracePeriod"),
    *("InstanceMaintenancePolicy", "AvailabilityZoneDistribution", "LifecycleHookSpecificationList"),
    *("NotificationConfigurations", "Tags", "VPCZoneIdentifier", "MixedInstancesPolicy"),
)


def _make_launch_template(context: StackContext, name: str, properties: Properties) -> Any:
    """Version 1 is the default."""
    data = _template_data(properties)
    data["UserData"] = parse_user_data(data.get("UserData"))
    ec2 = context.cloud.backend("ec2")
    return ec2.create_launch_template(name, properties.get("VersionDescription", ""), data, {})


def _template_data(properties: Properties) -> Properties:
    data = dict(properties["LaunchTemplateData"])
    shape = EC2["CreateLaunchTemplate"].parts["LaunchTemplateData"]
    refuse_unmodelled("LaunchTemplateData of AWS::EC2::LaunchTemplate", shape, data)
    return data


def _tag_launch_template(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    tags = context.tags_of(deployed.logical_resource_id) | _launch_template_tags(properties)
    _write_tags(context, deployed.record, tags)


def _write_tags(context: StackContext, record: Any, tags: dict[str, str]) -> None:
    """DescribeLaunchTemplates answers from a copy of the tags that moto makes on creation."""
    context.cloud.backend("ec2").create_tags([record.id], tags)
    record.tags = record.get_tags()


def _change_launch_template(context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
    """A new version; CloudFormation never changes the default."""
    if {"LaunchTemplateData", "VersionDescription"} & set(changed):
        deployed.record.create_version(_template_data(new), new.get("VersionDescription", ""))
    if "TagSpecifications" in changed:
        tags = _launch_template_tags(new)
        gone = sorted(set(_launch_template_tags(deployed.properties)) - set(tags))
        context.cloud.backend("ec2").delete_tags([deployed.record.id], dict.fromkeys(gone))
        _write_tags(context, deployed.record, tags)


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
        """In place, and always the whole of it: a value that somebody changed meanwhile is written back. Refused where
        AWS would replace instances or the group."""
        refuse_changes(deployed, changed, _GROUP_CHANGES)
        cloud, name = context.cloud, deployed.physical_resource_id
        parameters = _api_parameters(context, deployed.logical_resource_id, name, new)
        with cloud.call():
            group = AutoScaling.of(cloud).groups[name]
            update_group(cloud, name, parameters)
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
    of_the_api = {name: value for name, value in properties.items() if name != "NotificationConfigurations"}
    refuse_unmodelled(
        f"AWS::AutoScaling::AutoScalingGroup {logical_id}", AUTO_SCALING["CreateAutoScalingGroup"], of_the_api
    )
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


def _put_hook(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    """For instances that enter the transition from now on; those launched before did not wait for it."""
    group_name, name = properties["AutoScalingGroupName"], deployed.physical_resource_id
    group = AutoScaling.of(context.cloud).groups.get(group_name)
    if group is None:
        raise ResourceFailed(f"AutoScalingGroup name not found - {group_name}")
    put_hook(group.hooks, hook_from(properties | {"LifecycleHookName": name}))


def _remove_hook(context: StackContext, deployed: Deployed) -> None:
    """The group may be gone by then, and its hooks with it."""
    group = AutoScaling.of(context.cloud).groups.get(deployed.properties["AutoScalingGroupName"])
    if group is not None:
        group.hooks.pop(deployed.physical_resource_id, None)


COMPUTE_TYPES: dict[str, ResourceType] = {
    "AWS::EC2::LaunchTemplate": MotoType(
        "moto.ec2.models.launch_templates:LaunchTemplate",
        make=_make_launch_template,
        complete=_tag_launch_template,
        changes=("LaunchTemplateData", "VersionDescription", "TagSpecifications"),
        change=_change_launch_template,
    ),
    "AWS::AutoScaling::AutoScalingGroup": GroupType(),
    "AWS::AutoScaling::LifecycleHook": WrittenType(_put_hook, _remove_hook),
}
