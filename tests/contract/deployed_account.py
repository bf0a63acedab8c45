"""The account that the deployment tests look at, and a small template of the shape of ours.

For: the tests of deployments, of faults and of updates. Guarantees: every wait ends after 30 s with what was seen.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import boto3
import pytest
from botocore.config import Config

from lab.aws import FAST, ControlPlane, Event, NoMachines

REGION = "us-east-1"
ONE, TWO = "ami-00000000000000001", "ami-00000000000000002"

HANDLER = """
import json, os, urllib.request
import boto3

def on_event(event, context):
    mine = event.get("PhysicalResourceId", "made-" + event["LogicalResourceId"])
    answer = {"Status": "SUCCESS", "PhysicalResourceId": mine}
    wanted = event["ResourceProperties"]
    if wanted.get("Fail") == event["RequestType"]:
        answer = {"Status": "FAILED", "Reason": "told to fail", "PhysicalResourceId": "half-made"}
    if wanted.get("Crash") == event["RequestType"]:
        raise RuntimeError("handler fell over")
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name="/calls/" + event["RequestId"], Type="String", Value=json.dumps(
        [event["RequestType"], event.get("PhysicalResourceId", ""), wanted.get("Number"), os.environ["GREETING"]]))
    answer["Data"] = {"Who": boto3.client("sts").get_caller_identity()["Arn"]}
    for key in ("StackId", "RequestId", "LogicalResourceId"):
        answer[key] = event[key]
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request, timeout=10).close()
"""


def template(**changes: Any) -> dict[str, Any]:
    """A small stack of the shape of ours; `changes` are properties as Resource__Property=value."""
    resources: dict[str, Any] = {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "us-east-1a"},
        },
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"GroupDescription": "service", "VpcId": {"Ref": "Vpc"}},
        },
        "Interface": {
            "Type": "AWS::EC2::NetworkInterface",
            "DeletionPolicy": "Retain",
            "Properties": {
                "SubnetId": {"Ref": "Subnet"},
                "PrivateIpAddress": "10.0.0.10",
                "GroupSet": [{"Fn::GetAtt": ["Group", "GroupId"]}],
                "Tags": [{"Key": "soloist:service", "Value": "x"}],
            },
        },
        "Files": {
            "Type": "AWS::EFS::FileSystem",
            "Properties": {"Encrypted": True, "FileSystemPolicy": {"Statement": [{"Effect": "Deny"}]}},
        },
        "Target": {
            "Type": "AWS::EFS::MountTarget",
            "Properties": {
                "FileSystemId": {"Ref": "Files"},
                "SubnetId": {"Ref": "Subnet"},
                "SecurityGroups": [{"Ref": "Group"}],
            },
        },
        "Data": {
            "Type": "AWS::EFS::AccessPoint",
            "Properties": {
                "FileSystemId": {"Ref": "Files"},
                "RootDirectory": {
                    "Path": "/x/data",
                    "CreationInfo": {"OwnerUid": "0", "OwnerGid": "0", "Permissions": "0755"},
                },
            },
        },
        "Zone": {
            "Type": "AWS::Route53::HostedZone",
            "Properties": {"Name": "lab.internal", "VPCs": [{"VPCId": {"Ref": "Vpc"}, "VPCRegion": REGION}]},
        },
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "x"}},
        "Mail": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "email", "Endpoint": "a@example.com"},
        },
        "State": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/x/state", "Type": "String", "Value": "{}"}},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"RoleName": "agent", "AssumeRolePolicyDocument": {"Statement": []}},
        },
        "Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "Role"}]}},
        "Template": {
            "Type": "AWS::EC2::LaunchTemplate",
            "Properties": {
                "LaunchTemplateName": "service-x",
                "LaunchTemplateData": {
                    "ImageId": ONE,
                    "InstanceType": "t3.medium",
                    "IamInstanceProfile": {"Arn": {"Fn::GetAtt": ["Profile", "Arn"]}},
                    "MetadataOptions": {"HttpTokens": "required"},
                    "UserData": {"Fn::Base64": {"Fn::Sub": "interface=${Interface} files=${Files.Arn}"}},
                },
            },
        },
        "Instances": {
            "Type": "AWS::AutoScaling::AutoScalingGroup",
            "Properties": {
                "AutoScalingGroupName": "x",
                "MinSize": "1",
                "MaxSize": "1",
                "VPCZoneIdentifier": [{"Ref": "Subnet"}],
                "LaunchTemplate": {
                    "LaunchTemplateId": {"Ref": "Template"},
                    "Version": {"Fn::GetAtt": ["Template", "DefaultVersionNumber"]},
                },
            },
        },
        "Code": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Handler": "index.on_event",
                "Runtime": "python3.11",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": HANDLER},
                "Environment": {"Variables": {"GREETING": "hello"}},
            },
        },
        "Custom": {
            "Type": "Custom::Thing",
            "Properties": {"ServiceToken": {"Fn::GetAtt": ["Code", "Arn"]}, "Number": 7, "ServiceTimeout": 30},
        },
    }
    for path, value in changes.items():
        resource, _, name = path.partition("__")
        resources[resource]["Properties"][name] = value
    outputs = {"Who": {"Value": {"Fn::GetAtt": ["Custom", "Who"]}}, "Point": {"Value": {"Ref": "Data"}}}
    return {"Resources": resources, "Outputs": outputs}


@contextmanager
def open_account() -> Iterator[Account]:
    """A control plane that answers fast, with two images."""
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0) as plane:
        plane.register_image(ONE, "service-1")
        plane.register_image(TWO, "service-2")
        yield Account(plane)


@lru_cache
def session() -> boto3.session.Session:
    return boto3.session.Session("AKIAOPERATOR", "secret", region_name=REGION)


def client(plane: ControlPlane, service: str, attempts: int = 1) -> Any:
    """The operator's boto3 client of a control plane."""
    made: Any = session()
    config = Config(retries={"total_max_attempts": attempts})
    return made.client(service, endpoint_url=plane.endpoint_url, config=config)


class Account:
    """The operator's view."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.events: list[Event] = []
        self._clients: dict[tuple[str, int], Any] = {}
        plane.subscribe(self.events.append)

    def client(self, service: str, attempts: int = 1) -> Any:
        if (service, attempts) not in self._clients:
            self._clients[service, attempts] = client(self.plane, service, attempts)
        return self._clients[service, attempts]

    def settled(self) -> dict[str, Any]:
        return self.until(lambda stack: not stack["StackStatus"].endswith("IN_PROGRESS"))

    def until(self, enough: Any) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            stack: dict[str, Any] = self.client("cloudformation").describe_stacks(StackName=self.stack_id)["Stacks"][0]
            if enough(stack):
                return stack
            time.sleep(0.05)
        pytest.fail(f"the stack is still {stack['StackStatus']} after 30 s")

    def create(self, document: dict[str, Any]) -> dict[str, Any]:
        made = self.client("cloudformation").create_stack(StackName="x", TemplateBody=json.dumps(document))
        self.stack_id = made["StackId"]
        return self.settled()

    def update(self, document: dict[str, Any]) -> dict[str, Any]:
        self.client("cloudformation").update_stack(StackName="x", TemplateBody=json.dumps(document))
        return self.settled()

    def calls(self) -> list[list[Any]]:
        found = self.client("ssm").get_parameters_by_path(Path="/calls")["Parameters"]
        return [json.loads(one["Value"]) for one in sorted(found, key=lambda one: one["LastModifiedDate"])]

    def group(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
        return found
