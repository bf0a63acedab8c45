"""The real tool: the pinned CDK CLI, as `./cdk deploy --method=direct`, against the control plane over HTTP.

The account is bootstrapped as far as the CLI looks: its version parameter and its asset bucket. The CLI assumes the
bootstrap roles, uploads the template and deploys it by URL, as into an AWS account.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.aws import FAST, ControlPlane, Fault, NoMachines
from lab.base.checkout import CHECKOUT
from lab.play.deployment import deploy
from lab.play.synthesis import Template
from lab.policies.check import ungranted
from lab.policies.evaluator import evaluate
from lab.policies.roles import Role
from rollout.stack import SystemClock, read_stack, set_promoted
from tests.contract.cloudformation.deployed_resources import described
from tests.contract.deployed_account import ONE, TWO
from tests.kit.lab_clients import client, operator

STACK = "soloist-influxdb"
LIMIT_S = 240
BOOTSTRAP_VERSION = "33"  # of `cdk bootstrap` of the pinned CLI
CI = "AKIACICREDENTIALS"
FREE = ("sts:GetCallerIdentity",)  # asks for no permission (STS API reference, GetCallerIdentity)
BUCKET = "cdk-hnb659fds-assets-123456789012-us-east-1"

pytestmark = pytest.mark.timeout(600)


class Account:
    """A control plane with a bootstrapped account, and the CLI pointed at it."""

    def __init__(self, plane: ControlPlane, home: Path) -> None:
        self.plane = plane
        self._home = home
        for number, image in enumerate((ONE, TWO), start=1):
            plane.register_image(image, f"influxdb-{number}")
        self.client("ssm").put_parameter(
            Name="/cdk-bootstrap/hnb659fds/version", Value=BOOTSTRAP_VERSION, Type="String"
        )
        self.client("s3").create_bucket(Bucket=BUCKET)

    def client(self, service: str) -> Any:
        return client(self.plane, service)

    def cdk_deploy(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """`./cdk deploy --method=direct` of the service's own stack. `localhost`, because moto takes an S3 URL of
        another host for a bucket's."""
        port = self.plane.endpoint_url.rpartition(":")[2]
        own = {
            "AWS_ENDPOINT_URL": f"http://localhost:{port}",
            "AWS_ACCESS_KEY_ID": CI,
            "AWS_SECRET_ACCESS_KEY": "x",
            "AWS_REGION": "us-east-1",
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CDK_VALIDATION": "false",
            # No profile, credentials or CLI settings of whoever runs the tests.
            "AWS_CONFIG_FILE": str(self._home / "config"),
            "AWS_SHARED_CREDENTIALS_FILE": str(self._home / "credentials"),
            "CDK_HOME": str(self._home),
        }
        # With CI set, the CLI writes to stdout what it else writes to stderr.
        kept = {key: value for key, value in os.environ.items() if key != "CI" and not key.startswith("AWS_")}
        return subprocess.run(
            ["./cdk", "deploy", "--method=direct", "--require-approval=never", "--no-notices", STACK, *arguments],
            cwd=CHECKOUT,
            env=kept | own,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    def resources(self) -> dict[str, str]:
        """Logical id and type of everything in the stack."""
        found = self.client("cloudformation").describe_stack_resources(StackName=STACK)["StackResources"]
        assert all(one["PhysicalResourceId"] for one in found)
        return {one["LogicalResourceId"]: one["ResourceType"] for one in found}

    def outputs(self) -> dict[str, str]:
        (stack,) = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        return {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}


def documented_policy() -> dict[str, Any]:
    """The policy for CI as docs/permissions.md has it."""
    text = (CHECKOUT / "docs" / "permissions.md").read_text(encoding="utf-8")
    policy: dict[str, Any] = json.loads(text.partition("```json\n")[2].partition("```")[0])
    return policy


@pytest.fixture
def account(tmp_path: Path) -> Iterator[Account]:
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0) as plane:
        yield Account(plane, tmp_path)
        # The CLI asks CloudTrail what went wrong with a failed stack, and lives without an answer.
        assert [error for error in plane.errors if "cloudtrail:LookupEvents" not in error] == []


def test_cdk_deploy_makes_what_the_labs_own_deployment_makes_and_twice_changes_nothing(
    account: Account, synthesized: Callable[[str], Template], tmp_path: Path
) -> None:
    context = ("--context=service=influxdb", f"--context=ami={ONE}", f"--output={tmp_path / 'cdk.out'}")
    done = account.cdk_deploy(*context)
    assert done.returncode == 0, done.stderr
    by_cli = account.resources()
    assert account.plane.template_sha256(STACK) == synthesized(ONE).sha256, "the bytes are those that the lab deploys"
    assert account.outputs()["GroupName"] == STACK
    assert account.plane.group(STACK) is not None

    written = synthesized(ONE).path.read_text()
    assert by_cli == {name: one["Type"] for name, one in json.loads(written)["Resources"].items()}

    told = described(account.client, STACK)
    again = account.cdk_deploy(f"--app={synthesized(ONE).path.parent}")
    assert (again.returncode, "(no changes)" in again.stderr) == (0, True), again.stderr
    assert described(account.client, STACK) == told

    own = [one for one in account.plane.calls.calls() if one.caller.arn.endswith(f"/{CI}") and one.action not in FREE]
    assert {one.action for one in own} == {"sts:AssumeRole"}, "the rest is done with the roles of the bootstrap"
    holder = Role(logical_id="CI", name="CI", statements={"docs/permissions.md": documented_policy()})
    assert ungranted(evaluate([(holder, one) for one in own])) == []
    nobody = replace(holder, statements={})
    assert ungranted(evaluate([(nobody, one) for one in own])) != []

    account.plane.stop()
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0) as plane:
        other = Account(plane, tmp_path)
        deploy(other.client("cloudformation"), synthesized(ONE))
        by_lab = described(other.client, STACK)
    for what, found in by_lab.items():
        assert found, f"the template has no {what}: nothing is compared"
        assert told[what] == found, what


def test_cdk_deploy_with_a_new_image_stages_a_version(account: Account, synthesized: Callable[[str], Template]) -> None:
    deploy(account.client("cloudformation"), synthesized(ONE))
    clients = operator(account.plane)
    set_promoted(clients, read_stack(clients, STACK), 1, SystemClock())
    before = account.outputs()
    done = account.cdk_deploy(f"--app={synthesized(TWO).path.parent}")
    assert done.returncode == 0, done.stderr
    found = account.client("ec2").describe_launch_templates()["LaunchTemplates"][0]
    assert (found["DefaultVersionNumber"], found["LatestVersionNumber"]) == (1, 2)
    after = account.outputs()
    assert (before.pop("StagedVersion")[:21], after.pop("StagedVersion")[:21]) == (ONE, TWO)
    assert after == before
    assert read_stack(clients, STACK).promoted == "1", "the CLI keeps the parameter"
    assert account.plane.template_sha256(STACK) == synthesized(TWO).sha256


def test_cdk_deploy_fails_when_the_stack_does(account: Account, synthesized: Callable[[str], Template]) -> None:
    account.plane.faults.add(
        Fault(
            service="route53", action="ChangeResourceRecordSets", code="InvalidInput", message="told to fail", count=9
        )
    )
    done = account.cdk_deploy(f"--app={synthesized(ONE).path.parent}")
    assert done.returncode != 0
    assert "told to fail" in done.stderr
    (stack,) = account.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
