"""A group of one: it launches with time, waits for its hooks, and replaces what is ill - at the moment it ends it."""

from __future__ import annotations

import pytest

from tests.kit.three_zones import IMAGE, ZONES, ThreeZones, refusal
from tests.unit.lab.aws.autoscaling.group_views import activities, lifecycles


def test_creation_returns_before_there_is_an_instance(zones: ThreeZones) -> None:
    zones.group()
    assert lifecycles(zones) == {}
    zones.aws.settle()
    assert list(lifecycles(zones).values()) == ["Pending"]
    zones.aws.advance(10)
    assert list(lifecycles(zones).values()) == ["InService"]
    cause = activities(zones)[0]["Cause"]
    assert "a user request created an AutoScalingGroup changing the desired capacity from 0 to 1" in cause
    assert "increasing the capacity from 0 to 1" in cause


def test_the_instance_is_launched_as_the_template_and_the_group_say(zones: ThreeZones) -> None:
    zones.group(
        Tags=[
            {"Key": "soloist:service", "Value": "x", "PropagateAtLaunch": True},
            {"Key": "no", "Value": "x", "PropagateAtLaunch": False},
        ]
    )
    zones.aws.advance(10)
    view = zones.aws.instances()[0]
    assert (view.image_id, view.http_tokens, view.user_data) == (IMAGE, "required", "hello")
    assert view.tags["soloist:service"] == "x"
    assert view.tags["aws:autoscaling:groupName"] == "one"
    assert "no" not in view.tags


def test_termination_by_hand_is_noticed_at_the_next_health_check_and_replaced(zones: ThreeZones) -> None:
    zones.group()
    zones.aws.advance(20)
    first = zones.member().instance_id
    zones.ec2.terminate_instances(InstanceIds=[first])
    assert zones.member().instance_id == first
    zones.aws.advance(15)
    second = zones.member().instance_id
    assert second != first
    assert zones.state(first) == "shutting-down", "the replacement does not wait for the end of its predecessor"
    causes = [one["Cause"] for one in activities(zones)]
    assert any("an EC2 health check indicating it has been terminated or stopped" in cause for cause in causes)
    assert "in response to an unhealthy instance needing to be replaced" in causes[0]


def test_a_dead_machine_is_replaced_after_its_status_check_has_failed_for_a_while(zones: ThreeZones) -> None:
    zones.group()
    zones.aws.advance(20)
    first = zones.member().instance_id
    zones.machines.on.pop(first)
    zones.aws.advance(60 + 119)
    assert zones.member().instance_id == first
    zones.aws.advance(17)
    assert zones.member().instance_id != first
    assert any("EC2 instance status checks failure" in one["Cause"] for one in activities(zones))


def test_a_stopped_instance_is_replaced(zones: ThreeZones) -> None:
    zones.group()
    zones.aws.advance(20)
    first = zones.member().instance_id
    zones.ec2.stop_instances(InstanceIds=[first])
    zones.aws.advance(15)
    assert zones.member().instance_id != first


def test_set_instance_health_replaces_at_once(zones: ThreeZones) -> None:
    zones.group()
    zones.aws.advance(20)
    first = zones.member().instance_id
    zones.autoscaling.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
    zones.aws.settle()
    assert zones.member().instance_id != first
    assert "a user health-check" in next(one for one in activities(zones) if first in one["Description"])["Cause"]


@pytest.mark.parametrize(("respect", "replaced"), [({}, False), ({"ShouldRespectGracePeriod": False}, True)])
def test_the_grace_period_protects_unless_told_otherwise(
    zones: ThreeZones, respect: dict[str, bool], *, replaced: bool
) -> None:
    zones.group(HealthCheckGracePeriod=300)
    zones.aws.advance(20)
    first = zones.member().instance_id
    zones.autoscaling.set_instance_health(InstanceId=first, HealthStatus="Unhealthy", **respect)
    zones.aws.settle()
    assert (zones.member().instance_id != first) is replaced
    zones.aws.advance(300)
    if not replaced:
        assert zones.member().instance_id == first, "the call was ignored, not put off"


def test_the_grace_period_is_zero_when_none_is_given(zones: ThreeZones) -> None:
    zones.group()
    described = zones.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert described["HealthCheckGracePeriod"] == 0


def test_decrement_below_the_minimum_is_refused(zones: ThreeZones) -> None:
    zones.group()
    zones.aws.advance(20)
    code, message = refusal(
        zones.autoscaling.terminate_instance_in_auto_scaling_group,
        InstanceId=zones.member().instance_id,
        ShouldDecrementDesiredCapacity=True,
    )
    assert (code, "min size constraint" in message) == ("ValidationError", True)


def test_the_maximum_size_is_honoured(zones: ThreeZones) -> None:
    zones.group()
    code, message = refusal(zones.autoscaling.set_desired_capacity, AutoScalingGroupName="one", DesiredCapacity=5)
    assert (code, "above max value 1" in message) == ("ValidationError", True)
    zones.aws.advance(20)
    assert len(lifecycles(zones)) == 1


@pytest.mark.parametrize("process", ["Launch", "ReplaceUnhealthy", "Terminate", "HealthCheck"])
def test_suspended_processes_do_nothing(zones: ThreeZones, process: str) -> None:
    zones.group()
    zones.aws.advance(20)
    first = zones.member().instance_id
    zones.autoscaling.suspend_processes(AutoScalingGroupName="one", ScalingProcesses=[process])
    zones.ec2.terminate_instances(InstanceIds=[first], SkipOsShutdown=True)
    zones.aws.advance(100)
    assert [view.id for view in zones.aws.instances()] == [first], "no replacement"
    zones.autoscaling.resume_processes(AutoScalingGroupName="one", ScalingProcesses=[process])
    zones.aws.advance(100)
    assert zones.member().lifecycle_state == "InService"


def test_an_unknown_process_is_refused(zones: ThreeZones) -> None:
    zones.group()
    code, _ = refusal(zones.autoscaling.suspend_processes, AutoScalingGroupName="one", ScalingProcesses=["Sleep"])
    assert code == "ValidationError"


def test_the_replacement_goes_where_the_lab_says(zones: ThreeZones) -> None:
    zones.group()
    zones.aws.advance(20)
    assert zones.member().zone == ZONES[0]
    zones.aws.prefer_zones([ZONES[2], ZONES[1]])
    zones.autoscaling.set_instance_health(InstanceId=zones.member().instance_id, HealthStatus="Unhealthy")
    zones.aws.settle()
    assert zones.member().zone == ZONES[2]


def test_nothing_is_launched_in_a_zone_that_is_not_available(zones: ThreeZones) -> None:
    zones.aws.set_zone_available(ZONES[0], available=False)
    zones.group()
    zones.aws.advance(20)
    assert zones.member().zone == ZONES[1]


def test_want_of_capacity_is_a_failed_activity_and_another_zone(zones: ThreeZones) -> None:
    zones.aws.no_capacity(ZONES[0])
    zones.group()
    zones.aws.advance(20)
    assert zones.member().zone == ZONES[1]
    failed = next(one for one in activities(zones) if one["StatusCode"] == "Failed")
    assert (
        "do not have sufficient t3.medium capacity in the Availability Zone you requested (us-east-1a)"
        in (failed["StatusMessage"])
    )


def test_balanced_only_waits_for_the_zone(zones: ThreeZones) -> None:
    zones.aws.no_capacity(ZONES[0])
    zones.group(AvailabilityZoneDistribution={"CapacityDistributionStrategy": "balanced-only"})
    zones.aws.advance(20)
    assert lifecycles(zones) == {}
    zones.aws.no_capacity(ZONES[0], empty=False)
    zones.aws.advance(60)
    assert zones.member().zone == ZONES[0]


def test_an_image_that_is_gone_makes_launches_fail_loudly(zones: ThreeZones) -> None:
    zones.ec2.deregister_image(ImageId=IMAGE)
    zones.group()
    zones.aws.advance(20)
    assert lifecycles(zones) == {}
    assert "no longer available" in activities(zones)[0]["StatusMessage"]


def test_a_new_launch_template_version_replaces_nothing(zones: ThreeZones) -> None:
    zones.aws.register_image("ami-2", "service-2")
    zones.group()
    zones.aws.advance(20)
    first = zones.member().instance_id
    zones.ec2.create_launch_template_version(
        LaunchTemplateId=zones.template, SourceVersion="1", LaunchTemplateData={"ImageId": "ami-2"}
    )
    zones.ec2.modify_launch_template(LaunchTemplateId=zones.template, DefaultVersion="2")
    zones.autoscaling.update_auto_scaling_group(
        AutoScalingGroupName="one", LaunchTemplate={"LaunchTemplateId": zones.template, "Version": "2"}
    )
    zones.aws.advance(600)
    assert zones.member().instance_id == first
    zones.autoscaling.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
    zones.aws.settle()
    second = zones.aws.instance(zones.member().instance_id)
    assert second is not None
    assert (second.image_id, second.user_data, zones.member().launch_template_version) == ("ami-2", "hello", "2")


def test_the_maintenance_policy_is_kept(zones: ThreeZones) -> None:
    zones.group(InstanceMaintenancePolicy={"MinHealthyPercentage": 0, "MaxHealthyPercentage": 100})
    described = zones.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    assert described["InstanceMaintenancePolicy"] == {"MinHealthyPercentage": 0, "MaxHealthyPercentage": 100}


def test_a_policy_of_all_healthy_launches_first(zones: ThreeZones) -> None:
    zones.group(InstanceMaintenancePolicy={"MinHealthyPercentage": 100, "MaxHealthyPercentage": 200})
    zones.aws.advance(20)
    first = zones.member().instance_id
    zones.autoscaling.set_instance_health(InstanceId=first, HealthStatus="Unhealthy")
    zones.aws.settle()
    assert sorted(lifecycles(zones).values()) == ["InService", "Pending"]
    assert zones.state(first) == "running"
    zones.aws.advance(10)
    assert zones.state(first) == "shutting-down"


def test_standby_is_replaced_and_comes_back(zones: ThreeZones) -> None:
    zones.group(MinSize=0)
    zones.autoscaling.set_desired_capacity(AutoScalingGroupName="one", DesiredCapacity=1)
    zones.aws.advance(20)
    first = zones.member().instance_id
    zones.autoscaling.enter_standby(
        AutoScalingGroupName="one", InstanceIds=[first], ShouldDecrementDesiredCapacity=True
    )
    zones.machines.on.pop(first)
    zones.aws.advance(600)
    assert lifecycles(zones) == {first: "Standby"}, "not health-checked, not replaced"
    assert zones.aws.target_lifecycle_state(first) == "Standby"


def test_deleting_a_group_with_instances_needs_force(zones: ThreeZones) -> None:
    zones.group()
    zones.aws.advance(20)
    first = zones.member().instance_id
    assert refusal(zones.autoscaling.delete_auto_scaling_group, AutoScalingGroupName="one")[0] == "ResourceInUse"
    zones.autoscaling.delete_auto_scaling_group(AutoScalingGroupName="one", ForceDelete=True)
    assert zones.state(first) == "shutting-down"
    assert zones.autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_events_tell_the_story(zones: ThreeZones) -> None:
    told: list[str] = []
    zones.aws.subscribe(lambda event: told.append(f"{event.kind} {event.text}"))
    zones.group()
    zones.aws.advance(20)
    zones.ec2.terminate_instances(InstanceIds=[zones.member().instance_id], SkipOsShutdown=True)
    zones.aws.advance(20)
    text = "\n".join(told)
    for sentence in (
        "instance running",
        "instance terminated",
        "group created",
        "group terminating i-",
        "in us-east-1a",
    ):
        assert sentence in text
