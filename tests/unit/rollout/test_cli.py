"""The operator's command: one line for every failure, a documented exit code, a dry run that changes nothing."""

from __future__ import annotations

from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

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
    with mock_aws():
        answer = run("status", "demo")
    assert (answer.exit_code, answer.stderr) == (
        4,
        "soloist: no Auto Scaling group soloist-demo in this account and Region: deploy the stack first\n",
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
        "group version 1 -> 2",
    ]
    assert (after.group_version, after.instance_ids) == ("2", before.instance_ids)
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
    assert "name the version to go back to" in answer.stderr
    assert observe(clients, "demo") == before
