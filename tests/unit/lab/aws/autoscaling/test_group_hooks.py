"""Lifecycle hooks of a group: who waits for them, for how long, and what their answers do."""

from __future__ import annotations

import pytest

from tests.kit.aws_world import World, refusal
from tests.unit.lab.aws.autoscaling.group_views import DRAIN, LAUNCH, activities, complete, lifecycles


def test_a_launch_hook_holds_the_instance_until_it_is_completed(world: World) -> None:
    world.group(LifecycleHookSpecificationList=[LAUNCH])
    world.aws.advance(10)
    instance = world.member().instance_id
    assert (world.member().lifecycle_state, world.aws.target_lifecycle_state(instance)) == ("Pending:Wait", "InService")
    world.aws.advance(200)
    complete(world, instance)
    world.aws.settle()
    assert world.member().lifecycle_state == "InService"
    assert activities(world)[0]["StatusCode"] == "Successful"
    code, message = refusal(
        world.autoscaling.complete_lifecycle_action,
        AutoScalingGroupName="one",
        LifecycleHookName="boot",
        InstanceId=instance,
        LifecycleActionResult="CONTINUE",
    )
    assert (code, message) == ("ValidationError", f"No active Lifecycle Action found with instance ID {instance}")


def test_an_abandoned_launch_is_terminated_and_replaced(world: World) -> None:
    world.group(LifecycleHookSpecificationList=[LAUNCH])
    world.aws.advance(10)
    first = world.member().instance_id
    complete(world, first, result="ABANDON")
    world.aws.settle()
    assert world.member().instance_id != first
    assert world.state(first) == "shutting-down"
    abandoned = next(one for one in activities(world) if one["StatusCode"] == "Cancelled")
    assert "Lifecycle Action Completed with ABANDON Result" in abandoned["StatusMessage"]


def test_a_launch_hook_without_heartbeat_times_out(world: World) -> None:
    world.group(LifecycleHookSpecificationList=[LAUNCH])
    world.aws.advance(10)
    first = world.member().instance_id
    world.aws.advance(299)
    assert world.member().instance_id == first
    world.aws.advance(2)
    assert world.member().instance_id != first
    assert any("Heartbeat Timeout" in one.get("StatusMessage", "") for one in activities(world))


def test_a_heartbeat_buys_time(world: World) -> None:
    world.group(LifecycleHookSpecificationList=[LAUNCH])
    world.aws.advance(210)
    first = world.member().instance_id
    world.autoscaling.record_lifecycle_action_heartbeat(
        AutoScalingGroupName="one", LifecycleHookName="boot", InstanceId=first
    )
    world.aws.advance(299)
    assert world.member().instance_id == first


def test_a_terminate_hook_keeps_the_old_one_alive_while_its_successor_starts(world: World) -> None:
    world.group(LifecycleHookSpecificationList=[DRAIN])
    world.aws.advance(20)
    first = world.member().instance_id
    answer = world.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=first, ShouldDecrementDesiredCapacity=False
    )
    assert answer["Activity"]["Description"] == f"Terminating EC2 instance: {first}"
    assert "taken out of service in response to a user request" in answer["Activity"]["Cause"]
    world.aws.settle()
    assert lifecycles(world)[first] == "Terminating:Wait"
    assert world.member().instance_id != first
    assert world.state(first) == "running"
    assert world.aws.target_lifecycle_state(first) == "Terminated"
    complete(world, first, "drain")
    world.aws.settle()
    assert world.state(first) == "shutting-down"
    world.aws.advance(110)
    assert first not in lifecycles(world)


def test_a_terminate_hook_that_nobody_completes_times_out(world: World) -> None:
    world.group(LifecycleHookSpecificationList=[DRAIN])
    world.aws.advance(20)
    first = world.member().instance_id
    world.autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=first, ShouldDecrementDesiredCapacity=False)
    world.aws.advance(59)
    assert world.state(first) == "running"
    world.aws.advance(2)
    assert world.state(first) == "shutting-down"


@pytest.mark.parametrize("timeout_s", [29, 7201])
def test_heartbeat_time_outs_have_bounds(world: World, timeout_s: int) -> None:
    world.group()
    code, _ = refusal(
        world.autoscaling.put_lifecycle_hook,
        AutoScalingGroupName="one",
        LifecycleHookName="boot",
        LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
        HeartbeatTimeout=timeout_s,
    )
    assert code == "ValidationError"


def test_a_hook_put_later_does_not_catch_the_first_instance(world: World) -> None:
    world.group()
    world.aws.advance(20)
    world.autoscaling.put_lifecycle_hook(AutoScalingGroupName="one", **LAUNCH)
    code, message = refusal(
        world.autoscaling.complete_lifecycle_action,
        AutoScalingGroupName="one",
        LifecycleHookName="boot",
        InstanceId=world.member().instance_id,
        LifecycleActionResult="CONTINUE",
    )
    assert (code, "No active Lifecycle Action" in message) == ("ValidationError", True)
