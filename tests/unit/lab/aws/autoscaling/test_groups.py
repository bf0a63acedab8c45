"""Groups, beyond what tests/contract/behaviours.yaml says of them: where the lab sends a launch, events, decisions."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest
from botocore.exceptions import ClientError

from lab.aws.autoscaling.group_decisions import GroupSeen, Launch, MemberSeen, Retire, choose_zone, decide
from tests.kit.three_zones import IMAGE, ZONES, ThreeZones


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


# ------------------------------------------------------------------ decisions, on observations alone
ONE = MemberSeen(instance_id="i-1", zone="a", lifecycle="InService", in_service_since=0.0)
GROUP = GroupSeen(desired=1, maximum=1, grace_s=0, impaired_replace_s=120)


def test_a_failed_launch_is_not_tried_again_at_once() -> None:
    assert decide(replace(GROUP, launch_allowed_at=160), now=100) == []
    assert decide(replace(GROUP, launch_allowed_at=160), now=160) == [Launch(count=1)]


def test_shrinking_takes_the_youngest_that_is_not_in_service() -> None:
    young = replace(ONE, instance_id="i-2", lifecycle="Pending", ec2_state="pending", in_service_since=None)
    (decision,) = decide(replace(GROUP, maximum=2, members=(ONE, young)), now=100)
    assert isinstance(decision, Retire)
    assert (decision.instance_id, decision.replace) == ("i-2", False)


def test_a_group_takes_fifty_hooks(zones: ThreeZones) -> None:
    """Auto Scaling user guide, "Quotas for Auto Scaling resources and groups"."""
    template = {"LaunchTemplateId": zones.template}
    zones.autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="one",
        MinSize=0,
        MaxSize=1,
        LaunchTemplate=template,
        VPCZoneIdentifier=zones.subnets[ZONES[0]],
    )
    put = partial(
        zones.autoscaling.put_lifecycle_hook,
        AutoScalingGroupName="one",
        LifecycleTransition="autoscaling:EC2_INSTANCE_LAUNCHING",
    )
    for number in range(50):
        put(LifecycleHookName=f"hook-{number}")
    with pytest.raises(ClientError, match="limit of 50 lifecycle hooks"):
        put(LifecycleHookName="hook-50")
    put(LifecycleHookName="hook-0", HeartbeatTimeout=60)


def test_protected_instances_are_not_shrunk_away() -> None:
    kept = replace(GROUP, desired=0, members=(replace(ONE, protected=True),))
    assert decide(kept, now=100) == []


@pytest.mark.parametrize(
    ("in_use", "preferred", "excluded", "expected"),
    [
        ({}, (), (), "a"),
        ({"a": 1}, (), (), "b"),
        ({}, ("c",), (), "c"),
        ({"c": 1}, ("c", "b"), (), "c"),
        ({}, ("c", "b"), ("c",), "b"),
        ({}, (), ("a", "b", "c"), None),
    ],
)
def test_the_choice_of_a_zone(
    in_use: dict[str, int], preferred: tuple[str, ...], excluded: tuple[str, ...], expected: str | None
) -> None:
    chosen = choose_zone(("a", "b", "c"), in_use=in_use, preferred=preferred, excluded=frozenset(excluded))
    assert chosen == expected


def newest_of_two(zones: ThreeZones) -> str:
    group = zones.aws.group("two")
    assert group is not None
    return group.members[-1].instance_id


def fill(zones: ThreeZones, subnet: str) -> None:
    for _ in range(11):
        zones.ec2.create_network_interface(SubnetId=subnet)


def take_the_address_of_the_template(zones: ThreeZones, subnet: str) -> None:
    nic = {"SubnetId": subnet, "PrivateIpAddress": "10.0.200.5"}
    zones.ec2.create_network_interface(**nic)
    data = {"ImageId": IMAGE, "NetworkInterfaces": [nic | {"DeviceIndex": 0}]}
    zones.ec2.create_launch_template_version(LaunchTemplateId=zones.template, LaunchTemplateData=data)
    zones.ec2.modify_launch_template(LaunchTemplateId=zones.template, DefaultVersion="2")


@pytest.mark.parametrize(
    ("breaks", "words"),
    [
        (
            lambda zones, _: zones.ec2.delete_launch_template(LaunchTemplateId=zones.template),
            "The specified launch template, with template ID lt-",
        ),
        (lambda zones, subnet: zones.ec2.delete_subnet(SubnetId=subnet), "The subnet ID 'subnet-"),
        (fill, "There are not enough free addresses in subnet 'subnet-"),
        (take_the_address_of_the_template, "Address 10.0.200.5 is in use. Launching EC2 instance failed."),
    ],
)
def test_a_launch_that_cannot_succeed_fails_and_stops_no_other_group(
    zones: ThreeZones, breaks: Callable[[ThreeZones, str], object], words: str
) -> None:
    """AWS records a Failed activity and tries again; the other groups go on."""
    subnet = zones.ec2.create_subnet(VpcId=zones.vpc, CidrBlock="10.0.200.0/28", AvailabilityZone=ZONES[0])
    subnet_id = subnet["Subnet"]["SubnetId"]
    zones.ec2.create_launch_template(LaunchTemplateName="two", LaunchTemplateData={"ImageId": IMAGE})
    make = partial(zones.autoscaling.create_auto_scaling_group, MinSize=0, MaxSize=1)
    one, two = {"LaunchTemplateId": zones.template}, {"LaunchTemplateName": "two"}
    make(AutoScalingGroupName="one", DesiredCapacity=0, LaunchTemplate=one, VPCZoneIdentifier=subnet_id)
    make(AutoScalingGroupName="two", DesiredCapacity=1, LaunchTemplate=two, VPCZoneIdentifier=zones.subnets[ZONES[0]])
    zones.aws.advance(20)
    bystander = newest_of_two(zones)
    breaks(zones, subnet_id)
    zones.autoscaling.update_auto_scaling_group(AutoScalingGroupName="one", DesiredCapacity=1)
    zones.autoscaling.set_instance_health(InstanceId=bystander, HealthStatus="Unhealthy")
    zones.aws.advance(65)
    failed = zones.autoscaling.describe_scaling_activities(AutoScalingGroupName="one")["Activities"]
    assert [one["StatusCode"] for one in failed] == ["Failed"] * 2
    assert words in failed[0]["StatusMessage"]
    assert zones.aws.errors == []
    assert newest_of_two(zones) != bystander
    assert len(zones.ec2.describe_instances()["Reservations"]) == 2
