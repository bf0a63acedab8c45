"""A group of one: it launches with time, waits for its hooks, and replaces what is ill - at the moment it ends it."""

from __future__ import annotations

import pytest

from tests.kit.aws_world import IMAGE, ZONES, World, refusal
from tests.unit.lab.aws.autoscaling.group_views import activities, lifecycles


def test_creation_returns_before_there_is_an_instance(world: World) -> None:
    world.group()
    assert lifecycles(world) == {}
    world.aws.settle()
    assert list(lifecycles(world).values()) == ["Pending"]
    world.aws.advance(10)
    assert list(lifecycles(world).values()) == ["InService"]
    cause = activities(world)[0]["Cause"]
    assert "a user request created an AutoScalingGroup changing the desired capacity from 0 to 1" in cause
    assert "increasing the capacity from 0 to 1" in cause


def test_the_instance_is_launched_as_the_template_and_the_group_say(world: World) -> None:
    world.group(
        Tags=[
            {"Key": "soloist:service", "Value": "x", "PropagateAtLaunch": True},
            {"Key": "no", "Value": "x", "PropagateAtLaunch": False},
        ]
    )
    world.aws.advance(10)
    view = world.aws.instances()[0]
    assert (view.image_id, view.http_tokens, view.user_data) == (IMAGE, "required", "hello")
    assert view.tags["soloist:service"] == "x"
    assert view.tags["aws:autoscaling:groupName"] == "one"
    assert "no" not in view.tags


def test_termination_by_hand_is_noticed_at_the_next_health_check_and_replaced(world: World) -> None:
    world.group()
    world.aws.advance(20)
    first = world.member().instance_id
    world.ec2.terminate_instances(InstanceIds=[first])
    assert world.member().instance_id == first
    world.aws.advance(15)
    second = world.member().instance_id
    assert second != first
    assert world.state(first) == "shutting-down", "the replacement does not wait for the end of its predecessor"
    causes = [one["Cause"] for one in activities(world)]
    assert any("an EC2 health check indicating it has been terminated or stopped" in cause for cause in causes)
    assert "in response to an unhealthy instance needing to be replaced" in causes[0]


def test_a_dead_machine_is_replaced_after_its_status_check_has_failed_for_a_while(world: World) -> None:
    world.group()
    world.aws.advance(20)
    first = world.member().instance_id
    world.machines.on.pop(first)
    world.aws.advance(60 + 119)
    assert world.member().instance_id == first
    world.aws.advance(17)
    assert world.member().instance_id != first
    assert any("EC2 instance status checks failure" in one["Cause"] for one in activities(world))


def test_a_stopped_instance_is_replaced(world: World) -> None:
    world.group()
    world.aws.advance(20)
    first = world.member().instance_id
    world.ec2.stop_instances(InstanceIds=[first])
    world.aws.advance(15)
    assert world.member().instance_id != first


def test_set_instance_health_replaces_at_once(world: World) -> None:
    world.group()
    world.aws.advance(20)
    first = world.member().instance_id
    world.autoscaling.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
    world.aws.settle()
    assert world.member().instance_id != first
    assert "a user health-check" in next(one for one in activities(world) if first in one["Description"])["Cause"]


@pytest.mark.parametrize(("respect", "replaced"), [({}, False), ({"ShouldRespectGracePeriod": False}, True)])
def test_the_grace_period_protects_unless_told_otherwise(
    world: World, respect: dict[str, bool], *, replaced: bool
) -> None:
    world.group(HealthCheckGracePeriod=300)
    world.aws.advance(20)
    first = world.member().instance_id
    world.autoscaling.set_instance_health(InstanceId=first, HealthStatus="Unhealthy", **respect)
    world.aws.settle()
    assert (world.member().instance_id != first) is replaced
    world.aws.advance(300)
    if not replaced:
        assert world.member().instance_id == first, "the call was ignored, not put off"


def test_the_grace_period_is_zero_when_none_is_given(world: World) -> None:
    world.group()
    described = world.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert described["HealthCheckGracePeriod"] == 0


def test_decrement_below_the_minimum_is_refused(world: World) -> None:
    world.group()
    world.aws.advance(20)
    code, message = refusal(
        world.autoscaling.terminate_instance_in_auto_scaling_group,
        InstanceId=world.member().instance_id,
        ShouldDecrementDesiredCapacity=True,
    )
    assert (code, "min size constraint" in message) == ("ValidationError", True)


def test_the_maximum_size_is_honoured(world: World) -> None:
    world.group()
    code, message = refusal(world.autoscaling.set_desired_capacity, AutoScalingGroupName="one", DesiredCapacity=5)
    assert (code, "above max value 1" in message) == ("ValidationError", True)
    world.aws.advance(20)
    assert len(lifecycles(world)) == 1


@pytest.mark.parametrize("process", ["Launch", "ReplaceUnhealthy", "Terminate", "HealthCheck"])
def test_suspended_processes_do_nothing(world: World, process: str) -> None:
    world.group()
    world.aws.advance(20)
    first = world.member().instance_id
    world.autoscaling.suspend_processes(AutoScalingGroupName="one", ScalingProcesses=[process])
    world.ec2.terminate_instances(InstanceIds=[first], SkipOsShutdown=True)
    world.aws.advance(100)
    assert [view.id for view in world.aws.instances()] == [first], "no replacement"
    world.autoscaling.resume_processes(AutoScalingGroupName="one", ScalingProcesses=[process])
    world.aws.advance(100)
    assert world.member().lifecycle_state == "InService"


def test_an_unknown_process_is_refused(world: World) -> None:
    world.group()
    code, _ = refusal(world.autoscaling.suspend_processes, AutoScalingGroupName="one", ScalingProcesses=["Sleep"])
    assert code == "ValidationError"


def test_the_replacement_goes_where_the_lab_says(world: World) -> None:
    world.group()
    world.aws.advance(20)
    assert world.member().zone == ZONES[0]
    world.aws.prefer_zones([ZONES[2], ZONES[1]])
    world.autoscaling.set_instance_health(InstanceId=world.member().instance_id, HealthStatus="Unhealthy")
    world.aws.settle()
    assert world.member().zone == ZONES[2]


def test_nothing_is_launched_in_a_zone_that_is_not_available(world: World) -> None:
    world.aws.set_zone_available(ZONES[0], available=False)
    world.group()
    world.aws.advance(20)
    assert world.member().zone == ZONES[1]


def test_want_of_capacity_is_a_failed_activity_and_another_zone(world: World) -> None:
    world.aws.no_capacity(ZONES[0])
    world.group()
    world.aws.advance(20)
    assert world.member().zone == ZONES[1]
    failed = next(one for one in activities(world) if one["StatusCode"] == "Failed")
    assert (
        "do not have sufficient t3.medium capacity in the Availability Zone you requested (us-east-1a)"
        in (failed["StatusMessage"])
    )


def test_balanced_only_waits_for_the_zone(world: World) -> None:
    world.aws.no_capacity(ZONES[0])
    world.group(AvailabilityZoneDistribution={"CapacityDistributionStrategy": "balanced-only"})
    world.aws.advance(20)
    assert lifecycles(world) == {}
    world.aws.no_capacity(ZONES[0], empty=False)
    world.aws.advance(60)
    assert world.member().zone == ZONES[0]


def test_an_image_that_is_gone_makes_launches_fail_loudly(world: World) -> None:
    world.ec2.deregister_image(ImageId=IMAGE)
    world.group()
    world.aws.advance(20)
    assert lifecycles(world) == {}
    assert "no longer available" in activities(world)[0]["StatusMessage"]


def test_a_new_launch_template_version_replaces_nothing(world: World) -> None:
    world.aws.register_image("ami-2", "service-2")
    world.group()
    world.aws.advance(20)
    first = world.member().instance_id
    world.ec2.create_launch_template_version(
        LaunchTemplateId=world.template, SourceVersion="1", LaunchTemplateData={"ImageId": "ami-2"}
    )
    world.ec2.modify_launch_template(LaunchTemplateId=world.template, DefaultVersion="2")
    world.autoscaling.update_auto_scaling_group(
        AutoScalingGroupName="one", LaunchTemplate={"LaunchTemplateId": world.template, "Version": "2"}
    )
    world.aws.advance(600)
    assert world.member().instance_id == first
    world.autoscaling.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
    world.aws.settle()
    second = world.aws.instance(world.member().instance_id)
    assert second is not None
    assert (second.image_id, second.user_data, world.member().launch_template_version) == ("ami-2", "hello", "2")


def test_the_maintenance_policy_is_kept(world: World) -> None:
    world.group(InstanceMaintenancePolicy={"MinHealthyPercentage": 0, "MaxHealthyPercentage": 100})
    described = world.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert described["InstanceMaintenancePolicy"] == {"MinHealthyPercentage": 0, "MaxHealthyPercentage": 100}


def test_a_policy_of_all_healthy_launches_first(world: World) -> None:
    world.group(InstanceMaintenancePolicy={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200})
    world.aws.advance(20)
    first = world.member().instance_id
    world.autoscaling.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
    world.aws.settle()
    assert sorted(lifecycles(world).values()) == ["InService", "Pending"]
    assert world.state(first) == "running"
    world.aws.advance(10)
    assert world.state(first) == "shutting-down"


def test_standby_is_replaced_and_comes_back(world: World) -> None:
    world.group(MinSize=0)
    world.autoscaling.set_desired_capacity(AutoScalingGroupName="one", DesiredCapacity=1)
    world.aws.advance(20)
    first = world.member().instance_id
    world.autoscaling.enter_standby(
        AutoScalingGroupName="one", InstanceIds=[first], ShouldDecrementDesiredCapacity=True
    )
    world.machines.on.pop(first)
    world.aws.advance(600)
    assert lifecycles(world) == {first: "Standby"}, "not health-checked, not replaced"
    assert world.aws.target_lifecycle_state(first) == "Standby"


def test_deleting_a_group_with_instances_needs_force(world: World) -> None:
    world.group()
    world.aws.advance(20)
    first = world.member().instance_id
    assert refusal(world.autoscaling.delete_auto_scaling_group, AutoScalingGroupName="one")[0] == "ResourceInUse"
    world.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="one", ForceDelete=True)
    assert world.state(first) == "shutting-down"
    assert world.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_events_tell_the_story(world: World) -> None:
    told: list[str] = []
    world.aws.subscribe(lambda event: told.append(f"{event.kind} {event.text}"))
    world.group()
    world.aws.advance(20)
    world.ec2.terminate_instances(InstanceIds=[world.member().instance_id], SkipOsShutdown=True)
    world.aws.advance(20)
    text = "\n".join(told)
    for sentence in (
        "instance running",
        "instance terminated",
        "group created",
        "group terminating i-",
        "in us-east-1a",
    ):
        assert sentence in text
