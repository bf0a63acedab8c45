"""One strict AWS for every moto-backed test of the agent; switch it here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import boto3
import pytest

from bootstrap.cloud.clients import Clients
from lab.aws import StrictAws, strict_mock_aws
from tests.process.fake_os import FakeOs
from tests.unit.bootstrap.fakes import FakeClock, fake_os

REGION = "us-east-1"
IMAGE = "ami-0123456789abcdef0"


@dataclass(frozen=True)
class Cloud:
    """A subnet per purpose in one zone, and the agent's clients."""

    aws: StrictAws
    clients: Clients
    subnet: str
    service_subnet: str

    def run_instance(self) -> str:
        ec2 = boto3.client("ec2", region_name=REGION)
        made = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, InstanceType="t3.medium", SubnetId=self.subnet)
        self.aws.advance(10)
        instance_id: str = made["Instances"][0]["InstanceId"]
        return instance_id

    def network_interface(self, address: str = "10.0.100.10") -> str:
        ec2 = boto3.client("ec2", region_name=REGION)
        made = ec2.create_network_interface(SubnetId=self.service_subnet, PrivateIpAddress=address)
        interface_id: str = made["NetworkInterface"]["NetworkInterfaceId"]
        return interface_id


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Cloud]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with strict_mock_aws(region=REGION, instant=True) as strict:
        strict.register_image(IMAGE, "service-1")
        ec2 = boto3.client("ec2", region_name=REGION)
        vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        subnet, service_subnet = (
            ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone="us-east-1a")["Subnet"]["SubnetId"]
            for cidr in ("10.0.0.0/24", "10.0.100.0/24")
        )
        yield Cloud(aws=strict, clients=Clients(REGION), subnet=subnet, service_subnet=service_subnet)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def machine(tmp_path: Path) -> FakeOs:
    return fake_os(tmp_path / "machine")
