"""Auto Scaling's API over the lab's group engine.

For: replaces those calls of moto that answer at once, or not at all. Guarantees: no call launches or terminates
anything by itself; the engine does, with time. Does not: support what `modelled` lacks (launch configurations, warm
pools, scaling policies, instance refresh...), or send notifications: it only tells whom a group would.
Sources: Auto Scaling API reference (CreateAutoScalingGroup, SetInstanceHealth, CompleteLifecycleAction,
TerminateInstanceInAutoScalingGroup, DeleteAutoScalingGroup).
"""

import copy
from typing import Any

from moto.core.responses import ActionResult, EmptyResult

from lab.aws.autoscaling.account_settings import maintenance_policy_from
from lab.aws.autoscaling.group_records import Group, Member
from lab.aws.autoscaling.group_rules import refuse_settings, refuse_sizes
from lab.aws.autoscaling.groups import remove_when_empty, retire
from lab.aws.autoscaling.lifecycle_hooks import hook_from, put_hook
from lab.aws.autoscaling.state import AutoScaling
from lab.aws.core.cloud import Cloud, current, under_lock
from lab.aws.core.errors import bad_group_token, group_refused, validation_error
from lab.aws.core.paging import refuses_bad_tokens
from lab.aws.core.patches import ABSENT, PROPERTY, original, replaces

_RESPONSE = "moto.autoscaling.responses:AutoScalingResponse"
_BACKEND = "moto.autoscaling.models:AutoScalingBackend"
_GROUP = "moto.autoscaling.models:FakeAutoScalingGroup"
_INSTANT = "moto launches and terminates inside the call"
PENDING_DELETE = "is pending delete"  # texts as seen in hashicorp/terraform#1105 and kubernetes/kops#1001
_PROCESSES = (
    *("Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck"),
    *("InstanceRefresh", "ReplaceUnhealthy", "ScheduledActions"),
)


# -------------------------------------------------------------------- lookups
def group_named(cloud: Cloud, name: str | None) -> Group:
    """The group, or AWS's ValidationError."""
    group = AutoScaling.of(cloud).groups.get(name or "")
    if group is None:
        raise validation_error(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")
    found: Group = group
    return found


def member_of_any(cloud: Cloud, instance_id: str | None) -> tuple[Group, Member]:
    """The group and membership of an instance, or AWS's ValidationError."""
    for group in AutoScaling.of(cloud).groups.values():
        if instance_id in group.members:
            return group, group.members[instance_id]
    raise validation_error(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")


# -------------------------------------------------------------------- groups
def create_group(cloud: Cloud, parameters: dict[str, Any]) -> Group:
    """CreateAutoScalingGroup from parameters in the API's shape. VPCZoneIdentifier is a comma-separated string."""
    name = parameters["AutoScalingGroupName"]
    present = AutoScaling.of(cloud).groups.get(name)
    if present is not None:
        text = f"AutoScalingGroup by this name already exists - A group with the name {name} already exists"
        raise group_refused("AlreadyExists", text + (f" and {PENDING_DELETE}" if present.is_deleting else ""))
    refuse_settings(cloud, parameters)
    refuse_sizes(parameters.get("MinSize"), parameters.get("MaxSize"), parameters.get("DesiredCapacity"))
    record = cloud.backend("autoscaling").create_auto_scaling_group(
        name=name,
        availability_zones=parameters.get("AvailabilityZones", []),
        desired_capacity=parameters.get("DesiredCapacity"),
        max_size=parameters.get("MaxSize"),
        min_size=parameters.get("MinSize"),
        launch_config_name=None,
        launch_template=parameters.get("LaunchTemplate") or {},
        mixed_instances_policy=copy.deepcopy(parameters.get("MixedInstancesPolicy")),
        vpc_zone_identifier=parameters.get("VPCZoneIdentifier"),
        default_cooldown=None,
        health_check_period=parameters.get("HealthCheckGracePeriod"),
        health_check_type=parameters.get("HealthCheckType"),
        load_balancers=[],
        target_group_arns=[],
        placement_group=None,
        termination_policies=[],
        tags=parameters.get("Tags", []),
        capacity_rebalance=False,
        new_instances_protected_from_scale_in=bool(parameters.get("NewInstancesProtectedFromScaleIn", False)),
    )
    group = Group(name=name, record=record)
    apply_settings(group, parameters | {"HealthCheckGracePeriod": parameters.get("HealthCheckGracePeriod") or 0})
    for specification in parameters.get("LifecycleHookSpecificationList", []):
        put_hook(group.hooks, hook_from(specification))
    group.capacity_cause = (
        f"a user request created an AutoScalingGroup changing the desired capacity from 0 to {record.desired_capacity}."
    )
    AutoScaling.of(cloud).groups[name] = group
    cloud.event("group", name, "created")
    return group


def apply_settings(group: Group, parameters: dict[str, Any]) -> None:
    """Apply the settings that moto does not keep."""
    if parameters.get("HealthCheckGracePeriod") is not None:
        group.grace_s = int(parameters["HealthCheckGracePeriod"])
        group.record.health_check_grace_period = group.grace_s
    policy = parameters.get("InstanceMaintenancePolicy")
    if policy:
        group.maintenance_policy = maintenance_policy_from(policy)
        group.record.instance_maintenance_policy = group.maintenance_policy or None
    distribution = parameters.get("AvailabilityZoneDistribution")
    if distribution:
        group.distribution = distribution["CapacityDistributionStrategy"]
    group.record.availability_zone_distribution = {"CapacityDistributionStrategy": group.distribution}


def update_group(cloud: Cloud, name: str, parameters: dict[str, Any]) -> None:
    """UpdateAutoScalingGroup: running instances are never replaced, whatever changes."""
    group = group_named(cloud, name)
    if group.is_deleting:
        raise validation_error(f"The AutoScaling group may not be modified while it {PENDING_DELETE}")
    record = group.record
    new = {key: parameters.get(key) for key in ("MinSize", "MaxSize", "DesiredCapacity")}
    desired = new["DesiredCapacity"]
    low = record.min_size if new["MinSize"] is None else int(new["MinSize"])
    high = record.max_size if new["MaxSize"] is None else int(new["MaxSize"])
    refuse_settings(cloud, parameters)
    refuse_sizes(low, high, desired)
    template, mixed = parameters.get("LaunchTemplate"), parameters.get("MixedInstancesPolicy")
    if template or mixed:  # the one takes the other's place
        record.mixed_instances_policy = copy.deepcopy(mixed)
        record._set_launch_configuration(None, template, record.mixed_instances_policy)
        cloud.event("group", name, f"launch template version is now {record.launch_template_version}")
    if parameters.get("VPCZoneIdentifier") or parameters.get("AvailabilityZones"):
        record._set_azs_and_vpcs(
            parameters.get("AvailabilityZones", []), parameters.get("VPCZoneIdentifier"), update=True
        )
    record.min_size, record.max_size = low, high
    wanted = record.desired_capacity if desired is None else int(desired)
    wanted = min(max(wanted, low), high)
    if wanted != record.desired_capacity:
        _set_desired(group, wanted)
    if parameters.get("HealthCheckType"):
        record.health_check_type = parameters["HealthCheckType"]
    if parameters.get("NewInstancesProtectedFromScaleIn") is not None:
        record.new_instances_protected_from_scale_in = bool(parameters["NewInstancesProtectedFromScaleIn"])
    apply_settings(group, parameters)


def _set_desired(group: Group, wanted: int) -> None:
    group.capacity_cause = (
        f"a user request explicitly set group desired capacity changing the desired capacity "
        f"from {group.record.desired_capacity} to {wanted}."
    )
    group.record.desired_capacity = wanted
    group.launch_allowed_at = 0.0


def delete_group(cloud: Cloud, name: str, *, force: bool) -> None:
    """DeleteAutoScalingGroup: refused with instances unless forced; force drops outstanding hooks, and the group
    is there until its instances are terminated."""
    group = group_named(cloud, name)
    if group.members and not force:
        raise group_refused(
            "ResourceInUse",
            "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) "
            "still in the group.",
        )
    group.is_deleting, group.record.status = True, "Delete in progress"
    for member in group.members.values():
        retire(cloud, group, member, "instance was taken out of service in response to a user request.")
        member.lifecycle, member.waits = "Terminating:Proceed", {}
    cloud.event("group", name, "being deleted" if group.members else "deleted")
    remove_when_empty(cloud, group)


@replaces(f"{_RESPONSE}.create_auto_scaling_group", reason=_INSTANT)
@under_lock
def create_auto_scaling_group(self: Any, cloud: Cloud) -> Any:
    create_group(cloud, self._get_params())
    return EmptyResult()


@replaces(f"{_RESPONSE}.update_auto_scaling_group", reason=_INSTANT)
@under_lock
def update_auto_scaling_group(self: Any, cloud: Cloud) -> Any:
    update_group(cloud, self._get_param("AutoScalingGroupName"), self._get_params())
    return EmptyResult()


@replaces(f"{_RESPONSE}.delete_auto_scaling_group", reason=_INSTANT)
@under_lock
def delete_auto_scaling_group(self: Any, cloud: Cloud) -> Any:
    force = self._get_bool_param("ForceDelete", False)  # noqa: FBT003
    delete_group(cloud, self._get_param("AutoScalingGroupName"), force=bool(force))
    return EmptyResult()


@replaces(f"{_RESPONSE}.set_desired_capacity", reason="moto ignores the maximum size")
@under_lock
def set_desired_capacity(self: Any, cloud: Cloud) -> Any:
    """SetDesiredCapacity: refused outside the bounds of the group."""
    group = group_named(cloud, self._get_param("AutoScalingGroupName"))
    wanted = self._get_int_param("DesiredCapacity")
    low, high = group.record.min_size, group.record.max_size
    if not low <= wanted <= high:
        bound = f"above max value {high}" if wanted > high else f"below min value {low}"
        raise validation_error(f"New SetDesiredCapacity value {wanted} is {bound} for the AutoScalingGroup.")
    _set_desired(group, wanted)
    return EmptyResult()


@replaces(f"{_GROUP}.set_desired_capacity", expects="self, new_capacity", reason=_INSTANT)
def record_desired_capacity(self: Any, new_capacity: int | None) -> None:
    """Record the number; the engine launches or terminates later."""
    self.desired_capacity = self.min_size if new_capacity is None else new_capacity


refuses_bad_tokens(f"{_RESPONSE}.describe_auto_scaling_groups", bad_group_token)


def _described_members(record: Any) -> list[dict[str, Any]]:
    group = AutoScaling.of(current()).groups.get(record.name)
    return [member.describe() for member in group.members.values()] if group is not None else []


def _template_alone(self: Any) -> Any:
    return None if self.mixed_instances_policy else original(f"{_GROUP}.launch_template").fget(self)


replaces(f"{_GROUP}.launch_template", expects=PROPERTY, reason="moto shows it beside a mixed instances policy, too")(
    property(_template_alone)
)


replaces(f"{_GROUP}.instances", expects=PROPERTY, reason="members have lifecycle states")(property(_described_members))


@replaces(f"{_RESPONSE}.describe_auto_scaling_instances", reason="members have lifecycle states")
def describe_auto_scaling_instances(self: Any) -> Any:
    wanted = self._get_param("InstanceIds", [])
    cloud = current()
    with cloud.lock:
        found = [
            member.describe() | {"AutoScalingGroupName": group.name, "HealthStatus": member.health.upper()}
            for group in AutoScaling.of(cloud).groups.values()
            for member in group.members.values()
            if not wanted or member.instance_id in wanted
        ]
    return ActionResult({"AutoScalingInstances": found})


@replaces(
    f"{_BACKEND}.notify_terminate_instances",
    expects="self, instance_ids",
    reason="the group notices by its health check, not inside the call",
)
def notify_terminate_instances(self: Any, instance_ids: list[str]) -> None:
    """Do nothing: the engine notices by itself."""


@replaces(f"{_BACKEND}.suspend_processes", expects="self, group_name, scaling_processes", reason="unknown names pass")
@under_lock
def suspend_processes(self: Any, cloud: Cloud, group_name: str, scaling_processes: list[str]) -> None:
    """SuspendProcesses: refuses names that AWS does not know."""
    group_named(cloud, group_name)
    for name in scaling_processes or []:
        if name not in _PROCESSES:
            raise validation_error(f"{name} is not a valid process name: choose from {', '.join(_PROCESSES)}")
    original(f"{_BACKEND}.suspend_processes")(self, group_name, scaling_processes)
    cloud.event("group", group_name, f"suspended: {', '.join(scaling_processes or _PROCESSES)}")


@replaces(f"{_RESPONSE}.describe_notification_configurations", expects=ABSENT, reason="moto does not have it")
def describe_notification_configurations(self: Any) -> Any:
    """DescribeNotificationConfigurations: one entry per group, topic and type."""
    wanted = self._get_param("AutoScalingGroupNames") or []
    cloud = current()
    with cloud.lock:
        found = [
            {"AutoScalingGroupName": name, "TopicARN": topic, "NotificationType": kind}
            for name, group in AutoScaling.of(cloud).groups.items()
            if name in wanted or not wanted
            for one in group.notifications
            for topic in _topics(one)
            for kind in one.get("NotificationTypes", [])
        ]
    return ActionResult({"NotificationConfigurations": found})


def _topics(configuration: dict[str, Any]) -> list[str]:
    topic = configuration.get("TopicARN") or []
    return [topic] if isinstance(topic, str) else list(topic)
