"""Every call of `soloist status`, `promote` and `rollback` against the two managed policies that the synthesized
template makes, as deployed; then calls that they must refuse, and the same calls with a policy broken on purpose."""

import copy
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from typer.testing import CliRunner

from lab.aws import FAST, ControlPlane, NoMachines
from lab.aws.core.call_log import Call, Resource
from lab.play.deployment import deploy
from lab.play.synthesis import Template
from lab.policies.check import ungranted, unused
from lab.policies.evaluator import Judgement, evaluate
from lab.policies.roles import Role, holder_of
from rollout.cli import app
from tests.contract.deployed_account import ONE, TWO
from tests.kit.lab_clients import client

KEY = "AKIASOLOISTCOMMAND"  # so that the command's calls are told apart from the test's own
GROUP = "soloist-influxdb"
NEVER_READY = ("--deadline-s", "0")  # no machine runs an agent here; exit code 5 says that all else was done
ARN = "arn:aws:{}:us-east-1:123456789012:{}"


class Commands:
    """The commands of an operator, the calls they made, and who may make them."""

    def __init__(self, plane: ControlPlane) -> None:
        self._plane = plane
        outputs = self.client("cloudformation").describe_stacks(StackName=GROUP)["Stacks"][0]["Outputs"]
        arns = {one["OutputKey"]: one["OutputValue"] for one in outputs}
        iam = self.client("iam")
        self.status = holder_of(iam, "Status", [arns["StatusPolicyArn"]])
        self.promote = holder_of(iam, "Promote", [arns["StatusPolicyArn"], arns["PromotePolicyArn"]])
        self.calls: dict[str, list[Call]] = {}

    def client(self, service: str) -> Any:
        return client(self._plane, service)

    def run(self, expected: int, *arguments: str) -> None:
        """Run the command. Its calls are kept under its name."""
        before = len(self._plane.calls.calls())
        answer = CliRunner().invoke(app, list(arguments))
        assert answer.exit_code == expected, answer.output
        made = [one for one in self._plane.calls.calls()[before:] if one.caller.arn.endswith(f"/{KEY}")]
        self.calls.setdefault(arguments[0], []).extend(made)

    def judged(self, holder: Role, *commands: str) -> list[Judgement]:
        return evaluate([(holder, call) for command in commands for call in self.calls[command]])


@pytest.fixture(scope="module")
def commands(synthesized: Callable[[str], Template]) -> Iterator[Commands]:
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0) as plane, pytest.MonkeyPatch.context() as patch:
        for image in (ONE, TWO):
            plane.register_image(image, image)
            deploy(client(plane, "cloudformation"), synthesized(image))
        for name, value in {
            "AWS_ENDPOINT_URL": plane.endpoint_url,
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": "secret",
        }.items():
            patch.setenv(name, value)
        patch.delenv("AWS_SESSION_TOKEN", raising=False)
        patch.setattr(boto3, "DEFAULT_SESSION", None)  # it keeps the credentials of whoever asked first
        made = Commands(plane)
        made.run(0, "status", "influxdb")
        made.run(5, "promote", "influxdb", *NEVER_READY)
        template = made.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]["LaunchTemplate"]
        other = {"LaunchTemplateId": template["LaunchTemplateId"], "Version": "1"}
        made.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=GROUP, LaunchTemplate=other)
        made.run(0, "promote", "influxdb", "--no-replace")  # somebody moved the group: it is moved back
        made.run(5, "rollback", "influxdb", *NEVER_READY)
        made.run(0, "pause", "influxdb", "--for", "2h", "--why", "index rebuild")
        made.run(0, "resume", "influxdb")
        made.run(0, "clear", "influxdb")
        yield made
        assert plane.errors == []


def test_every_call_of_a_command_is_granted_by_its_policy(commands: Commands) -> None:
    assert ungranted(commands.judged(commands.status, "status")) == []
    assert ungranted(commands.judged(commands.promote, "promote", "rollback", "pause", "resume", "clear")) == []
    made = {call.action for command in ("promote", "rollback") for call in commands.calls[command]}
    assert {"autoscaling:UpdateAutoScalingGroup", "ec2:RunInstances", "iam:PassRole"} <= made, "what AWS asks besides"


def test_no_grant_is_unused(commands: Commands) -> None:
    assert unused(commands.judged(commands.status, "status"), [commands.status], []) == []
    judged = commands.judged(commands.promote, "status", "promote", "rollback", "pause", "resume", "clear")
    assert unused(judged, [commands.promote], []) == []


def test_whoever_may_only_look_at_the_state_changes_nothing(commands: Commands) -> None:
    refused = {one.call.action for one in commands.judged(commands.status, "promote") if not one.is_granted}
    assert refused == {
        "autoscaling:TerminateInstanceInAutoScalingGroup",
        "autoscaling:UpdateAutoScalingGroup",
        "cloudformation:UpdateStack",
        "ec2:DescribeInstanceTypes",
        "ec2:ModifyLaunchTemplate",
        "ec2:RunInstances",
        "iam:PassRole",
        "ssm:GetParameter",
        "ssm:PutParameter",
    }


@pytest.mark.parametrize(
    ("action", "resource", "keys"),
    [
        ("cloudformation:UpdateStack", ARN.format("cloudformation", "stack/soloist-other/1"), {}),
        ("cloudformation:UpdateStack", ARN.format("cloudformation", "stack/soloist-influxdb2/1"), {}),
        ("ec2:ModifyLaunchTemplate", ARN.format("ec2", "launch-template/lt-0123456789abcdef0"), {}),
        (
            "autoscaling:TerminateInstanceInAutoScalingGroup",
            ARN.format("autoscaling", "autoScalingGroup:1:autoScalingGroupName/soloist-other"),
            {},
        ),
        ("ssm:PutParameter", ARN.format("ssm", "parameter/soloist/other/rollouts"), {}),
        ("ssm:PutParameter", ARN.format("ssm", "parameter/soloist/influxdb/site"), {}),
        ("iam:PassRole", "", {"iam:PassedToService": "lambda.amazonaws.com"}),
        ("iam:PassRole", "arn:aws:iam::123456789012:role/Admin", {}),
        ("ec2:RunInstances", "", {"ec2:LaunchTemplate": ARN.format("ec2", "launch-template/lt-0123456789abcdef0")}),
    ],
)
def test_a_call_on_what_belongs_to_others_is_refused(
    commands: Commands, action: str, resource: str, keys: dict[str, Any]
) -> None:
    call = next(one for one in commands.calls["promote"] if one.action == action)
    resources = (Resource(arn=resource),) if resource else call.resources
    (judged,) = evaluate([(commands.promote, replace(call, resources=resources, keys=call.keys | keys))])
    assert not judged.is_granted


@pytest.mark.parametrize("action", ["ec2:TerminateInstances", "cloudformation:DeleteStack", "ec2:CreateLaunchTemplate"])
def test_an_action_that_no_command_needs_is_refused(commands: Commands, action: str) -> None:
    named = (ARN.format("ec2", "instance/i-1"), ARN.format("cloudformation", f"stack/{GROUP}/1"))
    template = next(one for one in commands.calls["promote"] if one.action == "ec2:ModifyLaunchTemplate")
    resources = (*(Resource(arn=arn) for arn in named), *template.resources)
    (judged,) = evaluate([(commands.promote, replace(template, action=action, resources=resources))])
    assert not judged.is_granted


@pytest.mark.parametrize(
    ("word", "replacement", "finding"),
    [
        ("ec2:RunInstances", "ec2:StartInstances", "ec2:RunInstances: ImplicitlyDenied"),
        ("iam:PassRole", "iam:GetRole", "iam:PassRole: ImplicitlyDenied"),
        ("stack/soloist-influxdb/", "stack/other/", "cloudformation:UpdateStack: ImplicitlyDenied"),
        ("influxdb/rollouts", "influxdb/rollout", "ssm:PutParameter: ImplicitlyDenied"),
        ("Name/soloist-influxdb", "Name/other", "TerminateInstanceInAutoScalingGroup: ImplicitlyDenied"),
    ],
)
def test_a_policy_broken_on_purpose_is_found(commands: Commands, word: str, replacement: str, finding: str) -> None:
    statements = copy.deepcopy(dict(commands.promote.statements))
    text = json.dumps(statements)
    assert word in text
    broken = replace(commands.promote, statements=json.loads(text.replace(word, replacement)))
    assert any(finding in one for one in ungranted(commands.judged(broken, "promote", "rollback")))
