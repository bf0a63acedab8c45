"""The cloud around one agent: a VPC, a group of one instance whose launch hook waits, a hosted zone and a topic.

For: surroundings. Guarantees: the boot document told to the instance names what is really there.
"""

import json
from typing import Any

import boto3

from bootstrap.base.document import render_user_data
from lab.aws import StrictAws
from tests.kit.documents import document_tree

REGION, ZONE = "us-east-1", "us-east-1a"
ADDRESS = "10.0.100.10"
IMAGE = "ami-0123456789abcdef0"


def build_cloud(aws: StrictAws, health_url: str, target: str) -> dict[str, Any]:
    """Its ids by the names of `Surroundings`, and what the metadata service tells its instance."""
    aws.register_image(IMAGE, "service-1")
    ec2, group = boto3.client("ec2", region_name=REGION), boto3.client("autoscaling", region_name=REGION)
    vpc = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
    subnet, service_subnet = (
        ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=ZONE)["Subnet"]["SubnetId"]
        for cidr in ("10.0.0.0/24", "10.0.100.0/24")
    )
    interface = ec2.create_network_interface(SubnetId=service_subnet, PrivateIpAddress=ADDRESS)["NetworkInterface"]
    zone_id = boto3.client("route53").create_hosted_zone(
        Name="lab.internal", CallerReference="1", VPC={"VPCRegion": REGION, "VPCId": vpc}
    )["HostedZone"]["Id"]
    topic = boto3.client("sns", region_name=REGION).create_topic(Name="soloist-demo")["TopicArn"]
    template = ec2.create_launch_template(
        LaunchTemplateName="soloist-demo",
        LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "t3.medium"},
    )["LaunchTemplate"]["LaunchTemplateId"]
    hook = {"HeartbeatTimeout": 600, "DefaultResult": "ABANDON"}
    group.create_auto_scaling_group(
        AutoScalingGroupName="soloist-demo",
        MinSize=1,
        MaxSize=1,
        VPCZoneIdentifier=subnet,
        LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        LifecycleHookSpecificationList=[
            {
                "LifecycleHookName": "boot",
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
                **hook,
            },
            {
                "LifecycleHookName": "drain",
                "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
                **hook,
            },
        ],
    )
    aws.advance(30)
    (instance,) = aws.instances()
    document = document_tree(
        target,
        service={
            "units": ["demo.service"],
            "health": {
                "checks": [{"kind": "http", "url": health_url, "expect_status": 204}],
                "start_allowance_s": 20,
                "interval_s": 0.5,
            },
            "hooks": {"before_stop": []},
        },
        zones=[{**document_tree()["zones"][0], "network_interface_id": interface["NetworkInterfaceId"]}],
        connection={"hosted_zone_id": zone_id.rsplit("/", 1)[-1]},
        lease={"timing": {"settle_s": 0.2, "gone_confirm_s": 2.0, "retry_period_s": 1.0}},
        deadlines={"boot_s": 60, "network_interface_s": 20, "mount_s": 10, "release_s": 10},
        topic_arn=topic,
    )
    return {
        "instance_id": instance.id,
        "network_interface_id": interface["NetworkInterfaceId"],
        "hosted_zone_id": zone_id,
        "metadata": {
            "user-data": render_user_data(json.dumps(document)),
            "meta-data/instance-id": instance.id,
            "meta-data/placement/availability-zone": ZONE,
            "meta-data/ami-id": IMAGE,
            "meta-data/mac": "02:00:00:00:00:01",
        },
    }
