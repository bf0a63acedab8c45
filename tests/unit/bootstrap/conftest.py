"""One strict AWS for every moto-backed test of the agent; switch it here."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from bootstrap.cloud.clients import Clients
from lab.aws import strict_mock_aws
from tests.kit.clock import FakeClock
from tests.kit.cloud import IMAGE, REGION, Cloud
from tests.kit.fake_os import FakeOs, fake_os


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
