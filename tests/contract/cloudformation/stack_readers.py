"""What a service itself answers about one resource of deployed_account's template: the proof that a stack's change
arrived there and was not only written down.

Each reader takes the account. Most are one call of boto3 and where in its answer the value is (JMESPath).
"""

import json
from collections.abc import Callable
from typing import Any

import jmespath

from tests.contract.deployed_account import Account

Reader = Callable[[Account], Any]


def _reader(call: str, path: str, **parameters: Any) -> Reader:
    service, _, operation = call.partition(".")
    return lambda account: jmespath.search(path, getattr(account.client(service), operation)(**parameters))


def _tags(call: str, path: str, **parameters: Any) -> Reader:
    read = _reader(call, path, **parameters)
    return lambda account: _own({tag["Key"]: tag["Value"] for tag in read(account) or ()})


def _own(tags: dict[str, str]) -> dict[str, str]:
    """Without those that CloudFormation adds."""
    return {key: value for key, value in tags.items() if not key.startswith("aws:")}


STATE = "/x/state"
_SERVICE = [{"Name": "description", "Values": ["service"]}]
_VERSIONS = "sort_by(LaunchTemplateVersions, &VersionNumber)[].[VersionDescription || ''][]"

role = _reader("iam.get_role", "Role", RoleName="agent")
parameter = _reader("ssm.describe_parameters", f"Parameters[?Name=='{STATE}'] | [0]")
parameter_value = _reader("ssm.get_parameter", "Parameter.Value", Name=STATE)
parameter_tags = _tags("ssm.list_tags_for_resource", "TagList", ResourceType="Parameter", ResourceId=STATE)
template_tags = _tags("ec2.describe_launch_templates", "LaunchTemplates[0].Tags", LaunchTemplateNames=["service-x"])
template_versions = _reader("ec2.describe_launch_template_versions", _VERSIONS, LaunchTemplateName="service-x")
group_tags = _tags("autoscaling.describe_auto_scaling_groups", "AutoScalingGroups[0].Tags")
ingress = _reader(
    "ec2.describe_security_groups", "SecurityGroups[0].IpPermissions[].[FromPort, IpRanges[].CidrIp]", Filters=_SERVICE
)
file_system_tags = _tags("efs.describe_file_systems", "FileSystems[0].Tags")
access_point_tags = _tags("efs.describe_access_points", "AccessPoints[0].Tags")


def role_tags(account: Account) -> Any:
    """IAM ListRoleTags, which must be those of GetRole."""
    listed, told = (
        _tags(call, path, RoleName="agent")(account)
        for call, path in (("iam.list_role_tags", "Tags"), ("iam.get_role", "Role.Tags"))
    )
    assert listed == told
    return listed


def topic_tags(account: Account) -> Any:
    arn = _reader("sns.list_topics", "Topics[0].TopicArn")(account)
    return _tags("sns.list_tags_for_resource", "Tags", ResourceArn=arn)(account)


def file_system_policy(account: Account) -> Any:
    files = _reader("efs.describe_file_systems", "FileSystems[0].FileSystemId")(account)
    return json.loads(_reader("efs.describe_file_system_policy", "Policy", FileSystemId=files)(account))


def interface_tags(account: Account) -> Any:
    (found,) = (one for one in account.plane.network_interfaces() if one.address == "10.0.0.10")
    return _own(dict(found.tags))


def zone_tags(account: Account) -> Any:
    zone = _reader("route53.list_hosted_zones", "HostedZones[0].Id")(account).rpartition("/")[2]
    path = "ResourceTagSet.Tags"
    return _tags("route53.list_tags_for_resource", path, ResourceType="hostedzone", ResourceId=zone)(account)


def function(account: Account) -> dict[str, Any]:
    """Lambda GetFunction: settings and tags."""
    name = _reader("lambda.list_functions", "Functions[0].FunctionName")(account)
    found = account.client("lambda").get_function(FunctionName=name)
    return found["Configuration"] | {"Tags": _own(found.get("Tags", {}))}


def custom_calls(account: Account) -> Any:
    """What the custom resource was asked last."""
    return account.calls()[-1]
