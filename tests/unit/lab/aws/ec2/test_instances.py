"""Instances, beyond what tests/contract/behaviours.yaml says of them: their machines and the lab's own views."""

from lab.aws.in_process.strict import strict_mock_aws
from tests.kit.three_zones import IMAGE, ZONES, ThreeZones, client


def test_the_machine_gets_what_the_record_says(zones: ThreeZones) -> None:
    instance = zones.run(ZONES[1])
    order = zones.machines.on[instance]
    view = zones.aws.instance(instance)
    assert view is not None
    assert view.primary is not None
    assert (order.zone, order.image_id, order.primary.address) == (ZONES[1], IMAGE, view.address)
    assert order.hostname == "ip-" + view.address.replace(".", "-")
    assert zones.aws.instance_by_address(view.address) == view


def test_a_machine_that_does_not_shut_down_loses_its_power(zones: ThreeZones) -> None:
    instance = zones.run()
    zones.ec2.terminate_instances(InstanceIds=[instance])
    zones.aws.advance(99)
    assert (zones.machines.pressed, zones.machines.cut) == ([instance], [])
    assert zones.state(instance) == "shutting-down"
    zones.aws.advance(6)
    assert (zones.machines.cut[0], zones.state(instance)) == (instance, "terminated")


def test_the_primary_interface_and_its_address_go_with_the_instance(zones: ThreeZones) -> None:
    instance = zones.run()
    address = zones.aws.instances()[0].address
    zones.ec2.terminate_instances(InstanceIds=[instance], SkipOsShutdown=True)
    zones.aws.advance(5)
    assert address not in [nic.address for nic in zones.aws.network_interfaces()]
    assert zones.aws.instance_by_address(address) is None


def test_instant_aws_needs_no_clock() -> None:
    with strict_mock_aws(instant=True) as aws:
        aws.register_image(IMAGE, "x")
        ec2 = client("ec2")
        answer = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]
        assert [view.state for view in aws.instances()] == ["running"]
        ec2.terminate_instances(InstanceIds=[answer["InstanceId"]])
        assert [view.state for view in aws.instances()] == ["terminated"]
        assert aws.errors == []
