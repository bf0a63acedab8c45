"""CloudFormation's other resource types: IAM, Logs, SNS, SSM, EFS and CloudWatch.

For: `resource_types`. Guarantees: updates change in place what AWS changes in place; the file system keeps its policy
and has an ARN, access points have ids, mount targets have addresses; alarms and dashboards are really there for
DescribeAlarms and GetDashboard. Does not: evaluate policies (moto does not either).
Source: CloudFormation resource reference.
"""

import json
from typing import Any

from botocore import xform_name

from lab.aws.cloudformation.stack_resources import (
    Deployed,
    MotoType,
    NotModelled,
    Properties,
    ResourceFailed,
    ResourceType,
    StackContext,
    WrittenType,
    goes_with_its_owner,
    physical_name,
    removed_by,
    tag_map,
)
from lab.aws.cloudformation.stack_tags import EFS_TAGS, PARAMETER_TAGS, ROLE_TAGS, TOPIC_TAGS


def _put_inline_policies(_context: StackContext, deployed: Deployed, properties: Properties) -> None:
    """moto would answer with a Python repr where they are not text."""
    for policy in properties.get("Policies", []):
        deployed.record.put_policy(policy["PolicyName"], json.dumps(policy["PolicyDocument"]))


def _change_role(context: StackContext, deployed: Deployed, new: Properties, _changed: list[str]) -> None:
    for policy in deployed.properties.get("Policies", []):
        deployed.record.policies.pop(policy["PolicyName"], None)
    _put_inline_policies(context, deployed, new)
    deployed.record.assume_role_policy_document = json.dumps(new["AssumeRolePolicyDocument"])
    deployed.record.description = new.get("Description", "")


def _change_inline_policy(context: StackContext, deployed: Deployed, new: Properties, _changed: list[str]) -> None:
    deployed.record = type(deployed.record).update_from_cloudformation_json(
        deployed.record,
        deployed.physical_resource_id,
        {"Properties": new},
        context.cloud.account_id,
        context.cloud.region,
    )


def _remove_managed_policy(context: StackContext, deployed: Deployed) -> None:
    iam = context.cloud.backend("iam")
    for role in deployed.properties.get("Roles", []):
        iam.detach_role_policy(deployed.physical_resource_id, role)
    iam.delete_policy(deployed.physical_resource_id)


class ParameterType(MotoType):
    """AWS::SSM::Parameter: tags are a map in templates, and moto expects them in the API's shape."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        tags = [{"Key": key, "Value": value} for key, value in tag_map(properties.get("Tags")).items()]
        own = {"Tags": tags, "Name": physical_name(context, logical_id, type_name, properties)}
        return super().create(context, logical_id, type_name, properties | own)


def _change_parameter(context: StackContext, deployed: Deployed, new: Properties, _changed: list[str]) -> None:
    """moto would delete and recreate it; the version counts on."""
    context.cloud.backend("ssm").put_parameter(
        name=deployed.physical_resource_id,
        description=new.get("Description", ""),
        value=new["Value"],
        parameter_type=new["Type"],
        allowed_pattern=new.get("AllowedPattern"),
        keyid=None,
        overwrite=True,
        tags=[],  # PutParameter takes none when it overwrites
        data_type=new.get("DataType", "text"),
        tier=new.get("Tier"),
        policies=None,
    )


def _put_subscription(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    """moto lacks the type. Ref is the subscription's ARN."""
    deployed.record = context.cloud.backend("sns").subscribe(
        properties["TopicArn"], properties.get("Endpoint", ""), properties["Protocol"]
    )
    deployed.physical_resource_id = deployed.record.arn


def _put_topic_policy(context: StackContext, _deployed: Deployed, properties: Properties) -> None:
    """moto lacks the type: the policy is an attribute of the topics."""
    for arn in properties["Topics"]:
        context.cloud.backend("sns").set_topic_attribute(arn, "_policy_json", properties["PolicyDocument"])


def _put_log_group(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    logs, cloud, name = context.cloud.backend("logs"), context.cloud, deployed.physical_resource_id
    tags = tag_map(properties.get("Tags"))
    if deployed.record is None:
        deployed.record = logs.create_log_group(name, tags)
        arn = f"arn:aws:logs:{cloud.region}:{cloud.account_id}:log-group:{name}:*"
        deployed.attributes = {"Arn": lambda: arn}
    deployed.record.tags = tags
    logs.put_retention_policy(name, properties.get("RetentionInDays"))


def _complete_file_system(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    _write_policy(deployed, properties)
    context.cloud.event("file-system", deployed.physical_resource_id, "created")


def _write_policy(deployed: Deployed, properties: Properties) -> None:
    policy = properties.get("FileSystemPolicy")
    deployed.record.file_system_policy = json.dumps(policy) if policy else None


def _change_file_system(_context: StackContext, deployed: Deployed, new: Properties, _changed: list[str]) -> None:
    _write_policy(deployed, new)
    deployed.record.throughput_mode = new.get("ThroughputMode", "bursting")
    deployed.record._backup = new.get("BackupPolicy", {}).get("Status") == "ENABLED"
    deployed.record.lifecycle_policies = new.get("LifecyclePolicies", [])


def _make_access_point(context: StackContext, name: str, properties: Properties) -> Any:
    point = context.cloud.backend("efs").create_access_point(
        name,
        file_system_id=properties["FileSystemId"],
        posix_user=properties.get("PosixUser", {}),
        root_directory=properties.get("RootDirectory", {}),
        tags=properties.get("AccessPointTags", []),
    )
    context.cloud.event("file-system", point.file_system_id, f"access point {point.access_point_id} created")
    return point


def _complete_mount_target(context: StackContext, deployed: Deployed, _properties: Properties) -> None:
    record = deployed.record
    context.cloud.event("file-system", record.file_system_id, f"mount target {record.ip_address} created")


# Properties of the template; moto's put_metric_alarm has them in snake case, and calls the description by one word.
_ALARM: tuple[str, ...] = ("Namespace", "MetricName", "ComparisonOperator", "EvaluationPeriods", "DatapointsToAlarm")
_ALARM += ("Period", "Threshold", "Statistic", "AlarmDescription", "Unit", "TreatMissingData")
_ALARM_LISTS = ("Dimensions", "AlarmActions", "OKActions", "InsufficientDataActions")
_NUMBERS = {"EvaluationPeriods": int, "DatapointsToAlarm": int, "Period": int, "Threshold": float}


def _put_alarm(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    """Alarms over metric maths are not modelled."""
    known = {*_ALARM, *_ALARM_LISTS, "AlarmName", "ActionsEnabled", "Tags"}
    for unknown in set(properties) - known:
        raise NotModelled(f"the lab does not model {unknown} of AWS::CloudWatch::Alarm")
    values: dict[str, Any] = {key: properties.get(key) for key in _ALARM}
    values |= {key: number(values[key]) for key, number in _NUMBERS.items() if values[key] is not None}
    values |= {key: properties.get(key, []) for key in _ALARM_LISTS}
    parameters = {xform_name(key.replace("AlarmDescription", "Description")): one for key, one in values.items()}
    enabled = str(properties.get("ActionsEnabled", True)).lower() == "true"
    alarm = context.cloud.backend("cloudwatch").put_metric_alarm(
        name=deployed.physical_resource_id, actions_enabled=enabled, tags=properties.get("Tags"), **parameters
    )
    deployed.record = alarm
    deployed.attributes = {"Arn": lambda: alarm.alarm_arn}


def _put_dashboard(context: StackContext, deployed: Deployed, properties: Properties) -> None:
    """Refused where the body is not JSON, as PutDashboard does."""
    body = properties["DashboardBody"]
    try:
        json.loads(body)
    except ValueError as error:
        raise ResourceFailed(f"The field DashboardBody must be a valid JSON object: {error}") from error
    backend = context.cloud.backend("cloudwatch")
    deployed.record = backend.put_dashboard(deployed.physical_resource_id, body)
    backend.tagger.delete_all_tags_for_resource(deployed.record.arn)
    tags = context.tags_of(deployed.logical_resource_id) | tag_map(properties.get("Tags"))
    backend.tagger.tag_resource(deployed.record.arn, [{"Key": key, "Value": value} for key, value in tags.items()])


OTHER_TYPES: dict[str, ResourceType] = {
    "AWS::IAM::Role": MotoType(
        "moto.iam.models:Role",
        tags=ROLE_TAGS,
        complete=_put_inline_policies,
        changes=("Policies", "AssumeRolePolicyDocument", "Description"),
        change=_change_role,
    ),
    "AWS::IAM::Policy": MotoType(
        "moto.iam.models:InlinePolicy", changes=("PolicyDocument",), change=_change_inline_policy
    ),
    "AWS::IAM::ManagedPolicy": MotoType("moto.iam.models:ManagedPolicy", remove=_remove_managed_policy),
    "AWS::IAM::InstanceProfile": MotoType("moto.iam.models:InstanceProfile"),
    "AWS::Logs::LogGroup": WrittenType(
        _put_log_group, removed_by("logs", "delete_log_group"), ("RetentionInDays", "Tags")
    ),
    "AWS::SNS::Topic": MotoType("moto.sns.models:Topic", tags=TOPIC_TAGS),
    "AWS::SNS::Subscription": WrittenType(_put_subscription, removed_by("sns", "unsubscribe"), ()),
    "AWS::SNS::TopicPolicy": WrittenType(_put_topic_policy, goes_with_its_owner, ("PolicyDocument",)),
    "AWS::SSM::Parameter": ParameterType(
        "moto.ssm.models:Parameter",
        tags=PARAMETER_TAGS,
        changes=("Value", "Description"),
        change=_change_parameter,
    ),
    "AWS::EFS::FileSystem": MotoType(
        "moto.efs.models:FileSystem",
        "FileSystemTags",
        tags=EFS_TAGS,
        attributes={"Arn": "file_system_arn", "FileSystemId": "file_system_id"},
        complete=_complete_file_system,
        changes=("FileSystemPolicy", "ThroughputMode", "BackupPolicy", "LifecyclePolicies"),
        change=_change_file_system,
    ),
    "AWS::EFS::AccessPoint": MotoType(
        "moto.efs.models:AccessPoint",
        "AccessPointTags",
        tags=EFS_TAGS,
        make=_make_access_point,
        ref="access_point_id",
        attributes={"Arn": "access_point_arn", "AccessPointId": "access_point_id"},
    ),
    "AWS::EFS::MountTarget": MotoType(
        "moto.efs.models:MountTarget",
        attributes={"IpAddress": "ip_address", "Id": "mount_target_id"},
        complete=_complete_mount_target,
    ),
    "AWS::CloudWatch::Alarm": WrittenType(_put_alarm, removed_by("cloudwatch", "delete_alarms", listed=True)),
    "AWS::CloudWatch::Dashboard": WrittenType(
        _put_dashboard, removed_by("cloudwatch", "delete_dashboards", listed=True)
    ),
}
