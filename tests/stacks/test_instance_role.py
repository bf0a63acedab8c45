"""Least privilege: every call of the agent is allowed, on this service's resources and nothing else."""

import ast
import json
import re
from pathlib import Path

import pytest

from stacks.inline_resource import HANDLER_SOURCE
from tests.stacks.templates import user_data

BOOTSTRAP = Path(__file__).parents[2] / "bootstrap"
DESCRIBE = re.compile(r"^(ec2|autoscaling):Describe")


def statements(template, logical_id="InstanceRole"):
    """All statements of the policies whose logical id starts so."""
    found = []
    for name, resource in template.resources.items():
        if not name.startswith(logical_id):
            continue
        if resource["Type"] == "AWS::IAM::Policy":
            found += resource["Properties"]["PolicyDocument"]["Statement"]
        if resource["Type"] == "AWS::IAM::Role":
            for policy in resource["Properties"].get("Policies", []):
                found += policy["PolicyDocument"]["Statement"]
    assert found, logical_id
    return found


def actions(statement):
    return [statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"]


def by_action(template, action, logical_id="InstanceRole"):
    return [each for each in statements(template, logical_id) if action in actions(each)]


def test_only_describing_is_allowed_on_everything_and_metrics_in_one_namespace(any_template):
    (metrics,) = by_action(any_template, "cloudwatch:PutMetricData")
    assert actions(metrics) == ["cloudwatch:PutMetricData"]
    assert metrics["Condition"] == {"StringEquals": {"cloudwatch:namespace": "soloist"}}
    for statement in statements(any_template):
        assert statement["Effect"] == "Allow"
        if statement["Resource"] == "*" and statement is not metrics:
            assert all(DESCRIBE.match(action) for action in actions(statement)), statement
        assert not any("*" in action for action in actions(statement)), statement


def test_only_interfaces_of_this_service_are_attached_and_only_to_its_instances(any_template):
    """By tag: an instance keeps its interface when a deployment replaces it, and must be able to let go of it."""
    (statement,) = by_action(any_template, "ec2:AttachNetworkInterface")
    assert statement["Condition"] == {"StringEquals": {"aws:ResourceTag/soloist:service": "monitor"}}
    resources = json.dumps(statement["Resource"])
    assert len(statement["Resource"]) == 2
    assert ":network-interface/*" in resources
    assert ":instance/*" in resources
    for interface in any_template.of_type("AWS::EC2::NetworkInterface").values():
        assert {"Key": "soloist:service", "Value": "monitor"} in interface["Properties"]["Tags"]


def test_a_former_holder_is_ended_only_where_it_is_of_this_service(any_template):
    (statement,) = by_action(any_template, "ec2:TerminateInstances")
    assert actions(statement) == ["ec2:TerminateInstances"]
    assert ":instance/*" in json.dumps(statement["Resource"])
    assert statement["Condition"] == {"StringEquals": {"aws:ResourceTag/soloist:service": "monitor"}}


@pytest.mark.parametrize("logical_id", ["InstanceRole", "RecordFirst"])
def test_only_this_a_record_may_be_created_and_deleted(template, logical_id):
    (statement,) = by_action(template, "route53:ChangeResourceRecordSets", logical_id)
    assert statement["Condition"] == {
        "ForAllValues:StringEquals": {
            "route53:ChangeResourceRecordSetsNormalizedRecordNames": ["monitor.example.internal"],
            "route53:ChangeResourceRecordSetsRecordTypes": ["A"],
            "route53:ChangeResourceRecordSetsActions": ["CREATE", "DELETE"],
        }
    }
    (zone,) = template.of_type("AWS::Route53::HostedZone")
    assert json.dumps({"Ref": zone}) in json.dumps(statement["Resource"])


def test_lifecycle_calls_are_limited_to_the_group(any_template):
    (statement,) = by_action(any_template, "autoscaling:CompleteLifecycleAction")
    assert set(actions(statement)) == {
        "autoscaling:CompleteLifecycleAction",
        "autoscaling:RecordLifecycleActionHeartbeat",
        "autoscaling:SetInstanceHealth",
    }
    assert ":autoScalingGroup:*:autoScalingGroupName/soloist-monitor" in json.dumps(statement["Resource"])


def test_the_file_system_is_reached_through_a_mount_target_and_its_two_access_points_only(any_template):
    policies = any_template.of_type("AWS::IAM::Policy").values()
    found = [each for policy in policies for each in policy["Properties"]["PolicyDocument"]["Statement"]]
    (statement,) = [each for each in found if "elasticfilesystem:ClientMount" in actions(each)]
    assert statement in statements(any_template)
    assert set(statement["Action"]) == {f"elasticfilesystem:Client{verb}" for verb in ("Mount", "Write", "RootAccess")}
    named = statement["Condition"]["StringEquals"]["elasticfilesystem:AccessPointArn"]
    assert len(named) == 2
    assert "*" not in json.dumps(named)
    for access_point in any_template.of_type("AWS::EFS::AccessPoint"):
        assert json.dumps({"Ref": access_point}) in json.dumps(named)
    assert statement["Condition"]["Bool"] == {"elasticfilesystem:AccessedViaMountTarget": "true"}


def test_state_and_topic_are_this_services(any_template):
    (state,) = by_action(any_template, "ssm:PutParameter")
    assert ":parameter/soloist/monitor/state" in json.dumps(state["Resource"])
    read = [json.dumps(each["Resource"]) for each in by_action(any_template, "ssm:GetParameter")]
    assert [":parameter/soloist/monitor/site" in one for one in read] == [False, True]
    (publish,) = by_action(any_template, "sns:Publish")
    (topic,) = any_template.of_type("AWS::SNS::Topic")
    assert publish["Resource"] == {"Ref": topic}


def test_secrets_of_webhooks_are_read_and_the_instance_is_told_of_them(synth):
    webhooks = [{"url": "https://a.example/", "secret_parameter": "/demo/hook"}, {"url": "https://b.example/"}]
    template = synth("one zone", webhooks=webhooks)
    secrets = [json.dumps(each["Resource"]) for each in by_action(template, "ssm:GetParameter")][2:]
    assert [text.count(":parameter/demo/hook") for text in secrets] == [1]
    (launch_template,) = template.of_type("AWS::EC2::LaunchTemplate").values()
    assert "https://b.example/" in json.dumps(launch_template)


def test_the_custom_resources_may_do_their_one_thing_and_write_their_log(any_template):
    suspend = {action for each in statements(any_template, "InstanceGroupSuspended") for action in actions(each)}
    assert suspend == {"autoscaling:SuspendProcesses", "logs:CreateLogStream", "logs:PutLogEvents"}
    record = {action for each in statements(any_template, "RecordFirst") for action in actions(each)}
    assert record == {
        "route53:ListResourceRecordSets",
        "route53:ChangeResourceRecordSets",
        "logs:CreateLogStream",
        "logs:PutLogEvents",
    }


def test_the_roles_are_for_ec2_and_lambda(any_template):
    for name, role in any_template.of_type("AWS::IAM::Role").items():
        (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        expected = "ec2.amazonaws.com" if name.startswith("InstanceRole") else "lambda.amazonaws.com"
        assert trust["Principal"] == {"Service": expected}


def agent_calls():
    """Every AWS call in the agent's sources, as an IAM action."""
    call = re.compile(r"_clients\.(\w+)\(\)\s*\.(\w+)\(")
    found = set()
    for source in BOOTSTRAP.glob("**/*.py"):
        for service, method in call.findall(source.read_text(encoding="utf-8")):
            found.add(f"{service}:{''.join(part.capitalize() for part in method.split('_'))}")
    return found


def test_every_call_of_the_agent_is_allowed(synth):
    calls = agent_calls()
    assert "ec2:AttachNetworkInterface" in calls, "the pattern no longer finds the agent's calls"
    allowed = {action for each in statements(synth(logs={"cloudwatch": True})) for action in actions(each)}
    assert calls <= allowed, f"the role lacks {sorted(calls - allowed)}"


def test_the_log_group_is_an_option_with_two_actions_on_its_streams_and_the_instance_is_told(synth, template):
    copied = synth(logs={"cloudwatch": True, "retention_days": 90})
    assert set(copied.resources) - set(template.resources) == {"Log"}
    properties = copied.resources["Log"]["Properties"]
    assert (properties["LogGroupName"], properties["RetentionInDays"]) == ("/soloist/monitor", 90)
    (more,) = [each for each in statements(copied) if each not in statements(template)]
    assert actions(more) == ["logs:CreateLogStream", "logs:PutLogEvents"]
    assert json.dumps(more["Resource"]).count(":log-group:/soloist/monitor:*") == 1
    (group,) = copied.of_type("AWS::AutoScaling::AutoScalingGroup")
    assert "Log" in copied.before(group), "no instance boots before its log group is there"
    assert '"copies_log":false' in user_data(template)
    assert '"copies_log":true' in user_data(copied)


def test_session_manager_is_an_option_that_adds_its_own_five_actions(synth, template):
    allowed = [
        {(action, json.dumps(each["Resource"])) for each in statements(one) for action in actions(each)}
        for one in (template, synth(instance={"session_manager": True}))
    ]
    assert allowed[0] < allowed[1]
    assert allowed[1] - allowed[0] == {
        (action, '"*"')
        for action in (
            "ssm:UpdateInstanceInformation",
            "ssmmessages:CreateControlChannel",
            "ssmmessages:CreateDataChannel",
            "ssmmessages:OpenControlChannel",
            "ssmmessages:OpenDataChannel",
        )
    }


def functions_and_names(source):
    """What a source defines, and every name that it uses."""
    nodes = list(ast.walk(ast.parse(source)))
    functions = {one.name for one in nodes if isinstance(one, ast.FunctionDef)}
    return functions, {one.id for one in nodes if isinstance(one, ast.Name)}


def test_each_custom_resource_has_of_the_handler_what_it_needs_and_no_more(any_template):
    whole, _ = functions_and_names(HANDLER_SOURCE.read_text(encoding="utf-8"))
    sources = {one["Properties"]["Code"]["ZipFile"] for one in any_template.of_type("AWS::Lambda::Function").values()}
    found = [functions_and_names(source) for source in sources]
    assert {"service_record", "suspended_processes"} <= set.union(*(functions for functions, _ in found))
    for functions, names in found:
        assert functions == (whole & names) | {"on_event"} != whole
