"""The call log: who asked for what, with what IAM's conditions would see, and what came of it."""

from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.aws.calls.context import principal_arn
from lab.aws.calls.recording import Answer, recording
from lab.aws.calls.request import ApiRequest
from lab.aws.core.call_log import NO_ANSWER, OK, Call, Caller, read_calls
from lab.aws.core.credentials import new_credentials
from tests.kit.three_zones import REGION, ZONES, ThreeZones, client, session

EC2 = f"arn:aws:ec2:{REGION}:123456789012"


def last(zones: ThreeZones, action: str) -> Call:
    """The newest call of this action."""
    return [call for call in zones.aws.calls.calls() if call.action == action][-1]


def test_an_attachment_is_about_instance_and_interface_with_the_tags_of_each(zones: ThreeZones) -> None:
    instance, interface = zones.run(ZONES[1]), zones.interfaces[ZONES[1]]
    zones.ec2.create_tags(Resources=[interface], Tags=[{"Key": "soloist:service", "Value": "x"}])
    zones.attach(interface, instance)
    call = last(zones, "ec2:AttachNetworkInterface")
    on_instance, on_interface = call.resources
    assert (on_instance.arn, on_interface.arn) == (f"{EC2}:instance/{instance}", f"{EC2}:network-interface/{interface}")
    assert on_interface.keys["aws:ResourceTag/soloist:service"] == "x"
    assert on_interface.keys["ec2:ResourceTag/soloist:service"] == "x"
    assert "aws:ResourceTag/soloist:service" not in on_instance.keys
    assert on_instance.keys["ec2:AvailabilityZone"] == on_interface.keys["ec2:AvailabilityZone"] == ZONES[1]
    assert (call.outcome, call.caller.kind) == (OK, "operator")


def test_an_attachment_id_stands_for_what_it_holds_as_it_was_before_the_call(zones: ThreeZones) -> None:
    instance, interface = zones.run(), zones.interfaces[ZONES[0]]
    attachment = zones.attach(interface, instance)
    zones.aws.advance(5)
    zones.ec2.modify_network_interface_attribute(
        NetworkInterfaceId=interface, Attachment={"AttachmentId": attachment, "DeleteOnTermination": False}
    )
    zones.ec2.detach_network_interface(AttachmentId=attachment)
    both = {f"{EC2}:instance/{instance}", f"{EC2}:network-interface/{interface}"}
    for action in ("ec2:ModifyNetworkInterfaceAttribute", "ec2:DetachNetworkInterface"):
        assert {resource.arn for resource in last(zones, action).resources} == both


def test_describing_names_what_was_asked_for_only(zones: ThreeZones) -> None:
    zones.ec2.describe_instances()
    assert last(zones, "ec2:DescribeInstances").resources == ()


def test_a_refusal_is_noted_with_its_code_and_what_was_asked(zones: ThreeZones) -> None:
    instance = zones.run(ZONES[0])
    with pytest.raises(ClientError):
        zones.attach(zones.interfaces[ZONES[1]], instance)
    call = last(zones, "ec2:AttachNetworkInterface")
    assert call.outcome == "InvalidParameterCombination"
    assert len(call.resources) == 2


def test_a_batch_of_records_is_names_types_and_actions(zones: ThreeZones) -> None:
    zone = zones.route53.create_hosted_zone(Name="lab.internal", CallerReference="1")["HostedZone"]["Id"]

    def change(action: str, address: str) -> dict[str, Any]:
        values = [{"Value": address}]
        record = {"Name": "Monitor.LAB.internal.", "Type": "A", "TTL": 10, "ResourceRecords": values}
        return {"Action": action, "ResourceRecordSet": record}

    for changes in ([change("CREATE", "10.0.0.1")], [change("DELETE", "10.0.0.1"), change("CREATE", "10.0.0.2")]):
        zones.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": changes})
    call = last(zones, "route53:ChangeResourceRecordSets")
    assert [resource.arn for resource in call.resources] == [f"arn:aws:route53:::{zone.lstrip('/')}"]
    own = {key.removeprefix("route53:ChangeResourceRecordSets"): value for key, value in call.keys.items()}
    assert own["Actions"] == ["DELETE", "CREATE"]
    assert own["NormalizedRecordNames"] == ["monitor.lab.internal"]
    assert own["RecordTypes"] == ["A"]


def test_an_instance_id_alone_stands_for_its_group(zones: ThreeZones) -> None:
    zones.group(Tags=[{"Key": "soloist:service", "Value": "x", "PropagateAtLaunch": True}])
    zones.aws.advance(30)
    zones.autoscaling.set_instance_health(InstanceId=zones.member().instance_id, HealthStatus="Healthy")
    (group,) = last(zones, "autoscaling:SetInstanceHealth").resources
    assert group.arn.endswith(":autoScalingGroupName/one")
    assert group.keys["aws:ResourceTag/soloist:service"] == "x"


@pytest.mark.parametrize("name", ["/soloist/x/state", "plain"])
def test_a_parameters_arn_has_one_slash(zones: ThreeZones, name: str) -> None:
    client("ssm").put_parameter(Name=name, Value="1", Type="String", Overwrite=True)
    call = last(zones, "ssm:PutParameter")
    (parameter,) = call.resources
    assert parameter.arn == f"arn:aws:ssm:{REGION}:123456789012:parameter/{name.lstrip('/')}"
    assert call.keys["ssm:Overwrite"] == "true"


def test_services_are_named_as_iam_names_them(zones: ThreeZones) -> None:
    client("efs").describe_file_systems()
    client("cloudwatch").put_metric_data(Namespace="soloist", MetricData=[{"MetricName": "Ready", "Value": 1}])
    assert last(zones, "elasticfilesystem:DescribeFileSystems").outcome == OK
    assert last(zones, "cloudwatch:PutMetricData").keys["cloudwatch:namespace"] == "soloist"


@pytest.mark.parametrize(
    "name", ["watch", "123456789012:function:watch", f"arn:aws:lambda:{REGION}:123456789012:function:watch"]
)
def test_an_invocation_is_asked_of_iam_as_invoke_function_on_the_functions_arn(zones: ThreeZones, name: str) -> None:
    with pytest.raises(ClientError, match="Function not found"):
        client("lambda").invoke(FunctionName=name, Payload=b"{}")
    call = last(zones, "lambda:InvokeFunction")
    assert [one.arn for one in call.resources] == [f"arn:aws:lambda:{REGION}:123456789012:function:watch"]
    assert call.outcome == "ResourceNotFoundException"


def test_console_output_is_about_its_instance_and_its_tags(zones: ThreeZones) -> None:
    instance = zones.run()
    zones.ec2.create_tags(Resources=[instance], Tags=[{"Key": "soloist:service", "Value": "x"}])
    zones.ec2.get_console_output(InstanceId=instance, Latest=True)
    (found,) = last(zones, "ec2:GetConsoleOutput").resources
    assert found.arn == f"arn:aws:ec2:{REGION}:123456789012:instance/{instance}"
    assert found.keys["aws:ResourceTag/soloist:service"] == "x"


def test_metric_data_sent_or_asked_for_are_about_no_resource(zones: ThreeZones) -> None:
    cloudwatch = client("cloudwatch")
    cloudwatch.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1.0}])
    stat = {"Metric": {"Namespace": "n", "MetricName": "m"}, "Period": 60, "Stat": "Sum"}
    cloudwatch.get_metric_data(
        MetricDataQueries=[{"Id": "a", "MetricStat": stat}], StartTime=1_800_000_000, EndTime=1_800_000_300
    )
    for action in ("cloudwatch:PutMetricData", "cloudwatch:GetMetricData"):
        assert [resource.arn for resource in last(zones, action).resources] == ["*"]


def test_tags_asked_for_are_keys_of_the_request(zones: ThreeZones) -> None:
    tags = [{"Key": "owner", "Value": "me"}]
    zones.ec2.create_security_group(
        GroupName="g", Description="g", TagSpecifications=[{"ResourceType": "security-group", "Tags": tags}]
    )
    keys = last(zones, "ec2:CreateSecurityGroup").keys
    assert (keys["aws:RequestTag/owner"], keys["aws:TagKeys"]) == ("me", ["owner"])


def test_the_caller_is_known_by_the_credentials(zones: ThreeZones) -> None:
    arn = "arn:aws:sts::123456789012:assumed-role/agent/i-0123"
    given = new_credentials(zones.aws.cloud, Caller(kind="instance-role", arn=arn, instance_id="i-0123"))
    assert given.access_key_id.startswith("ASIA")
    make: Any = session().client
    make("ec2", aws_access_key_id=given.access_key_id, aws_secret_access_key="x").describe_vpcs()
    call = last(zones, "ec2:DescribeVpcs")
    assert (call.caller.kind, call.caller.instance_id, call.caller.arn) == ("instance-role", "i-0123", arn)
    assert call.keys["aws:PrincipalArn"] == "arn:aws:iam::123456789012:role/agent"
    assert call.keys["ec2:SourceInstanceARN"] == f"{EC2}:instance/i-0123"


def test_the_principal_of_a_user_is_the_user() -> None:
    arn = "arn:aws:iam::123456789012:user/me"
    assert principal_arn(Caller(kind="operator", arn=arn)) == arn


def test_lines_read_back_are_the_calls(zones: ThreeZones, tmp_path: Path) -> None:
    path = tmp_path / "run" / "calls.jsonl"
    zones.ec2.describe_vpcs()
    zones.aws.calls.keep_in(path)
    zones.ec2.describe_subnets()
    assert read_calls(path) == zones.aws.calls.calls()
    assert path.read_text().splitlines()[-1].startswith('{"action":"ec2:DescribeSubnets"')


def test_what_was_never_answered_says_so(zones: ThreeZones) -> None:
    cloud = zones.aws.cloud
    with pytest.raises(ConnectionError), recording(cloud, "POST", "http://x/", {}, b"Action=DescribeVpcs"):
        raise ConnectionError
    assert cloud.calls.calls()[-1].outcome == NO_ANSWER


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (200, b"<Code>NotAnError</Code>", OK),
        (400, b"<Errors><Error><Code>InvalidX.Y</Code></Error></Errors>", "InvalidX.Y"),
        (400, '{"__type": "com.amazonaws.ssm#ParameterNotFound"}', "ParameterNotFound"),
        (404, [b'{"__type":', b'"FileSystemNotFound"}'], "FileSystemNotFound"),
        (500, b"nothing", "HTTP 500"),
    ],
)
def test_the_outcome_is_the_error_code(status: int, body: Any, outcome: str) -> None:
    answer = Answer(ApiRequest(access_key="", service="ec2", operation="DescribeVpcs"))
    answer.take(status, body)
    assert answer.outcome == outcome
