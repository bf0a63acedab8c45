"""AWS for unit tests: a strict moto with one zone, EC2 with one network interface, and errors of calls."""

from dataclasses import dataclass, field, replace
from typing import Any

import boto3

from bootstrap.base.errors import CloudError
from bootstrap.cloud.clients import Clients
from bootstrap.cloud.ec2 import NetworkInterface
from lab.aws import StrictAws
from tests.kit.lease import ME

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


def cloud_error(code: str, *, retryable: bool = True) -> CloudError:
    return CloudError(f"call: {code}", code=code, retryable=retryable)


@dataclass
class FakeInterfaces:
    """EC2 with one network interface. Refuses what EC2 refuses; `fail` injects errors, before or after the effect."""

    seen: NetworkInterface
    states: dict[str, str | None] = field(default_factory=dict)
    used: frozenset[int] = frozenset({0})
    attach_errors: list[CloudError] = field(default_factory=list)
    is_performed_anyway: bool = False  # the answer is lost, the attachment made
    describe_errors: list[CloudError] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    crimes: list[str] = field(default_factory=list)  # what must never happen

    def network_interface(self, network_interface_id: str) -> NetworkInterface:
        self.calls.append("describe")
        if self.describe_errors:
            raise self.describe_errors.pop(0)
        return self.seen

    def instance_state(self, instance_id: str) -> str | None:
        self.calls.append(f"state {instance_id}")
        return self.states.get(instance_id)

    def used_device_indexes(self, instance_id: str) -> frozenset[int]:
        self.calls.append("indexes")
        return self.used

    def attach(self, network_interface_id: str, instance_id: str, device_index: int) -> None:
        self.calls.append(f"attach {device_index}")
        if self.seen.status != "available":
            raise cloud_error("InvalidNetworkInterface.InUse")
        error = self.attach_errors.pop(0) if self.attach_errors else None
        if error is None or self.is_performed_anyway:
            self.seen = replace(
                self.seen,
                status="in-use",
                instance_id=instance_id,
                attachment_id="eni-attach-1",
                attachment_status="attached",
            )
        if error is not None:
            raise error

    def detach(self, attachment_id: str) -> None:
        self.calls.append("detach")
        if self.seen.instance_id != ME and self.states.get(self.seen.instance_id) not in (None, "terminated"):
            self.crimes.append(f"detached from {self.seen.instance_id}, which is {self.states[self.seen.instance_id]}")
        self.free()

    def keep_on_termination(self, network_interface_id: str, attachment_id: str) -> None:
        self.calls.append("keep")
        self.seen = replace(self.seen, delete_on_termination=False)

    def free(self) -> None:
        self.seen = replace(self.seen, status="available", instance_id="", attachment_id="", attachment_status="")


def interface(**changes: Any) -> NetworkInterface:
    plain = NetworkInterface(id="eni-1", status="available", mac="02:00:00:00:00:42", zone="us-east-1a")
    return replace(plain, **changes)


def attached_to(instance_id: str) -> NetworkInterface:
    return interface(
        status="in-use", instance_id=instance_id, attachment_id="eni-attach-0", attachment_status="attached"
    )


def permitted() -> None:
    """The lease is held."""
