"""CloudFormation's resource types for watching: alarms, dashboards, and lifecycle hooks of their own.

For: `resource_types`. Guarantees: each is really there for DescribeAlarms, GetDashboard and DescribeLifecycleHooks, and
a hook of its own holds instances as one of the group's list does. Does not: evaluate alarms (moto does not either).
Source: CloudFormation resource reference AWS::CloudWatch::*, AWS::AutoScaling::LifecycleHook.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from botocore import xform_name

from lab.aws.autoscaling.lifecycle_hooks import hook_from
from lab.aws.autoscaling.state import AutoScaling
from lab.aws.cloudformation.stack_resources import (
    Deployed,
    MotoType,
    NotModelled,
    Properties,
    ResourceFailed,
    ResourceType,
    StackContext,
    physical_name,
)

# Properties of the template; moto's put_metric_alarm has them in snake case, and calls the description by one word.
_ALARM: tuple[str, ...] = ("Namespace", "MetricName", "ComparisonOperator", "EvaluationPeriods", "DatapointsToAlarm")
_ALARM += ("Period", "Threshold", "Statistic", "ExtendedStatistic", "AlarmDescription", "Unit", "TreatMissingData")
_ALARM_LISTS = ("Dimensions", "AlarmActions", "OKActions", "InsufficientDataActions")
_NUMBERS = {"EvaluationPeriods": int, "DatapointsToAlarm": int, "Period": int, "Threshold": float}


@dataclass(frozen=True)
class AlarmType:
    """AWS::CloudWatch::Alarm, which moto lacks. Alarms over metric maths are not modelled."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Ref is the name."""
        name = physical_name(context, logical_id, type_name, properties)
        deployed = Deployed(logical_id, type_name, name)
        self._put(context, deployed, properties)
        return deployed

    def _put(self, context: StackContext, deployed: Deployed, properties: Properties) -> None:
        known = {*_ALARM, *_ALARM_LISTS, "AlarmName", "ActionsEnabled", "Tags"}
        for unknown in set(properties) - known:
            raise NotModelled(f"the lab does not model {unknown} of AWS::CloudWatch::Alarm")
        values: dict[str, Any] = {key: properties.get(key) for key in _ALARM}
        values |= {key: number(values[key]) for key, number in _NUMBERS.items() if values[key] is not None}
        values |= {key: properties.get(key, []) for key in _ALARM_LISTS}
        parameters = {xform_name(key.replace("AlarmDescription", "Description")): one for key, one in values.items()}
        enabled = str(properties.get("ActionsEnabled", True)).lower() == "true"
        with context.cloud.call():
            alarm = context.cloud.backend("cloudwatch").put_metric_alarm(
                name=deployed.physical_resource_id, actions_enabled=enabled, tags=properties.get("Tags"), **parameters
            )
        deployed.record = alarm
        deployed.attributes = {"Arn": lambda: alarm.alarm_arn}

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """Everything but the name changes in place."""
        del changed
        self._put(context, deployed, new)

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        """Delete."""
        with context.cloud.call():
            context.cloud.backend("cloudwatch").delete_alarms([deployed.physical_resource_id])


class DashboardType(MotoType):
    """AWS::CloudWatch::Dashboard: moto replaces where AWS changes the body in place."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Refused where the body is not JSON, as PutDashboard does."""
        name = physical_name(context, logical_id, type_name, properties)
        deployed = Deployed(logical_id, type_name, name)
        self._put(context, deployed, properties)
        return deployed

    def _put(self, context: StackContext, deployed: Deployed, properties: Properties) -> None:
        body = properties["DashboardBody"]
        try:
            json.loads(body)
        except ValueError as error:
            raise ResourceFailed(f"The field DashboardBody must be a valid JSON object: {error}") from error
        with context.cloud.call():
            deployed.record = context.cloud.backend("cloudwatch").put_dashboard(deployed.physical_resource_id, body)

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """The body changes in place."""
        del changed
        self._put(context, deployed, new)

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        """Delete."""
        with context.cloud.call():
            context.cloud.backend("cloudwatch").delete_dashboards([deployed.physical_resource_id])


@dataclass(frozen=True)
class LifecycleHookType:
    """AWS::AutoScaling::LifecycleHook, which moto lacks. Instances launched before it existed did not wait for it."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Ref is the hook's name."""
        name = physical_name(context, logical_id, type_name, properties)
        self._put(context, name, properties)
        return Deployed(logical_id, type_name, name)

    def _put(self, context: StackContext, name: str, properties: Properties) -> None:
        group_name = properties["AutoScalingGroupName"]
        with context.cloud.call():
            group = AutoScaling.of(context.cloud).groups.get(group_name)
            if group is None:
                raise ResourceFailed(f"AutoScalingGroup name not found - {group_name}")
            group.hooks[name] = hook_from(properties | {"LifecycleHookName": name})

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """In place, for instances that enter the transition from now on."""
        del changed
        self._put(context, deployed.physical_resource_id, new)

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        """Delete; the group may be gone by then, and its hooks with it."""
        with context.cloud.call():
            group = AutoScaling.of(context.cloud).groups.get(deployed.properties["AutoScalingGroupName"])
            if group is not None:
                group.hooks.pop(deployed.physical_resource_id, None)


WATCH_TYPES: dict[str, ResourceType] = {
    "AWS::CloudWatch::Alarm": AlarmType(),
    "AWS::CloudWatch::Dashboard": DashboardType("moto.cloudwatch.models:Dashboard"),
    "AWS::AutoScaling::LifecycleHook": LifecycleHookType(),
}
