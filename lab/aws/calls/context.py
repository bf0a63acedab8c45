"""What IAM would know of a call: the resources it is about and the condition keys of the request.

For: the call log. Guarantees: every resource that the parameters name is there with its ARN, tags and, for EC2, the
keys that policies commonly test; read from the control plane's state before the call changes it. An attachment stands
for its instance and its network interface. Does not: know which of these AWS demands for an action - the policy check
knows that from the Service Authorization Reference, and fails where one is missing here.
Sources: Service Authorization Reference (ARN formats, condition keys of each service); IAM user guide "AWS global
condition context keys"; Route 53 developer guide "Using IAM policy conditions for fine-grained access control".
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from lab.aws.autoscaling.state import AutoScaling
from lab.aws.calls.request import ApiRequest
from lab.aws.core.call_log import Caller, Keys, Resource
from lab.aws.core.cloud import Cloud
from lab.aws.ec2.state import Ec2
from lab.aws.ec2.views import tags_of


def operator(cloud: Cloud, access_key: str) -> Caller:
    """The caller behind an access key that the lab did not issue."""
    return Caller(kind="operator", arn=f"arn:aws:iam::{cloud.account_id}:user/{access_key or 'anonymous'}")


def resources_of(cloud: Cloud, request: ApiRequest) -> tuple[Resource, ...]:
    """Every resource the parameters name, each once, in order. Call under the lock."""
    reader = _READERS.get(request.service)
    found = {resource.arn: resource for resource in reader(cloud, request.parameters)} if reader is not None else {}
    return tuple(found.values())


def request_keys(cloud: Cloud, request: ApiRequest, caller: Caller) -> Keys:
    """The condition keys of the request as a whole."""
    is_role = caller.kind != "operator"
    keys: Keys = {
        "aws:PrincipalArn": principal_arn(caller),
        "aws:PrincipalAccount": cloud.account_id,
        "aws:PrincipalType": "AssumedRole" if is_role else "User",
        "aws:RequestedRegion": cloud.region,
        "aws:SecureTransport": "true",  # AWS's endpoints, for which the lab's plain HTTP stands, are called with TLS
    }
    if caller.instance_id:
        keys["ec2:SourceInstanceARN"] = _arn(cloud, "ec2", f"instance/{caller.instance_id}")
    if request.service == "ec2":
        keys["ec2:Region"] = cloud.region
    keys |= _tags_asked_for(request.parameters)
    own = _OWN_KEYS.get(request.action)
    return keys | (own(request.parameters) if own is not None else {})


def principal_arn(caller: Caller) -> str:
    """What aws:PrincipalArn holds: the role, not the session, of an assumed role."""
    if ":assumed-role/" not in caller.arn:
        return caller.arn
    head, _, tail = caller.arn.partition(":assumed-role/")
    return f"{head.replace(':sts:', ':iam:')}:role/{tail.partition('/')[0]}"


# -------------------------------------------------------------------- resources, service by service
def _arn(cloud: Cloud, service: str, rest: str) -> str:
    return f"arn:aws:{service}:{cloud.region}:{cloud.account_id}:{rest}"


def _each(parameters: Mapping[str, Any], *names: str) -> Iterator[str]:
    for name in names:
        value = parameters.get(name)
        yield from (str(one) for one in (value if isinstance(value, list) else [value]) if one)


def _tag_keys(tags: Mapping[str, str], *prefixes: str) -> Keys:
    return {f"{prefix}/{key}": value for key, value in tags.items() for prefix in prefixes}


_EC2_NAMES = {
    "ImageId": "image",
    "SubnetId": "subnet",
    "VpcId": "vpc",
    "GroupId": "security-group",
    "Groups": "security-group",
    "RouteTableId": "route-table",
    "VolumeId": "volume",
}


def _ec2(cloud: Cloud, parameters: Mapping[str, Any]) -> Iterator[Resource]:
    attachment_ids = [*_each(parameters, "AttachmentId"), *_each(parameters.get("Attachment") or {}, "AttachmentId")]
    held = {one.attachment_id: (eni_id, one.instance_id) for eni_id, one in Ec2.of(cloud).attachments.items()}
    pairs = [held[attachment_id] for attachment_id in attachment_ids if attachment_id in held]
    for instance_id in [*_each(parameters, "InstanceId", "InstanceIds"), *(pair[1] for pair in pairs)]:
        yield _instance(cloud, instance_id)
    for eni_id in [*_each(parameters, "NetworkInterfaceId", "NetworkInterfaceIds"), *(pair[0] for pair in pairs)]:
        yield _network_interface(cloud, eni_id)
    for name in _each(parameters, "LaunchTemplateId", "LaunchTemplateName"):
        yield _launch_template(cloud, name)
    for parameter, kind in _EC2_NAMES.items():
        for resource_id in _each(parameters, parameter):
            yield Resource(arn=_arn(cloud, "ec2", f"{kind}/{resource_id}"))


def _instance(cloud: Cloud, instance_id: str) -> Resource:
    arn = _arn(cloud, "ec2", f"instance/{instance_id}")
    record: Any = cloud.backend("ec2").get_instance_by_id(instance_id)
    if record is None:
        return Resource(arn=arn)
    own: Keys = {
        "ec2:AvailabilityZone": record.placement.zone,
        "ec2:InstanceID": instance_id,
        "ec2:InstanceType": record.instance_type,
        "ec2:MetadataHttpTokens": record.metadata_options.http_tokens,
    }
    association = cloud.backend("ec2").iam_instance_profile_associations.get(instance_id)
    if association is not None:
        own["ec2:InstanceProfile"] = association.iam_instance_profile.arn
    return Resource(arn=arn, keys=own | _ec2_tags(record))


def _network_interface(cloud: Cloud, eni_id: str) -> Resource:
    arn = _arn(cloud, "ec2", f"network-interface/{eni_id}")
    record: Any = cloud.backend("ec2").enis.get(eni_id)
    if record is None:
        return Resource(arn=arn)
    own: Keys = {
        "ec2:AvailabilityZone": record.subnet.availability_zone,
        "ec2:NetworkInterfaceID": eni_id,
        "ec2:Subnet": _arn(cloud, "ec2", f"subnet/{record.subnet.id}"),
        "ec2:Vpc": _arn(cloud, "ec2", f"vpc/{record.subnet.vpc_id}"),
    }
    return Resource(arn=arn, keys=own | _ec2_tags(record))


def _launch_template(cloud: Cloud, name: str) -> Resource:
    record = next((one for one in cloud.backend("ec2").launch_templates.values() if name in (one.id, one.name)), None)
    if record is None:
        return Resource(arn=_arn(cloud, "ec2", f"launch-template/{name}"))
    return Resource(arn=_arn(cloud, "ec2", f"launch-template/{record.id}"), keys=_ec2_tags(record))


def _ec2_tags(record: Any) -> Keys:
    return _tag_keys(tags_of(record), "aws:ResourceTag", "ec2:ResourceTag")


def _autoscaling(cloud: Cloud, parameters: Mapping[str, Any]) -> Iterator[Resource]:
    instance_ids = set(_each(parameters, "InstanceId", "InstanceIds"))
    names = {*_each(parameters, "AutoScalingGroupName", "AutoScalingGroupNames")}
    names |= {name for name, group in AutoScaling.of(cloud).groups.items() if instance_ids & set(group.members)}
    for name in sorted(names):
        if name in AutoScaling.of(cloud).groups:
            record = AutoScaling.of(cloud).groups[name].record
            tags = {tag["Key"]: tag["Value"] for tag in record.tags}
            yield Resource(arn=record.arn, keys=_tag_keys(tags, "aws:ResourceTag", "autoscaling:ResourceTag"))
        else:
            yield Resource(arn=_arn(cloud, "autoscaling", f"autoScalingGroup:none:autoScalingGroupName/{name}"))


def _cloudformation(cloud: Cloud, parameters: Mapping[str, Any]) -> Iterator[Resource]:
    for name in _each(parameters, "StackName"):
        known = (one for one in cloud.backend("cloudformation").stacks.values() if name in (one.name, one.stack_id))
        stack = next(known, None)
        if stack is None:
            yield Resource(arn=name if name.startswith("arn:") else _arn(cloud, "cloudformation", f"stack/{name}/none"))
        else:
            yield Resource(arn=stack.stack_id, keys=_tag_keys(stack.tags or {}, "aws:ResourceTag"))


def _route53(_cloud: Cloud, parameters: Mapping[str, Any]) -> Iterator[Resource]:
    for value in _each(parameters, "HostedZoneId", "Id"):
        kind, _, name = value.lstrip("/").rpartition("/")
        yield Resource(arn=f"arn:aws:route53:::{kind or 'hostedzone'}/{name}")


def _ssm(cloud: Cloud, parameters: Mapping[str, Any]) -> Iterator[Resource]:
    for name in _each(parameters, "Name", "Names", "Path"):
        if name.startswith("arn:"):
            yield Resource(arn=name)
        else:
            yield Resource(arn=_arn(cloud, "ssm", f"parameter/{name.partition(':')[0].lstrip('/')}"))


def _simple(service: str, **kinds: str) -> Callable[[Cloud, Mapping[str, Any]], Iterator[Resource]]:
    """A reader for resources named by one parameter each; `{}` in a kind stands for the name."""

    def read(cloud: Cloud, parameters: Mapping[str, Any]) -> Iterator[Resource]:
        for parameter, kind in kinds.items():
            for name in _each(parameters, parameter):
                yield Resource(arn=name if name.startswith("arn:") else _arn(cloud, service, kind.format(name)))

    return read


def _lambda(cloud: Cloud, parameters: Mapping[str, Any]) -> Iterator[Resource]:
    """A function is named by its name, its ARN, or the end of its ARN from the account on."""
    for name in _each(parameters, "FunctionName"):
        yield Resource(
            arn=name if name.startswith("arn:") else _arn(cloud, "lambda", f"function:{name.split(':')[-1]}")
        )


_alarms = _simple("cloudwatch", AlarmName="alarm:{}", AlarmNames="alarm:{}")


def _cloudwatch(cloud: Cloud, parameters: Mapping[str, Any]) -> Iterator[Resource]:
    """Metrics are data of no resource, only of a namespace (CloudWatch user guide, "Using condition keys to limit
    access to CloudWatch namespaces"); the resource that they may name, a dataset, is not modelled."""
    if parameters.get("MetricData") or parameters.get("MetricDataQueries"):
        yield Resource(arn="*")
    yield from _alarms(cloud, parameters)


def _logs(cloud: Cloud, parameters: Mapping[str, Any]) -> Iterator[Resource]:
    """A stream is named within its group (Service Authorization Reference, Amazon CloudWatch Logs)."""
    group, stream = parameters.get("logGroupName"), parameters.get("logStreamName")
    if group:
        inner = f":log-stream:{stream}" if stream else ""
        yield Resource(arn=_arn(cloud, "logs", f"log-group:{group}{inner}"))


_READERS: dict[str, Callable[[Cloud, Mapping[str, Any]], Iterator[Resource]]] = {
    "autoscaling": _autoscaling,
    "cloudformation": _cloudformation,
    "cloudwatch": _cloudwatch,
    "ec2": _ec2,
    "elasticfilesystem": _simple("elasticfilesystem", FileSystemId="file-system/{}", AccessPointId="access-point/{}"),
    "lambda": _lambda,
    "logs": _logs,
    "route53": _route53,
    "sns": _simple("sns", TopicArn="{}", TargetArn="{}"),
    "ssm": _ssm,
    "sts": _simple("sts", RoleArn="{}"),
}


# -------------------------------------------------------------------- keys of single actions
def _tags_asked_for(parameters: Mapping[str, Any]) -> Keys:
    lists = [parameters.get("Tags"), *(one.get("Tags") for one in parameters.get("TagSpecifications") or [])]
    tags = {tag["Key"]: str(tag.get("Value", "")) for tags in lists if isinstance(tags, list) for tag in tags}
    return _tag_keys(tags, "aws:RequestTag") | {"aws:TagKeys": list(tags)} if tags else {}


def _changed_records(parameters: Mapping[str, Any]) -> Keys:
    changes = (parameters.get("ChangeBatch") or {}).get("Changes") or []
    records = [change["ResourceRecordSet"] for change in changes]
    asked = {
        "Actions": [change["Action"] for change in changes],
        "NormalizedRecordNames": [record["Name"].lower().rstrip(".") for record in records],
        "RecordTypes": [record["Type"] for record in records],
    }
    return {f"route53:ChangeResourceRecordSets{key}": list(dict.fromkeys(values)) for key, values in asked.items()}


_OWN_KEYS: dict[str, Callable[[Mapping[str, Any]], Keys]] = {
    "cloudwatch:PutMetricData": lambda parameters: {"cloudwatch:namespace": str(parameters.get("Namespace", ""))},
    "route53:ChangeResourceRecordSets": _changed_records,
    "ssm:PutParameter": lambda parameters: {"ssm:Overwrite": "true" if parameters.get("Overwrite") else "false"},
}
