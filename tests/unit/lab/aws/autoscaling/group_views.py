"""What the tests of groups look at and answer: activities, lifecycle states, hooks."""

from __future__ import annotations

from typing import Any

from tests.kit.three_zones import ThreeZones

LAUNCH = {
    "LifecycleHookName": "boot",
    "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
    "HeartbeatTimeout": 300,
    "DefaultResult": "ABANDON",
}
DRAIN = {
    "LifecycleHookName": "drain",
    "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
    "HeartbeatTimeout": 60,
    "DefaultResult": "CONTINUE",
}


def complete(zones: ThreeZones, instance: str, hook: str = "boot", result: str = "CONTINUE") -> None:
    zones.autoscaling.complete_lifecycle_action(
        AutoScalingGroupName="one", LifecycleHookName=hook, InstanceId=instance, LifecycleActionResult=result
    )


def activities(zones: ThreeZones) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = zones.autoscaling.describe_scaling_activities(AutoScalingGroupName="one")[
        "Activities"
    ]
    return found


def lifecycles(zones: ThreeZones) -> dict[str, str]:
    answer = zones.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["one"])["AutoScalingGroups"][0]
    return {one["InstanceId"]: one["LifecycleState"] for one in answer["Instances"]}
