"""Network interfaces, beyond what tests/contract/behaviours.yaml says of them: machines, addresses, filters."""

import pytest

from tests.kit.three_zones import ZONES, ThreeZones, refusal


def test_attaching_plugs_the_machine_after_a_while_and_detaching_unplugs_it(zones: ThreeZones) -> None:
    interface, instance = zones.interfaces[ZONES[0]], zones.run()
    zones.attach(interface, instance)
    zones.aws.advance(2.9)
    assert interface not in zones.machines.nics[instance]
    zones.aws.advance(0.2)
    nic = zones.machines.nics[instance][interface]
    assert (nic.address, nic.device_index, nic.mac) == ("10.0.100.10", 1, zones.interface(interface)["MacAddress"])
    zones.ec2.detach_network_interface(AttachmentId=zones.interface(interface)["Attachment"]["AttachmentId"])
    zones.aws.advance(5)
    assert interface not in zones.machines.nics[instance]
    zones.attach(interface, instance)


@pytest.mark.parametrize("address", ["10.0.100.1", "10.0.100.255", "10.0.7.7"])
def test_the_first_and_last_addresses_and_those_outside_the_subnet_cannot_be_given(
    zones: ThreeZones, address: str
) -> None:
    subnet = zones.interface(zones.interfaces[ZONES[0]])["SubnetId"]
    refused = refusal(zones.ec2.create_network_interface, SubnetId=subnet, PrivateIpAddress=address)
    assert refused[0] == "InvalidParameterValue"


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
def test_a_filter_finds_what_matches_it(zones: ThreeZones, name: str, value: str, *, found: bool) -> None:
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
