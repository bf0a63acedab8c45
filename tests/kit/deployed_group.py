"""A deployed service as the operator's command sees it: its group, two versions of its launch template, its state."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
from moto import mock_aws

from bootstrap.base.names import stack_name, state_parameter

OLD, NEW = "ami-0000000000000001a", "ami-0000000000000002b"


@dataclass
class Clients:
    ec2: Any
    autoscaling: Any
    ssm: Any


@contextmanager
def deployed_group() -> Iterator[Clients]:
    """The group runs version 1, version 2 is staged. Region and credentials are those of the environment."""
    with mock_aws():
        made = Clients(boto3.client("ec2"), boto3.client("autoscaling"), boto3.client("ssm"))
        template = made.ec2.create_launch_template(
            LaunchTemplateName=stack_name("demo"), LaunchTemplateData={"ImageId": OLD, "InstanceType": "t3.micro"}
        )["LaunchTemplate"]["LaunchTemplateId"]
        subnet = made.ec2.describe_subnets()["Subnets"][0]["SubnetId"]
        made.autoscaling.create_auto_scaling_group(
            AutoScalingGroupName=stack_name("demo"),
            MinSize=1,
            MaxSize=1,
            VPCZoneIdentifier=subnet,
            LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        )
        made.ec2.create_launch_template_version(
            LaunchTemplateId=template, LaunchTemplateData={"ImageId": NEW, "InstanceType": "t3.micro"}
        )
        yield made


def report(clients: Clients, **state: str) -> None:
    clients.ssm.put_parameter(Name=state_parameter("demo"), Value=json.dumps(state), Type="String", Overwrite=True)
