"""An operator and two instances with a role, over HTTP as the agent uses it: whom faults are tried on."""

import json
import urllib.request
from dataclasses import replace
from typing import Any
from urllib.error import HTTPError

from lab.aws import FAST, ControlPlane, Event
from tests.kit.lab_clients import client

IMAGE = "ami-00000000000000001"
TIMING = replace(FAST, launch_retry_s=30)

CALLS = {
    "ec2": "describe_vpcs",
    "autoscaling": "describe_auto_scaling_groups",
    "route53": "list_hosted_zones",
    "efs": "describe_file_systems",
    "ssm": "describe_parameters",
    "cloudwatch": "describe_alarms",
    "iam": "list_roles",
}


class Account:
    """An operator, and two instances with a role, one in zone a and one in zone b."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.events: list[Event] = []
        plane.subscribe(self.events.append)
        plane.register_image(IMAGE, "service-1")
        iam = self.client("iam")
        iam.create_role(RoleName="agent", AssumeRolePolicyDocument="{}")
        iam.create_instance_profile(InstanceProfileName="agent")
        iam.add_role_to_instance_profile(InstanceProfileName="agent", RoleName="agent")
        ec2 = self.client("ec2")
        self.vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        self.subnets, self.instances, self.interfaces = {}, {}, {}
        for number, letter in enumerate("ab"):
            made = ec2.create_subnet(
                VpcId=self.vpc, CidrBlock=f"10.0.{number}.0/24", AvailabilityZone=f"us-east-1{letter}"
            )
            self.subnets[letter] = made["Subnet"]["SubnetId"]
            ran = ec2.run_instances(
                ImageId=IMAGE,
                MinCount=1,
                MaxCount=1,
                SubnetId=self.subnets[letter],
                IamInstanceProfile={"Name": "agent"},
            )
            self.instances[letter] = ran["Instances"][0]["InstanceId"]
            interface = ec2.create_network_interface(SubnetId=self.subnets[letter])
            self.interfaces[letter] = interface["NetworkInterface"]["NetworkInterfaceId"]
        plane.advance(5)

    def client(self, service: str, *, of: str = "", attempts: int = 1, read_timeout_s: float = 20) -> Any:
        instance_id = self.instances[of] if of else ""
        return client(self.plane, service, of=instance_id, attempts=attempts, read_timeout_s=read_timeout_s)

    def control(self, method: str, path: str = "", document: dict[str, Any] | None = None) -> tuple[int, Any]:
        """A call of the control endpoint, as any program can make it."""
        body = None if document is None else json.dumps(document).encode()
        url = f"{self.plane.endpoint_url}/_lab/faults{path}"
        request = urllib.request.Request(url, data=body, method=method)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, json.load(answer)
        except HTTPError as error:
            return error.code, json.load(error)

    def is_attached(self, letter: str) -> bool:
        return any(nic.id == self.interfaces[letter] and nic.instance_id for nic in self.plane.network_interfaces())

    def attach(self, letter: str, **how: Any) -> Any:
        return self.client("ec2", **how).attach_network_interface(
            NetworkInterfaceId=self.interfaces[letter], InstanceId=self.instances[letter], DeviceIndex=1
        )
