"""The operator's command: one line for every failure, a documented exit code, a dry run that changes nothing."""

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from typer.testing import CliRunner

from bootstrap.base.names import state_parameter
from lab.aws import strict_mock_aws
from rollout.cli import app
from rollout.observe import observe
from tests.kit.deployed_group import NEW, Clients, report


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_no_region_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    answer = run("status", "demo")
    assert answer.exit_code == 4
    assert answer.stderr.count("\n") == 1
    assert "Set AWS_REGION and credentials" in answer.stderr


def test_region_of_the_environment_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    with strict_mock_aws(region="eu-west-1"):
        answer = run("status", "demo")
    assert (answer.exit_code, answer.stderr) == (
        4,
        "soloist: no Auto Scaling group soloist-demo in this account and Region. Deploy the stack first\n",
    )


def test_status_shows_versions_and_what_is_promoted(clients: Clients) -> None:
    report(clients, phase="ready", instance_id="i-9", image_id=NEW, sentence="demo serves")
    answer = run("status", "demo")
    assert answer.exit_code == 0
    assert "state: ready: demo serves" in answer.stdout
    assert f"i-9 runs {NEW}, which is not the promoted version's image" in answer.stdout.replace("\n", " ")


def test_status_shows_whose_generation_of_the_lease_it_is(clients: Clients) -> None:
    report(clients, phase="ready", instance_id="i-9", image_id=NEW, sentence="demo serves", generation=7)
    assert "lease: generation 7 of i-9" in run("status", "demo").stdout.splitlines()
    report(clients, phase="booting", instance_id="i-10", image_id=NEW, sentence="booting", generation=0)
    assert "lease:" not in run("status", "demo").stdout, "before it is held there is nothing to show"


def test_dry_run_prints_the_plan_and_changes_nothing(clients: Clients) -> None:
    before = observe(clients, "demo")
    answer = run("promote", "demo", "--dry-run")
    assert answer.exit_code == 0
    assert "2. would: default version 1 -> 2" in answer.stdout
    assert observe(clients, "demo") == before


def test_promote_without_replacing_says_each_step_and_leaves_the_instance(clients: Clients) -> None:
    before = observe(clients, "demo")
    answer = run("promote", "demo", "--no-replace")
    after = observe(clients, "demo")
    assert answer.exit_code == 0
    assert [line.split(",")[0] for line in answer.stdout.splitlines()] == [
        "version 2 noted in the rollout history",
        "default version 1 -> 2",
        "group version 1 -> 2 by the stack: every launch boots ami-0000000000000002b",
    ]
    assert (after.group_version, after.members) == ("2", before.members)
    again = run("promote", "demo", "--no-replace")
    assert "nothing to do" in again.stdout


def test_promotion_that_is_not_ready_in_time_is_exit_code_5(clients: Clients) -> None:
    answer = run("promote", "demo", "--deadline-s", "0")
    assert answer.exit_code == 5
    assert "not ready on" in answer.stderr
    assert boto3.client("ec2").describe_launch_templates()["LaunchTemplates"][0]["DefaultVersionNumber"] == 2


def test_rollback_without_history_changes_nothing(clients: Clients) -> None:
    before = observe(clients, "demo")
    answer = run("rollback", "demo")
    assert answer.exit_code == 4
    assert answer.stderr.endswith("the version before it is unknown. Give --to-version, one of 2\n")
    assert observe(clients, "demo") == before


def test_rollback_to_a_version_follows_the_remedy(clients: Clients) -> None:
    answer = run("rollback", "demo", "--to-version", "2", "--no-replace")
    assert (answer.exit_code, answer.stderr) == (0, "")
    seen = observe(clients, "demo")
    assert (seen.default_version, seen.group_version) == (2, "2")
    back = run("rollback", "demo", "--no-replace")
    assert (back.exit_code, back.stderr) == (0, "")
    seen = observe(clients, "demo")
    assert (seen.default_version, seen.group_version) == (1, "1")


LOOKING = ["DescribeAutoScalingGroups", "DescribeLaunchTemplateVersions", "DescribeStacks", "GetParameter"]
CHANGING = ["PutParameter", "ModifyLaunchTemplate", "UpdateStack", "TerminateInstanceInAutoScalingGroup"]
FITTING = ["DescribeImages", "DescribeInstanceTypes"]
CALLS = {"status": [*LOOKING, "DescribeImages"], "promote": LOOKING + FITTING + CHANGING, "rollback": LOOKING}
FAILURES: list[tuple[Callable[[str], Exception], str]] = [
    (lambda call: ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, call), "Use a role that may call"),
    (lambda call: ClientError({"Error": {"Code": "Throttling", "Message": "slow"}}, call), "Try again"),
    (lambda call: ClientError({"Error": {"Code": "ExpiredToken", "Message": "old"}}, call), "Renew your credentials"),
    (lambda _: NoCredentialsError(), "Set AWS_REGION and credentials"),
    (lambda _: EndpointConnectionError(endpoint_url="https://x"), "Set AWS_REGION and credentials"),
]


class FailingCalls:
    """botocore with one operation that fails."""

    def __init__(self) -> None:
        self.call, self.failed = "", 0
        self.failure: Callable[[str], Exception] = FAILURES[0][0]
        self._whole: Any = vars(BaseClient)["_make_api_call"]

    @property
    def make(self) -> Callable[[Any, str, Any], Any]:
        def make(client: Any, operation: str, parameters: Any) -> Any:
            if operation == self.call:
                self.failed += 1
                raise self.failure(operation)
            return self._whole(client, operation, parameters)

        return make


@pytest.mark.parametrize("verb", CALLS)
def test_whatever_call_of_aws_fails_is_one_line_with_a_remedy(
    clients: Clients, monkeypatch: pytest.MonkeyPatch, verb: str
) -> None:
    """A promotion that fails at one call is completed by the next run, up to the call that fails then."""
    failing = FailingCalls()
    monkeypatch.setattr(BaseClient, "_make_api_call", failing.make)
    for number, call in enumerate(CALLS[verb] + CALLS[verb][:1] * len(FAILURES)):
        failing.call, (failing.failure, remedy), failing.failed = call, FAILURES[number % len(FAILURES)], 0
        answer = run(verb, "demo")
        assert failing.failed, f"{call} was not called: {answer.output}"
        assert isinstance(answer.exception, SystemExit), answer.exception
        assert answer.exit_code in (1, 4, 6), call
        assert answer.stderr.startswith("soloist: ")
        assert answer.stderr.count("\n") == 1
        assert remedy in answer.stderr


@pytest.mark.parametrize("verb", ["promote", "rollback"])
@pytest.mark.parametrize("given", ["nan", "inf", "-5", "86401"])
def test_a_deadline_that_is_none_is_refused_before_anything_is_changed(clients: Clients, verb: str, given: str) -> None:
    """With `nan` the command waited for ever, and with -5 not at all; both had ended the instance."""
    before = observe(clients, "demo")
    answer = run(verb, "demo", f"--deadline-s={given}")
    assert (answer.exit_code, answer.stderr.count("\n")) == (4, 1)
    assert f"--deadline-s {float(given):g}: Give seconds from 0 to 86400" in answer.stderr
    assert observe(clients, "demo") == before


def test_ctrl_c_is_one_line(clients: Clients, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rollout.cli.wait_until_ready", interrupted)
    answer = run("promote", "demo")
    assert answer.exit_code == 130
    assert answer.stderr == "soloist: stopped by Ctrl-C. The same command completes what it began\n"


@pytest.mark.parametrize("text", ["[]", "7", "null", "{"])
def test_a_state_that_is_none_is_shown_as_none(clients: Clients, text: str) -> None:
    clients.ssm.put_parameter(Name=state_parameter("demo"), Value=text, Type="String", Overwrite=True)
    answer = run("status", "demo")
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert "state: new: nothing reported" in answer.stdout
