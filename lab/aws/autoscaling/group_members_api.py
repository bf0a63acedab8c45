"""Auto Scaling's API for single instances of a group: health, termination, standby, activities, lifecycle actions.

For: the agent and the operator's command. Guarantees: no call launches or terminates anything by itself; the engine
does, with time. Does not: support AttachInstances and DetachInstances.
Sources: Auto Scaling API reference (SetInstanceHealth, TerminateInstanceInAutoScalingGroup, EnterStandby,
PutLifecycleHook, CompleteLifecycleAction, RecordLifecycleActionHeartbeat).
"""

from typing import Any

from moto.core.responses import ActionResult, EmptyResult

from lab.aws.autoscaling.group_api import group_named, member_of_any
from lab.aws.autoscaling.group_decisions import CAUSE_USER_HEALTH, LEAVING, respects_grace
from lab.aws.autoscaling.group_records import Activity, Group, Member, begin_activity
from lab.aws.autoscaling.groups import observe, retire
from lab.aws.autoscaling.lifecycle_hooks import beat, find_wait, hook_from, put_hook
from lab.aws.autoscaling.state import AutoScaling
from lab.aws.core.cloud import Cloud, current, under_lock
from lab.aws.core.errors import bad_group_token, validation_error
from lab.aws.core.paging import page_of
from lab.aws.core.patches import ABSENT, replaces

_RESPONSE = "moto.autoscaling.responses:AutoScalingResponse"
_INSTANT = "moto launches and terminates inside the call"


@replaces(f"{_RESPONSE}.set_instance_health", reason="moto stores the word and replaces nothing")
@under_lock
def set_instance_health(self: Any, cloud: Cloud) -> Any:
    """SetInstanceHealth: respects the grace period unless told otherwise; the engine replaces."""
    status = self._get_param("HealthStatus")
    if status not in ("Healthy", "Unhealthy"):
        raise validation_error(f"Valid instance health states are: [Healthy, Unhealthy]: {status}")
    group, member = member_of_any(cloud, self._get_param("InstanceId"))
    respect = self._get_bool_param("ShouldRespectGracePeriod", True)  # noqa: FBT003
    seen = observe(cloud, group)
    subject = next(one for one in seen.members if one.instance_id == member.instance_id)
    if status == "Unhealthy" and respect and respects_grace(seen, subject, cloud.now()):
        cloud.event("group", group.name, f"{member.instance_id}: Unhealthy ignored within the grace period")
        return EmptyResult()
    member.health = status
    member.unhealthy_cause = CAUSE_USER_HEALTH if status == "Unhealthy" else ""
    cloud.event("group", group.name, f"{member.instance_id} was set to {status}")
    return EmptyResult()


@replaces(f"{_RESPONSE}.terminate_instance_in_auto_scaling_group", reason=_INSTANT)
@under_lock
def terminate_instance_in_auto_scaling_group(self: Any, cloud: Cloud) -> Any:
    """TerminateInstanceInAutoScalingGroup: replaced unless the desired capacity is decremented."""
    group, member = member_of_any(cloud, self._get_param("InstanceId"))
    before = group.record.desired_capacity
    text = f"instance {member.instance_id} was taken out of service in response to a user request"
    if self._get_bool_param("ShouldDecrementDesiredCapacity", False):  # noqa: FBT003
        refuse_below_minimum(group)
        group.record.desired_capacity = before - 1
        text += f", shrinking the capacity from {before} to {before - 1}"
    activity: Activity = retire(cloud, group, member, f"{text}.")
    return ActionResult({"Activity": activity.describe()})


def refuse_below_minimum(group: Group) -> None:
    """Raise AWS's error when one instance fewer would be below the group's minimum size."""
    if group.record.desired_capacity - 1 < group.record.min_size:
        raise validation_error(
            f"Currently, desiredSize equals minSize ({group.record.min_size}). "
            "Terminating instance without replacement will violate group's min size constraint. "
            "Either set shouldDecrementDesiredCapacity flag to false or lower group's min size."
        )


@replaces(f"{_RESPONSE}.set_instance_protection", reason="moto keeps the word where no decision looks at it")
@under_lock
def set_instance_protection(self: Any, cloud: Cloud) -> Any:
    """SetInstanceProtection: a protected instance is not taken when the group shrinks; all else ends it as before."""
    group = group_named(cloud, self._get_param("AutoScalingGroupName"))
    for instance_id in self._get_param("InstanceIds", []):
        if instance_id not in group.members:
            raise validation_error(f"The instance {instance_id} is not part of Auto Scaling group {group.name}.")
        group.members[instance_id].protected = bool(self._get_bool_param("ProtectedFromScaleIn"))
    return EmptyResult()


@replaces(f"{_RESPONSE}.enter_standby", reason=_INSTANT)
@under_lock
def enter_standby(self: Any, cloud: Cloud) -> Any:
    """EnterStandby: the instance no longer counts; without decrement it is replaced while it runs."""
    group = group_named(cloud, self._get_param("AutoScalingGroupName"))
    members = _members(group, self._get_param("InstanceIds", []), "InService")
    if self._get_bool_param("ShouldDecrementDesiredCapacity", False):  # noqa: FBT003
        _resize(group, -len(members), "place into")
    for member in members:
        member.lifecycle = "Standby"
    return _moved(cloud, group, members, "to")


@replaces(f"{_RESPONSE}.exit_standby", reason=_INSTANT)
@under_lock
def exit_standby(self: Any, cloud: Cloud) -> Any:
    """ExitStandby: the desired capacity grows by the number of instances that return, within the maximum."""
    group = group_named(cloud, self._get_param("AutoScalingGroupName"))
    members = _members(group, self._get_param("InstanceIds", []), "Standby")
    _resize(group, len(members), "exit from")
    for member in members:
        member.lifecycle, member.in_service_since = "InService", cloud.now()
    return _moved(cloud, group, members, "out of")


def _resize(group: Group, change: int, what: str) -> None:
    record = group.record
    wanted = record.desired_capacity + change
    if not record.min_size <= wanted <= record.max_size:
        raise validation_error(
            f"AutoScalingGroup {group.name} has min-size={record.min_size}, max-size={record.max_size}, and "
            f"desired-size={record.desired_capacity}. To {what} standby {abs(change)} instance, please update the "
            "AutoScalingGroup sizes appropriately."
        )
    record.desired_capacity = wanted


def _moved(cloud: Cloud, group: Group, members: list[Member], how: str) -> Any:
    activities = []
    for member in members:
        text = f"Moving EC2 instance {how} Standby: {member.instance_id}"
        cause = f"instance {member.instance_id} was moved {how} standby in response to a user request."
        activity = begin_activity(cloud, group, text, cause, member.zone)
        activity.end(cloud.now(), "Successful")
        activities.append(activity.describe())
        cloud.event("group", group.name, f"{member.instance_id}: {member.lifecycle}")
    return ActionResult({"Activities": activities})


def _members(group: Group, instance_ids: list[str], lifecycle: str) -> list[Member]:
    members = []
    for instance_id in instance_ids:
        member = group.members.get(instance_id)
        if member is None or member.lifecycle != lifecycle:
            found = "not in the group" if member is None else member.lifecycle
            raise validation_error(
                f"The instance {instance_id} is not part of Auto Scaling group {group.name} "
                f"in state {lifecycle}: {found}"
            )
        members.append(member)
    return members


@replaces(f"{_RESPONSE}.describe_scaling_activities", reason="moto's list is always empty")
def describe_scaling_activities(self: Any) -> Any:
    """DescribeScalingActivities, newest first."""
    name, wanted = self._get_param("AutoScalingGroupName"), self._get_param("ActivityIds", [])
    cloud = current()
    with cloud.lock:
        groups = [group_named(cloud, name)] if name else list(AutoScaling.of(cloud).groups.values())
        activities = [
            activity.describe()
            for group in groups
            for activity in group.activities
            if not wanted or activity.id in wanted
        ]
    try:
        page, token = page_of(activities, self._get_int_param("MaxRecords") or 100, self._get_param("NextToken"))
    except ValueError as error:
        raise bad_group_token() from error
    return ActionResult({"Activities": page, "NextToken": token})


# -------------------------------------------------------------------- lifecycle hooks
@replaces(f"{_RESPONSE}.put_lifecycle_hook", reason="moto's hooks do nothing")
@under_lock
def put_lifecycle_hook(self: Any, cloud: Cloud) -> Any:
    """PutLifecycleHook: applies to instances that enter the transition from now on."""
    group = group_named(cloud, self._get_param("AutoScalingGroupName"))
    parameters = self._get_params()
    hook = hook_from(parameters, group.hooks.get(parameters["LifecycleHookName"]))
    put_hook(group.hooks, hook)
    return EmptyResult()


@replaces(f"{_RESPONSE}.describe_lifecycle_hooks", reason="moto's hooks do nothing")
def describe_lifecycle_hooks(self: Any) -> Any:
    group = group_named(current(), self._get_param("AutoScalingGroupName"))
    wanted = self._get_param("LifecycleHookNames", [])
    hooks = [hook.describe(group.name) for hook in group.hooks.values() if not wanted or hook.name in wanted]
    return ActionResult({"LifecycleHooks": hooks})


@replaces(f"{_RESPONSE}.delete_lifecycle_hook", reason="moto's hooks do nothing")
@under_lock
def delete_lifecycle_hook(self: Any, cloud: Cloud) -> Any:
    """DeleteLifecycleHook: outstanding actions of the hook are abandoned for launching, continued for terminating."""
    group = group_named(cloud, self._get_param("AutoScalingGroupName"))
    name = self._get_param("LifecycleHookName")
    if group.hooks.pop(name, None) is None:
        raise validation_error(f"No Lifecycle Hook found with name {name}")
    for member in group.members.values():
        if name in member.waits:
            member.waits[name].result = "CONTINUE" if member.lifecycle in LEAVING else "ABANDON"
    return EmptyResult()


def _outstanding(self: Any, cloud: Cloud) -> Any:
    group = group_named(cloud, self._get_param("AutoScalingGroupName"))
    hook, token = self._get_param("LifecycleHookName"), self._get_param("LifecycleActionToken")
    instance_id = self._get_param("InstanceId")
    if hook not in group.hooks:
        raise validation_error(f"No Lifecycle Hook found with name {hook}")
    for member in group.members.values():
        if member.instance_id == instance_id or (token and hook in member.waits and member.waits[hook].token == token):
            return find_wait(member.waits, hook_name=hook, token=token, instance_id=instance_id)
    return find_wait({}, hook_name=hook, token=token, instance_id=instance_id)


@replaces(f"{_RESPONSE}.complete_lifecycle_action", expects=ABSENT, reason="moto answers 500")
@under_lock
def complete_lifecycle_action(self: Any, cloud: Cloud) -> Any:
    wait = _outstanding(self, cloud)
    result = self._get_param("LifecycleActionResult")
    if result not in ("CONTINUE", "ABANDON"):
        raise validation_error("Lifecycle Action Result must be one of CONTINUE, ABANDON")
    wait.result = result
    cloud.event(
        "group",
        self._get_param("AutoScalingGroupName"),
        f"{wait.hook.name} of {self._get_param('InstanceId')}: {result}",
    )
    return EmptyResult()


@replaces(f"{_RESPONSE}.record_lifecycle_action_heartbeat", expects=ABSENT, reason="moto answers 500")
@under_lock
def record_lifecycle_action_heartbeat(self: Any, cloud: Cloud) -> Any:
    wait = _outstanding(self, cloud)
    beat(wait, cloud.now())
    cloud.look_again_in(wait.hook.heartbeat_s)
    return EmptyResult()
