"""A deployed service as the operator's command sees it: its stack with group and launch template, and its state.

CloudFormation is the lab's, so a promotion changes the group as a stack's update does.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import boto3
import yaml

from bootstrap.base.names import stack_name, state_parameter
from lab.aws import StrictAws, strict_mock_aws
from lab.aws.cloudformation.state import CloudFormation

OLD, NEW = "ami-0000000000000001a", "ami-0000000000000002b"
GROUP = stack_name("demo")
TEMPLATE = """
Parameters: {PromotedVersion: {Type: String, Default: first}}
Conditions: {IsPromoted: {Fn::Not: [{Fn::Equals: [{Ref: PromotedVersion}, first]}]}}
Resources:
  Vpc: {Type: AWS::EC2::VPC, Properties: {CidrBlock: 10.0.0.0/16}}
  Subnet:
    Type: AWS::EC2::Subnet
    Properties: {VpcId: {Ref: Vpc}, CidrBlock: 10.0.0.0/24, AvailabilityZone: us-east-1a}
  Template:
    Type: AWS::EC2::LaunchTemplate
    Properties:
      LaunchTemplateName: soloist-demo
      VersionDescription: IMAGE
      LaunchTemplateData: {ImageId: IMAGE, InstanceType: t3.micro}
  Group:
    Type: AWS::AutoScaling::AutoScalingGroup
    Properties:
      AutoScalingGroupName: soloist-demo
      MinSize: "1"
      MaxSize: "1"
      HealthCheckGracePeriod: 0
      VPCZoneIdentifier: [{Ref: Subnet}]
      LaunchTemplate:
        LaunchTemplateId: {Ref: Template}
        Version:
          Fn::If: [IsPromoted, {Ref: PromotedVersion}, {Fn::GetAtt: [Template, DefaultVersionNumber]}]
Outputs: {StagedVersion: {Value: IMAGE}}
"""


@dataclass
class Clients:
    ec2: Any
    autoscaling: Any
    ssm: Any
    cloudformation: Any
    aws: StrictAws

    def deploy(self, image_id: str, **group: Any) -> str:
        """Deploy the stack with this image, and properties of the group, None for one less; how it ended."""
        template = yaml.safe_load(TEMPLATE.replace("IMAGE", image_id))
        properties = template["Resources"]["Group"]["Properties"] | group
        template["Resources"]["Group"]["Properties"] = {key: one for key, one in properties.items() if one is not None}
        request = {"StackName": GROUP, "TemplateBody": json.dumps(template)}
        if not self.cloudformation.list_stacks()["StackSummaries"]:
            self.cloudformation.create_stack(**request)
        else:
            kept = [{"ParameterKey": "PromotedVersion", "UsePreviousValue": True}]
            self.cloudformation.update_stack(**request, Parameters=kept)
        return self.settled()

    def settled(self) -> str:
        """The status of the stack, once what runs on it has ended."""
        CloudFormation.of(self.aws.cloud).finish()
        return str(self.cloudformation.describe_stacks(StackName=GROUP)["Stacks"][0]["StackStatus"])


@contextmanager
def deployed_group() -> Iterator[Clients]:
    """The group runs version 1, version 2 is staged. Region and credentials are those of the environment."""
    names = ("ec2", "autoscaling", "ssm", "cloudformation")
    with strict_mock_aws(instant=True) as aws:
        for image_id in (OLD, NEW):
            aws.register_image(image_id, image_id)
        make: Any = boto3.client
        made = Clients(*(make(name) for name in names), aws)
        assert (made.deploy(OLD), made.deploy(NEW)) == ("CREATE_COMPLETE", "UPDATE_COMPLETE")
        yield made


def report(clients: Clients, **state: str) -> None:
    clients.ssm.put_parameter(Name=state_parameter("demo"), Value=json.dumps(state), Type="String", Overwrite=True)
