"""Interfaces are never stolen, never cross zones, and come back from the dead. Plain moto lets all of this pass."""

from __future__ import annotations

import threading

import pytest
from botocore.exceptions import ClientError

from tests.kit.aws_world import ZONES, World, client, refusal


def test_a_thief_of_interfaces_is_refused(world: World) -> None:
    interface, holder, thief = world.interfaces[ZONES[0]], world.run(), world.run()
    world.attach(interface, holder)
    code, message = refusal(
        world.ec2.attach_network_interface, NetworkInterfaceId=interface, InstanceId=thief, DeviceIndex=1
    )
    assert code == "InvalidNetworkInterface.InUse"
    assert interface in message
    assert world.interface(interface)["Attachment"]["InstanceId"] == holder


def test_another_zone_is_refused(world: World) -> None:
    code, message = refusal(
        world.ec2.attach_network_interface,
        NetworkInterfaceId=world.interfaces[ZONES[1]],
        InstanceId=world.run(ZONES[0]),
        DeviceIndex=1,
    )
    assert code == "InvalidParameterCombination"
    assert "not in the same availability zone" in message


def test_an_occupied_device_index_is_refused(world: World) -> None:
    code, message = refusal(
        world.ec2.attach_network_interface,
        NetworkInterfaceId=world.interfaces[ZONES[0]],
        InstanceId=world.run(),
        DeviceIndex=0,
    )
    assert (code, "device index '0'" in message) == ("InvalidParameterValue", True)


def test_a_pending_instance_is_refused(world: World) -> None:
    answer = world.ec2.run_instances(
        ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1, SubnetId=world.subnets[ZONES[0]]
    )
    code, _ = refusal(
        world.ec2.attach_network_interface,
        NetworkInterfaceId=world.interfaces[ZONES[0]],
        InstanceId=answer["Instances"][0]["InstanceId"],
        DeviceIndex=1,
    )
    assert code == "IncorrectState"


def test_more_interfaces_than_the_type_has_are_refused(world: World) -> None:
    instance = world.run()  # t3.medium: three
    subnet = world.subnets[ZONES[0]]
    made = [world.ec2.create_network_interface(SubnetId=subnet) for _ in range(3)]
    ids = [one["NetworkInterface"]["NetworkInterfaceId"] for one in made]
    world.attach(ids[0], instance, 1)
    world.attach(ids[1], instance, 2)
    code, _ = refusal(world.ec2.attach_network_interface, NetworkInterfaceId=ids[2], InstanceId=instance, DeviceIndex=3)
    assert code == "AttachmentLimitExceeded"


def test_attaching_takes_time_and_plugs_the_machine(world: World) -> None:
    interface, instance = world.interfaces[ZONES[0]], world.run()
    world.attach(interface, instance)
    assert world.interface(interface)["Attachment"]["Status"] == "attaching"
    assert interface not in world.machines.nics[instance]
    world.aws.advance(2.9)
    assert world.interface(interface)["Attachment"]["Status"] == "attaching"
    world.aws.advance(0.2)
    assert world.interface(interface)["Attachment"]["Status"] == "attached"
    nic = world.machines.nics[instance][interface]
    assert (nic.address, nic.device_index, nic.mac) == ("10.0.100.10", 1, world.interface(interface)["MacAddress"])


def test_the_agents_attachment_survives_termination_unless_told_otherwise(world: World) -> None:
    interface, instance = world.interfaces[ZONES[0]], world.run()
    attachment = world.attach(interface, instance)
    assert world.interface(interface)["Attachment"]["DeleteOnTermination"] is False
    world.ec2.modify_network_interface_attribute(
        NetworkInterfaceId=interface, Attachment={"AttachmentId": attachment, "DeleteOnTermination": True}
    )
    assert world.interface(interface)["Attachment"]["DeleteOnTermination"] is True
    world.ec2.terminate_instances(InstanceIds=[instance], SkipOsShutdown=True)
    world.aws.advance(10)
    assert refusal(world.ec2.describe_network_interfaces, NetworkInterfaceIds=[interface])[0] == (
        "InvalidNetworkInterfaceID.NotFound"
    )


def test_detaching_takes_time_and_unplugs_the_machine(world: World) -> None:
    interface, instance = world.interfaces[ZONES[0]], world.run()
    attachment = world.attach(interface, instance)
    world.aws.advance(3)
    world.ec2.detach_network_interface(AttachmentId=attachment)
    assert world.interface(interface)["Attachment"]["Status"] == "detaching"
    assert refusal(
        world.ec2.attach_network_interface, NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=2
    )[0] == ("InvalidNetworkInterface.InUse")
    world.aws.advance(5)
    assert world.interface(interface)["Status"] == "available"
    assert interface not in world.machines.nics[instance]
    world.attach(interface, instance)


def test_the_primary_interface_cannot_be_detached(world: World) -> None:
    world.run()
    primary = world.aws.instances()[0].primary
    assert primary is not None
    code, message = refusal(world.ec2.detach_network_interface, AttachmentId=primary.attachment_id)
    assert code == "OperationNotPermitted"
    assert "device index 0" in message


def test_detaching_what_is_not_attached_is_refused(world: World) -> None:
    assert refusal(world.ec2.detach_network_interface, AttachmentId="eni-attach-0")[0] == "InvalidAttachmentID.NotFound"


def test_an_interface_in_use_cannot_be_deleted(world: World) -> None:
    interface = world.interfaces[ZONES[0]]
    world.attach(interface, world.run())
    code, message = refusal(world.ec2.delete_network_interface, NetworkInterfaceId=interface)
    assert (code, "currently in use" in message) == ("InvalidParameterValue", True)


@pytest.mark.parametrize(
    ("address", "code"),
    [
        ("10.0.100.10", "InvalidIPAddress.InUse"),
        ("10.0.100.1", "InvalidParameterValue"),
        ("10.0.100.255", "InvalidParameterValue"),
        ("10.0.7.7", "InvalidParameterValue"),
    ],
)
def test_addresses_that_cannot_be_given(world: World, address: str, code: str) -> None:
    subnet = world.interface(world.interfaces[ZONES[0]])["SubnetId"]
    assert refusal(world.ec2.create_network_interface, SubnetId=subnet, PrivateIpAddress=address)[0] == code


def test_an_address_is_free_again_after_deletion(world: World) -> None:
    interface = world.interfaces[ZONES[0]]
    subnet = world.interface(interface)["SubnetId"]
    world.ec2.delete_network_interface(NetworkInterfaceId=interface)
    made = world.ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress="10.0.100.10")
    assert made["NetworkInterface"]["PrivateIpAddress"] == "10.0.100.10"


@pytest.mark.parametrize(
    ("name", "value", "found"),
    [
        ("attachment.status", "attached", True),
        ("attachment.status", "attaching", False),
        ("attachment.device-index", "1", True),
        ("attachment.delete-on-termination", "false", True),
        ("attachment.delete-on-termination", "true", False),
        ("status", "in-use", True),
    ],
)
def test_filters(world: World, name: str, value: str, *, found: bool) -> None:
    interface = world.interfaces[ZONES[0]]
    world.attach(interface, world.run())
    world.aws.advance(3)
    answer = world.ec2.describe_network_interfaces(Filters=[{"Name": name, "Values": [value]}])
    assert (interface in [one["NetworkInterfaceId"] for one in answer["NetworkInterfaces"]]) is found


def test_addresses_of_machines_are_usable(world: World) -> None:
    macs = [world.interface(interface)["MacAddress"] for interface in world.interfaces.values()]
    assert len(set(macs)) == 3
    for mac in macs:
        first = int(mac.split(":")[0], 16)
        assert first & 1 == 0, "unicast"
        assert first & 2 == 2, "locally administered"


def test_of_two_attaches_at_the_same_moment_one_wins(world: World) -> None:
    interface = world.interfaces[ZONES[0]]
    rivals = [world.run() for _ in range(8)]
    start = threading.Barrier(len(rivals))
    outcomes: list[str] = []

    def attack(instance: str) -> None:
        start.wait()
        try:
            world.ec2.attach_network_interface(NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=1)
        except ClientError as error:
            outcomes.append(error.response["Error"]["Code"])
        else:
            outcomes.append(instance)

    threads = [threading.Thread(target=attack, args=(rival,)) for rival in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    winners = [outcome for outcome in outcomes if outcome.startswith("i-")]
    assert len(outcomes) == len(rivals)
    assert len(winners) == 1, outcomes
    assert world.interface(interface)["Attachment"]["InstanceId"] == winners[0]


def test_plain_moto_lets_the_thief_pass_so_these_tests_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    from moto import mock_aws

    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "testing")
    with mock_aws():
        ec2 = client("ec2")
        subnet = ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        image = ec2.describe_images()["Images"][0]["ImageId"]
        first, second = (
            ec2.run_instances(ImageId=image, MinCount=1, MaxCount=1, SubnetId=subnet)["Instances"][0]["InstanceId"]
            for _ in range(2)
        )
        interface = ec2.create_network_interface(SubnetId=subnet)["NetworkInterface"]["NetworkInterfaceId"]
        for instance in (first, second):
            ec2.attach_network_interface(NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=1)
        found = ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])["NetworkInterfaces"][0]
        assert found["Attachment"]["InstanceId"] == second
