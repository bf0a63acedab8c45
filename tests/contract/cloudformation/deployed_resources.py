"""All that the services tell of a deployed stack, with names in place of ids, so that two deployments can be compared.

For: test_cdk_cli. Guarantees: an id that the stack made is replaced by its logical id, any other id and every time by
a placeholder; nothing else is left out but what a running instance changes. User data is compared as text.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from typing import Any

_IDS = re.compile(
    r"\b(eni-attach|eipalloc|eipassoc|vpce|vpc|subnet|sgr|sg|rtbassoc|rtb|igw|nat|eni|fsap|fsmt|fs|lt|acl|dopt|i|ami)"
    r"-[0-9a-f]{8,17}\b"
)
_RANDOM = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}|(?<=-)[0-9A-Z]{12}(?![0-9A-Z])|AROA[0-9A-Z]{16,17}")
_VOLATILE = re.compile(
    r"(Time|Date|Timestamp|MacAddress|Instances|Activities|ResponseMetadata|CallerReference|ClientToken)$"
)
_CHANGED_BY_THE_INSTANCE = ("Attachment", "Status")


def described(client: Callable[[str], Any], stack: str) -> dict[str, Any]:
    """What every service of the stack answers, by service and call."""
    resources = client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    made = [one for one in resources if one["PhysicalResourceId"] != stack]  # the template gives that name itself
    names = {one["PhysicalResourceId"]: f"<{one['LogicalResourceId']}>" for one in made}
    names[resources[0]["StackId"]] = "<stack>"
    found = {
        name: read(client, [one["PhysicalResourceId"] for one in resources if one["ResourceType"] == kind])
        for name, (kind, read) in _READERS.items()
    }
    text = json.dumps(_settled(found), default=str, sort_keys=True)
    for physical in sorted(names, key=len, reverse=True):
        text = text.replace(json.dumps(physical)[1:-1], names[physical])
    result: dict[str, Any] = json.loads(_RANDOM.sub("<random>", _IDS.sub(r"<\1>", text)))
    return {name: _in_order(value) for name, value in result.items()}


def _settled(value: Any) -> Any:
    if isinstance(value, dict):
        value = value | {"UserData": base64.b64decode(value["UserData"]).decode()} if "UserData" in value else value
        return {key: _settled(inner) for key, inner in value.items() if not _VOLATILE.search(key)}
    if isinstance(value, list):
        return [_settled(inner) for inner in value]
    return value


def _in_order(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _in_order(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return sorted((_in_order(inner) for inner in value), key=lambda one: json.dumps(one, sort_keys=True))
    return value


Client = Callable[[str], Any]


def _group(client: Client, ids: list[str]) -> Any:
    return client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=ids)["AutoScalingGroups"]


def _hooks(client: Client, ids: list[str]) -> Any:
    return [client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName=one)["LifecycleHooks"] for one in ids]


def _notifications(client: Client, ids: list[str]) -> Any:
    found = client("autoscaling").describe_notification_configurations(AutoScalingGroupNames=ids)
    return found["NotificationConfigurations"]


def _launch_templates(client: Client, ids: list[str]) -> Any:
    ec2 = client("ec2")
    versions = [ec2.describe_launch_template_versions(LaunchTemplateId=one)["LaunchTemplateVersions"] for one in ids]
    return [ec2.describe_launch_templates(LaunchTemplateIds=ids)["LaunchTemplates"], versions]


def _interfaces(client: Client, ids: list[str]) -> Any:
    found = client("ec2").describe_network_interfaces(NetworkInterfaceIds=ids)["NetworkInterfaces"]
    return [{key: value for key, value in one.items() if key not in _CHANGED_BY_THE_INSTANCE} for one in found]


def _security_groups(client: Client, ids: list[str]) -> Any:
    return client("ec2").describe_security_groups(GroupIds=ids)["SecurityGroups"]


def _subnets(client: Client, ids: list[str]) -> Any:
    return client("ec2").describe_subnets(SubnetIds=ids)["Subnets"]


def _file_systems(client: Client, ids: list[str]) -> Any:
    efs = client("efs")
    return [
        [
            efs.describe_file_systems(FileSystemId=one)["FileSystems"],
            json.loads(efs.describe_file_system_policy(FileSystemId=one)["Policy"]),
            efs.describe_backup_policy(FileSystemId=one)["BackupPolicy"],
            efs.describe_mount_targets(FileSystemId=one)["MountTargets"],
            efs.describe_access_points(FileSystemId=one)["AccessPoints"],
        ]
        for one in ids
    ]


def _zones(client: Client, ids: list[str]) -> Any:
    route53 = client("route53")
    return [
        [route53.get_hosted_zone(Id=one), route53.list_resource_record_sets(HostedZoneId=one)["ResourceRecordSets"]]
        for one in ids
    ]


def _roles(client: Client, ids: list[str]) -> Any:
    iam = client("iam")
    return [
        [
            iam.get_role(RoleName=one)["Role"],
            [
                [policy, iam.get_role_policy(RoleName=one, PolicyName=policy)["PolicyDocument"]]
                for policy in iam.list_role_policies(RoleName=one)["PolicyNames"]
            ],
            iam.list_attached_role_policies(RoleName=one)["AttachedPolicies"],
        ]
        for one in ids
    ]


def _topics(client: Client, ids: list[str]) -> Any:
    sns = client("sns")
    return [
        [sns.get_topic_attributes(TopicArn=one)["Attributes"], sns.list_tags_for_resource(ResourceArn=one)["Tags"]]
        for one in ids
    ]


def _log_groups(client: Client, ids: list[str]) -> Any:
    return [client("logs").describe_log_groups(logGroupNamePrefix=one)["logGroups"] for one in ids]


def _parameters(client: Client, ids: list[str]) -> Any:
    return client("ssm").get_parameters(Names=ids)["Parameters"]


# By what is compared: the type of the stack's resources that it is asked about, and how.
_READERS: dict[str, tuple[str, Callable[[Client, list[str]], Any]]] = {
    "group": ("AWS::AutoScaling::AutoScalingGroup", _group),
    "hooks": ("AWS::AutoScaling::AutoScalingGroup", _hooks),
    "notifications": ("AWS::AutoScaling::AutoScalingGroup", _notifications),
    "launch templates": ("AWS::EC2::LaunchTemplate", _launch_templates),
    "network interfaces": ("AWS::EC2::NetworkInterface", _interfaces),
    "security groups": ("AWS::EC2::SecurityGroup", _security_groups),
    "subnets": ("AWS::EC2::Subnet", _subnets),
    "file systems": ("AWS::EFS::FileSystem", _file_systems),
    "zones": ("AWS::Route53::HostedZone", _zones),
    "roles": ("AWS::IAM::Role", _roles),
    "topics": ("AWS::SNS::Topic", _topics),
    "log groups": ("AWS::Logs::LogGroup", _log_groups),
    "parameters": ("AWS::SSM::Parameter", _parameters),
}
