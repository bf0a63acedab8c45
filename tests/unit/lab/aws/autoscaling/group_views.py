"""What the tests of groups look at and answer: activities, lifecycle states, hooks."""

from __future__ import annotations

from typing import Any

from tests.kit.aws_world import World

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


def complete(world: World, instance: str, hook: str = "boot", result: str = "CONTINUE") -> None:
    world.autoscaling.complete_lifecycle_action(
        AutoScalingGroupName="one", LifecycleHookName=hook, InstanceId=instance, LifecycleActionResult=result
    )


def activities(world: World) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.autoscaling.describe_scaling_activities(AutoScalingGroupName="one")[
        "Activities"
    ]
    return found


def lifecycles(world: World) -> dict[str, str]:
    answer = world.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=["one"])["AutoScalingGroups"][0]
    return {one["InstanceId"]: one["LifecycleState"] for one in answer["Instances"]}
