"""All that the services tell of a deployed stack, with names in place of ids, so that two deployments can be compared.

For: test_cdk_cli. Guarantees: an id that the stack made is replaced by its logical id, any other id and every time by
a placeholder; nothing else is left out but what a running instance changes, and how much functions have logged. User
data is compared as text.
"""

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
    r"(Time|Date|Timestamp|MacAddress|Instances|Activities|ResponseMetadata|CallerReference|ClientToken|storedBytes)$"
)
_CHANGED_BY_THE_INSTANCE = ("Attachment", "Status")


def described(client: Callable[[str], Any], stack: str) -> dict[str, Any]:
    """What every service of the stack answers, by service and call."""
    resources = client("cloudformation").describe_stack_resources(StackName=stack)["StackResources"]
    made = [one for one in resources if one["PhysicalResourceId"] != stack]  # the template gives that name itself
    names = {one["PhysicalResourceId"]: f"<{one['LogicalResourceId']}>" for one in made}
    names[resources[0]["StackId"]] = "<stack>"
    found = {
        name: [read(client(service), one["PhysicalResourceId"]) for one in resources if one["ResourceType"] == kind]
        for name, (kind, service, read) in _READERS.items()
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


def _interface(ec2: Any, one: str) -> Any:
    (found,) = ec2.describe_network_interfaces(NetworkInterfaceIds=[one])["NetworkInterfaces"]
    return {key: value for key, value in found.items() if key not in _CHANGED_BY_THE_INSTANCE}


def _launch_template(ec2: Any, one: str) -> Any:
    versions = ec2.describe_launch_template_versions(LaunchTemplateId=one)["LaunchTemplateVersions"]
    return [ec2.describe_launch_templates(LaunchTemplateIds=[one])["LaunchTemplates"], versions]


def _file_system(efs: Any, one: str) -> Any:
    return [
        efs.describe_file_systems(FileSystemId=one)["FileSystems"],
        json.loads(efs.describe_file_system_policy(FileSystemId=one)["Policy"]),
        efs.describe_backup_policy(FileSystemId=one)["BackupPolicy"],
        efs.describe_mount_targets(FileSystemId=one)["MountTargets"],
        efs.describe_access_points(FileSystemId=one)["AccessPoints"],
    ]


def _zone(route53: Any, one: str) -> Any:
    records = route53.list_resource_record_sets(HostedZoneId=one)["ResourceRecordSets"]
    return [route53.get_hosted_zone(Id=one), records]


def _role(iam: Any, one: str) -> Any:
    names = iam.list_role_policies(RoleName=one)["PolicyNames"]
    policies = [[name, iam.get_role_policy(RoleName=one, PolicyName=name)["PolicyDocument"]] for name in names]
    attached = iam.list_attached_role_policies(RoleName=one)["AttachedPolicies"]
    return [iam.get_role(RoleName=one)["Role"], policies, attached]


def _topic(sns: Any, one: str) -> Any:
    tags = sns.list_tags_for_resource(ResourceArn=one)["Tags"]
    return [sns.get_topic_attributes(TopicArn=one)["Attributes"], tags]


def _answer(operation: str, parameter: str, key: str) -> Callable[[Any, str], Any]:
    """What one call answers about an id below `key`; a parameter in the plural takes a list."""

    def ask(client: Any, one: str) -> Any:
        found = getattr(client, operation)(**{parameter: [one] if parameter.endswith("s") else one})[key]
        assert found, f"{operation} tells nothing of {one}"
        return found

    return ask


# By what is compared: the type of the stack's resources that it is asked about, whom, and how.
_GROUP = "AWS::AutoScaling::AutoScalingGroup"
_READERS: dict[str, tuple[str, str, Callable[[Any, str], Any]]] = {
    "group": (
        _GROUP,
        "autoscaling",
        _answer("describe_auto_scaling_groups", "AutoScalingGroupNames", "AutoScalingGroups"),
    ),
    "hooks": (_GROUP, "autoscaling", _answer("describe_lifecycle_hooks", "AutoScalingGroupName", "LifecycleHooks")),
    "notifications": (
        _GROUP,
        "autoscaling",
        _answer("describe_notification_configurations", "AutoScalingGroupNames", "NotificationConfigurations"),
    ),
    "launch templates": ("AWS::EC2::LaunchTemplate", "ec2", _launch_template),
    "network interfaces": ("AWS::EC2::NetworkInterface", "ec2", _interface),
    "security groups": (
        "AWS::EC2::SecurityGroup",
        "ec2",
        _answer("describe_security_groups", "GroupIds", "SecurityGroups"),
    ),
    "subnets": ("AWS::EC2::Subnet", "ec2", _answer("describe_subnets", "SubnetIds", "Subnets")),
    "file systems": ("AWS::EFS::FileSystem", "efs", _file_system),
    "zones": ("AWS::Route53::HostedZone", "route53", _zone),
    "roles": ("AWS::IAM::Role", "iam", _role),
    "topics": ("AWS::SNS::Topic", "sns", _topic),
    "log groups": ("AWS::Logs::LogGroup", "logs", _answer("describe_log_groups", "logGroupNamePrefix", "logGroups")),
    "parameters": ("AWS::SSM::Parameter", "ssm", _answer("get_parameters", "Names", "Parameters")),
}
