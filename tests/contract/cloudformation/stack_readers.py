"""What a service itself answers about one resource of deployed_account's template: the proof that a stack's change
arrived there and was not only written down."""

from __future__ import annotations

import json
from typing import Any

from tests.contract.deployed_account import Account


def _own(tags: dict[str, str]) -> dict[str, str]:
    """Without those that CloudFormation adds."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


def _listed(tags: list[dict[str, str]]) -> dict[str, str]:
    return _own({tag["Key"]: tag["Value"] for tag in tags})


def topic_tags(account: Account) -> Any:
    """SNS ListTagsForResource."""
    sns = account.client("sns")
    arn = sns.list_topics()["Topics"][0]["TopicArn"]
    return _listed(sns.list_tags_for_resource(ResourceArn=arn)["Tags"])


def role(account: Account) -> dict[str, Any]:
    """IAM GetRole."""
    found: dict[str, Any] = account.client("iam").get_role(RoleName="agent")["Role"]
    return found


def role_tags(account: Account) -> Any:
    """IAM ListRoleTags, which must be those of GetRole."""
    listed = account.client("iam").list_role_tags(RoleName="agent")["Tags"]
    assert _listed(listed) == _listed(role(account).get("Tags", []))
    return _listed(listed)


def parameter(account: Account) -> dict[str, Any]:
    """SSM DescribeParameters."""
    (found,) = (one for one in account.client("ssm").describe_parameters()["Parameters"] if one["Name"] == "/x/state")
    described: dict[str, Any] = found
    return described


def parameter_value(account: Account) -> Any:
    """SSM GetParameter."""
    return account.client("ssm").get_parameter(Name="/x/state")["Parameter"]["Value"]


def parameter_tags(account: Account) -> Any:
    """SSM ListTagsForResource."""
    found = account.client("ssm").list_tags_for_resource(ResourceType="Parameter", ResourceId="/x/state")
    return _listed(found["TagList"])


def template_tags(account: Account) -> Any:
    """EC2 DescribeLaunchTemplates."""
    (found,) = account.client("ec2").describe_launch_templates()["LaunchTemplates"]
    return _listed(found.get("Tags", []))


def template_versions(account: Account) -> Any:
    """EC2 DescribeLaunchTemplateVersions: descriptions, oldest first."""
    found = account.client("ec2").describe_launch_template_versions(LaunchTemplateName="service-x")
    versions = sorted(found["LaunchTemplateVersions"], key=lambda one: int(one["VersionNumber"]))
    return [one.get("VersionDescription", "") for one in versions]


def group_tags(account: Account) -> Any:
    """Auto Scaling DescribeAutoScalingGroups."""
    return _listed(account.group()["Tags"])


def ingress(account: Account) -> Any:
    """EC2 DescribeSecurityGroups."""
    found = account.client("ec2").describe_security_groups(Filters=[{"Name": "description", "Values": ["service"]}])
    return [
        (one["FromPort"], [block["CidrIp"] for block in one["IpRanges"]])
        for one in found["SecurityGroups"][0]["IpPermissions"]
    ]


def _file_system(account: Account) -> dict[str, Any]:
    found: dict[str, Any] = account.client("efs").describe_file_systems()["FileSystems"][0]
    return found


def file_system_policy(account: Account) -> Any:
    """EFS DescribeFileSystemPolicy."""
    found = account.client("efs").describe_file_system_policy(FileSystemId=_file_system(account)["FileSystemId"])
    return json.loads(found["Policy"])


def file_system_tags(account: Account) -> Any:
    """EFS DescribeFileSystems."""
    return _listed(_file_system(account)["Tags"])


def access_point_tags(account: Account) -> Any:
    """EFS DescribeAccessPoints."""
    return _listed(account.client("efs").describe_access_points()["AccessPoints"][0]["Tags"])


def zone_tags(account: Account) -> Any:
    """Route 53 ListTagsForResource."""
    route53 = account.client("route53")
    zone = route53.list_hosted_zones()["HostedZones"][0]["Id"].rpartition("/")[2]
    found = route53.list_tags_for_resource(ResourceType="hostedzone", ResourceId=zone)
    return _listed(found["ResourceTagSet"]["Tags"])


def function(account: Account) -> dict[str, Any]:
    """Lambda GetFunction: settings and tags."""
    client = account.client("lambda")
    found = client.get_function(FunctionName=client.list_functions()["Functions"][0]["FunctionName"])
    return found["Configuration"] | {"Tags": _own(found.get("Tags", {}))}


def custom_calls(account: Account) -> Any:
    """What the custom resource was asked last."""
    return account.calls()[-1]
