"""Lifecycle hooks of a group: who waits for them, for how long, and what their answers do."""

from __future__ import annotations

import pytest

from tests.kit.three_zones import ThreeZones, refusal
from tests.unit.lab.aws.autoscaling.group_views import DRAIN, LAUNCH, activities, complete, lifecycles


def test_a_launch_hook_holds_the_instance_until_it_is_completed(zones: ThreeZones) -> None:
    zones.group(LifecycleHookSpecificationList=[LAUNCH])
    zones.aws.advance(10)
    instance = zones.member().instance_id
    assert (zones.member().lifecycle_state, zones.aws.target_lifecycle_state(instance)) == ("Pending:Wait", "InService")
    zones.aws.advance(200)
    complete(zones, instance)
    zones.aws.settle()
    assert zones.member().lifecycle_state == "InService"
    assert activities(zones)[0]["StatusCode"] == "Successful"
    code, message = refusal(
        zones.autoscaling.complete_lifecycle_action,
        AutoScalingGroupName="one",
        LifecycleHookName="boot",
        InstanceId=instance,
        LifecycleActionResult="CONTINUE",
    )
    assert (code, message) == ("ValidationError", f"No active Lifecycle Action found with instance ID {instance}")


def test_an_abandoned_launch_is_terminated_and_replaced(zones: ThreeZones) -> None:
    zones.group(LifecycleHookSpecificationList=[LAUNCH])
    zones.aws.advance(10)
    first = zones.member().instance_id
    complete(zones, first, result="ABANDON")
    zones.aws.settle()
    assert zones.member().instance_id != first
    assert zones.state(first) == "shutting-down"
    abandoned = next(one for one in activities(zones) if one["StatusCode"] == "Cancelled")
    assert "Lifecycle Action Completed with ABANDON Result" in abandoned["StatusMessage"]


def test_a_launch_hook_without_heartbeat_times_out(zones: ThreeZones) -> None:
    zones.group(LifecycleHookSpecificationList=[LAUNCH])
    zones.aws.advance(10)
    first = zones.member().instance_id
    zones.aws.advance(299)
    assert zones.member().instance_id == first
    zones.aws.advance(2)
    assert zones.member().instance_id != first
    assert any("Heartbeat Timeout" in one.get("StatusMessage", "") for one in activities(zones))


def test_a_heartbeat_buys_time(zones: ThreeZones) -> None:
    zones.group(LifecycleHookSpecificationList=[LAUNCH])
    zones.aws.advance(210)
    first = zones.member().instance_id
    zones.autoscaling.record_lifecycle_action_heartbeat(
        AutoScalingGroupName="one", LifecycleHookName="boot", InstanceId=first
    )
    zones.aws.advance(299)
    assert zones.member().instance_id == first


def test_a_terminate_hook_keeps_the_old_one_alive_while_its_successor_starts(zones: ThreeZones) -> None:
    zones.group(LifecycleHookSpecificationList=[DRAIN])
    zones.aws.advance(20)
    first = zones.member().instance_id
    answer = zones.autoscaling.terminate_instance_in_auto_scaling_group(
        InstanceId=first, ShouldDecrementDesiredCapacity=False
    )
    assert answer["Activity"]["Description"] == f"Terminating EC2 instance: {first}"
    assert "taken out of service in response to a user request" in answer["Activity"]["Cause"]
    zones.aws.settle()
    assert lifecycles(zones)[first] == "Terminating:Wait"
    assert zones.member().instance_id != first
    assert zones.state(first) == "running"
    assert zones.aws.target_lifecycle_state(first) == "Terminated"
    complete(zones, first, "drain")
    zones.aws.settle()
    assert zones.state(first) == "shutting-down"
    zones.aws.advance(110)
    assert first not in lifecycles(zones)


def test_a_terminate_hook_that_nobody_completes_times_out(zones: ThreeZones) -> None:
    zones.group(LifecycleHookSpecificationList=[DRAIN])
    zones.aws.advance(20)
    first = zones.member().instance_id
    zones.autoscaling.terminate_instance_in_auto_scaling_group(InstanceId=first, ShouldDecrementDesiredCapacity=False)
    zones.aws.advance(59)
    assert zones.state(first) == "running"
    zones.aws.advance(2)
    assert zones.state(first) == "shutting-down"


@pytest.mark.parametrize("timeout_s", [29, 7201])
def test_heartbeat_time_outs_have_bounds(zones: ThreeZones, timeout_s: int) -> None:
    zones.group()
    code, _ = refusal(
        zones.autoscaling.put_lifecycle_hook,
        AutoScalingGroupName="one",
        LifecycleHookName="boot",
        LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
        HeartbeatTimeout=timeout_s,
    )
    assert code == "ValidationError"


def test_a_hook_put_later_does_not_catch_the_first_instance(zones: ThreeZones) -> None:
    zones.group()
    zones.aws.advance(20)
    zones.autoscaling.put_lifecycle_hook(AutoScalingGroupName="one", **LAUNCH)
    code, message = refusal(
        zones.autoscaling.complete_lifecycle_action,
        AutoScalingGroupName="one",
        LifecycleHookName="boot",
        InstanceId=zones.member().instance_id,
        LifecycleActionResult="CONTINUE",
    )
    assert (code, "No active Lifecycle Action" in message) == ("ValidationError", True)
