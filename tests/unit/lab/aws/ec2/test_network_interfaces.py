"""Interfaces are never stolen, never cross zones, and come back from the dead. Plain moto lets all of this pass."""

from __future__ import annotations

import threading

import pytest
from botocore.exceptions import ClientError

from tests.kit.three_zones import ZONES, ThreeZones, client, refusal


def test_a_thief_of_interfaces_is_refused(zones: ThreeZones) -> None:
    interface, holder, thief = zones.interfaces[ZONES[0]], zones.run(), zones.run()
    zones.attach(interface, holder)
    code, message = refusal(
        zones.ec2.attach_network_interface, NetworkInterfaceId=interface, InstanceId=thief, DeviceIndex=1
    )
    assert code == "InvalidNetworkInterface.InUse"
    assert interface in message
    assert zones.interface(interface)["Attachment"]["InstanceId"] == holder


def test_another_zone_is_refused(zones: ThreeZones) -> None:
    code, message = refusal(
        zones.ec2.attach_network_interface,
        NetworkInterfaceId=zones.interfaces[ZONES[1]],
        InstanceId=zones.run(ZONES[0]),
        DeviceIndex=1,
    )
    assert code == "InvalidParameterCombination"
    assert "not in the same availability zone" in message


def test_an_occupied_device_index_is_refused(zones: ThreeZones) -> None:
    code, message = refusal(
        zones.ec2.attach_network_interface,
        NetworkInterfaceId=zones.interfaces[ZONES[0]],
        InstanceId=zones.run(),
        DeviceIndex=0,
    )
    assert (code, "device index '0'" in message) == ("InvalidParameterValue", True)


def test_a_pending_instance_is_refused(zones: ThreeZones) -> None:
    answer = zones.ec2.run_instances(
        ImageId="ami-0123456789abcdef0", MinCount=1, MaxCount=1, SubnetId=zones.subnets[ZONES[0]]
    )
    code, _ = refusal(
        zones.ec2.attach_network_interface,
        NetworkInterfaceId=zones.interfaces[ZONES[0]],
        InstanceId=answer["Instances"][0]["InstanceId"],
        DeviceIndex=1,
    )
    assert code == "IncorrectState"


def test_more_interfaces_than_the_type_has_are_refused(zones: ThreeZones) -> None:
    instance = zones.run()  # t3.medium: three
    subnet = zones.subnets[ZONES[0]]
    made = [zones.ec2.create_network_interface(SubnetId=subnet) for _ in range(3)]
    ids = [one["NetworkInterface"]["NetworkInterfaceId"] for one in made]
    zones.attach(ids[0], instance, 1)
    zones.attach(ids[1], instance, 2)
    code, _ = refusal(zones.ec2.attach_network_interface, NetworkInterfaceId=ids[2], InstanceId=instance, DeviceIndex=3)
    assert code == "AttachmentLimitExceeded"


def test_attaching_takes_time_and_plugs_the_machine(zones: ThreeZones) -> None:
    interface, instance = zones.interfaces[ZONES[0]], zones.run()
    zones.attach(interface, instance)
    assert zones.interface(interface)["Attachment"]["Status"] == "attaching"
    assert interface not in zones.machines.nics[instance]
    zones.aws.advance(2.9)
    assert zones.interface(interface)["Attachment"]["Status"] == "attaching"
    zones.aws.advance(0.2)
    assert zones.interface(interface)["Attachment"]["Status"] == "attached"
    nic = zones.machines.nics[instance][interface]
    assert (nic.address, nic.device_index, nic.mac) == ("10.0.100.10", 1, zones.interface(interface)["MacAddress"])


def test_the_agents_attachment_survives_termination_unless_told_otherwise(zones: ThreeZones) -> None:
    interface, instance = zones.interfaces[ZONES[0]], zones.run()
    attachment = zones.attach(interface, instance)
    assert zones.interface(interface)["Attachment"]["DeleteOnTermination"] is False
    zones.ec2.modify_network_interface_attribute(
        NetworkInterfaceId=interface, Attachment={"AttachmentId": attachment, "DeleteOnTermination": True}
    )
    assert zones.interface(interface)["Attachment"]["DeleteOnTermination"] is True
    zones.ec2.terminate_instances(InstanceIds=[instance], SkipOsShutdown=True)
    zones.aws.advance(10)
    assert refusal(zones.ec2.describe_network_interfaces, NetworkInterfaceIds=[interface])[0] == (
        "InvalidNetworkInterfaceID.NotFound"
    )


def test_detaching_takes_time_and_unplugs_the_machine(zones: ThreeZones) -> None:
    interface, instance = zones.interfaces[ZONES[0]], zones.run()
    attachment = zones.attach(interface, instance)
    zones.aws.advance(3)
    zones.ec2.detach_network_interface(AttachmentId=attachment)
    assert zones.interface(interface)["Attachment"]["Status"] == "detaching"
    assert refusal(
        zones.ec2.attach_network_interface, NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=2
    )[0] == ("InvalidNetworkInterface.InUse")
    zones.aws.advance(5)
    assert zones.interface(interface)["Status"] == "available"
    assert interface not in zones.machines.nics[instance]
    zones.attach(interface, instance)


def test_the_primary_interface_cannot_be_detached(zones: ThreeZones) -> None:
    zones.run()
    primary = zones.aws.instances()[0].primary
    assert primary is not None
    code, message = refusal(zones.ec2.detach_network_interface, AttachmentId=primary.attachment_id)
    assert code == "OperationNotPermitted"
    assert "device index 0" in message


def test_detaching_what_is_not_attached_is_refused(zones: ThreeZones) -> None:
    assert refusal(zones.ec2.detach_network_interface, AttachmentId="eni-attach-0")[0] == "InvalidAttachmentID.NotFound"


def test_an_interface_in_use_cannot_be_deleted(zones: ThreeZones) -> None:
    interface = zones.interfaces[ZONES[0]]
    zones.attach(interface, zones.run())
    code, message = refusal(zones.ec2.delete_network_interface, NetworkInterfaceId=interface)
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
def test_addresses_that_cannot_be_given(zones: ThreeZones, address: str, code: str) -> None:
    subnet = zones.interface(zones.interfaces[ZONES[0]])["SubnetId"]
    assert refusal(zones.ec2.create_network_interface, SubnetId=subnet, PrivateIpAddress=address)[0] == code


def test_an_address_is_free_again_after_deletion(zones: ThreeZones) -> None:
    interface = zones.interfaces[ZONES[0]]
    subnet = zones.interface(interface)["SubnetId"]
    zones.ec2.delete_network_interface(NetworkInterfaceId=interface)
    made = zones.ec2.create_network_interface(SubnetId=subnet, PrivateIpAddress="10.0.100.10")
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
def test_filters(zones: ThreeZones, name: str, value: str, *, found: bool) -> None:
    interface = zones.interfaces[ZONES[0]]
    zones.attach(interface, zones.run())
    zones.aws.advance(3)
    answer = zones.ec2.describe_network_interfaces(Filters=[{"Name": name, "Values": [value]}])
    assert (interface in [one["NetworkInterfaceId"] for one in answer["NetworkInterfaces"]]) is found


def test_addresses_of_machines_are_usable(zones: ThreeZones) -> None:
    macs = [zones.interface(interface)["MacAddress"] for interface in zones.interfaces.values()]
    assert len(set(macs)) == 3
    for mac in macs:
        first = int(mac.split(":")[0], 16)
        assert first & 1 == 0, "unicast"
        assert first & 2 == 2, "locally administered"


def test_of_two_attaches_at_the_same_moment_one_wins(zones: ThreeZones) -> None:
    interface = zones.interfaces[ZONES[0]]
    rivals = [zones.run() for _ in range(8)]
    start = threading.Barrier(len(rivals))
    outcomes: list[str] = []

    def attack(instance: str) -> None:
        start.wait()
        try:
            zones.ec2.attach_network_interface(NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=1)
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
    assert zones.interface(interface)["Attachment"]["InstanceId"] == winners[0]


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
