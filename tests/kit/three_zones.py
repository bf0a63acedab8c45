"""A small account in strict moto: one VPC over three zones, a service interface per zone, a launch template."""

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from lab.aws.ec2.machines import NoMachines
from lab.aws.in_process.strict import StrictAws, strict_mock_aws
from tests.kit.distinct_delays import DISTINCT

REGION = "us-east-1"
ZONES = ("us-east-1a", "us-east-1b", "us-east-1c")
IMAGE = "ami-0123456789abcdef0"


class SlowMachines(NoMachines):
    """Machines that ignore the power button until a power cut."""

    def __init__(self) -> None:
        super().__init__()
        self.pressed: list[str] = []
        self.cut: list[str] = []

    def press_power_button(self, instance_id: str) -> None:
        self.pressed.append(instance_id)

    def power_off(self, instance_id: str) -> None:
        self.cut.append(instance_id)
        super().power_off(instance_id)


@dataclass
class ThreeZones:
    """Clients and ids."""

    aws: StrictAws
    machines: SlowMachines
    ec2: Any
    autoscaling: Any
    route53: Any
    vpc: str = ""
    subnets: dict[str, str] = field(default_factory=dict)
    interfaces: dict[str, str] = field(default_factory=dict)
    template: str = ""

    def run(self, zone: str = ZONES[0]) -> str:
        """A running instance."""
        machine = {"ImageId": IMAGE, "InstanceType": "t3.medium", "SubnetId": self.subnets[zone]}
        answer = self.ec2.run_instances(MinCount=1, MaxCount=1, **machine)
        self.aws.advance(10)
        instance_id: str = answer["Instances"][0]["InstanceId"]
        return instance_id

    def attach(self, interface: str, instance: str) -> str:
        answer = self.ec2.attach_network_interface(NetworkInterfaceId=interface, InstanceId=instance, DeviceIndex=1)
        attachment: str = answer["AttachmentId"]
        return attachment

    def interface(self, interface: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.ec2.describe_network_interfaces(NetworkInterfaceIds=[interface])
        found: dict[str, Any] = answer["NetworkInterfaces"][0]
        return found

    def state(self, instance: str) -> str:
        answer = self.ec2.describe_instances(InstanceIds=[instance])
        name: str = answer["Reservations"][0]["Instances"][0]["State"]["Name"]
        return name

    def group(self, **more: Any) -> None:
        """Create the group "one" of one instance."""
        self.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName="one",
            MinSize=1,
            MaxSize=1,
            LaunchTemplate={"LaunchTemplateId": self.template, "Version": "$Default"},
            VPCZoneIdentifier=",".join(self.subnets.values()),
            **more,
        )

    def member(self) -> Any:
        """The only member that is not leaving."""
        group = self.aws.group("one")
        assert group is not None
        staying = [member for member in group.members if not member.lifecycle_state.startswith("Terminating")]
        assert len(staying) == 1, group.members
        return staying[0]


@lru_cache
def session() -> boto3.session.Session:
    """One session for all tests: parsing the service models is most of the time a client takes."""
    return boto3.session.Session("testing", "testing", region_name=REGION)


def client(service: str) -> Any:
    return session().client(service)  # type: ignore[call-overload]


def refusal(call: Any, **kwargs: Any) -> tuple[str, str]:
    """Code and message of the ClientError that the call must raise."""
    with pytest.raises(ClientError) as caught:
        call(**kwargs)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


@contextmanager
def open_three_zones() -> Iterator[ThreeZones]:
    """A new strict AWS with them."""
    machines = SlowMachines()
    with strict_mock_aws(region=REGION, timing=DISTINCT, machines=machines) as aws:
        aws.register_image(IMAGE, "service-1")
        ec2 = client("ec2")
        zones = ThreeZones(aws, machines, ec2, client("autoscaling"), client("route53"))
        zones.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        for number, zone in enumerate(ZONES):
            zones.subnets[zone] = _subnet(ec2, zones.vpc, zone, f"10.0.{number}.0/24")
            service = _subnet(ec2, zones.vpc, zone, f"10.0.{100 + number}.0/24")
            made = ec2.create_network_interface(SubnetId=service, PrivateIpAddress=f"10.0.{100 + number}.10")
            zones.interfaces[zone] = made["NetworkInterface"]["NetworkInterfaceId"]
        zones.template = ec2.create_launch_template(
            LaunchTemplateName="one",
            LaunchTemplateData={
                "ImageId": IMAGE,
                "InstanceType": "t3.medium",
                "MetadataOptions": {"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
                "UserData": base64.b64encode(b"hello").decode(),
            },
        )["LaunchTemplate"]["LaunchTemplateId"]
        yield zones


def _subnet(ec2: Any, vpc: str, zone: str, cidr: str) -> str:
    subnet: str = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)["Subnet"]["SubnetId"]
    return subnet
