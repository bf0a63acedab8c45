"""On real machines: a machine that stands still is noticed by the watchdog function, people are told, and the service
comes back; with what `make noticed` plays, which has more cases.

Run inside the lab's namespace: `python -m lab.hardware.namespace -- python -m pytest tests/lab/test_noticed.py`.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.base.names import watchdog_name
from lab.hardware import namespace
from lab.noticed.cases import CASES
from lab.noticed.play import TIMING, begin, play_case
from lab.noticed.table import Noticed
from lab.play.program import prepare
from lab.play.stage import Stage, open_stage
from lab.policies.check import calls_by_role, ungranted
from lab.policies.evaluator import evaluate
from lab.policies.roles import roles_of

pytestmark = [pytest.mark.lab, pytest.mark.timeout(600)]
CASE = {case.name: case for case in CASES}


@pytest.fixture(scope="module")
def stage(directory: Path) -> Iterator[Stage]:
    if not namespace.inside():
        pytest.fail("needs the lab's namespace: run `python -m lab.hardware.namespace -- python -m pytest tests/lab`")
    problems: list[str] = []
    with open_stage(*prepare(), directory / "run", problems, timing=TIMING) as opened:
        begin(opened, directory)
        yield opened


def played(stage: Stage, name: str) -> Noticed:
    found = play_case(stage, CASE[name])
    assert found.is_as_it_should_be, found
    return found


def log_of_the_watchdog(stage: Stage) -> str:
    logs, group = stage.lab.boto3_client("logs"), f"/aws/lambda/{watchdog_name(stage.service)}"
    streams = logs.describe_log_streams(logGroupName=group)["logStreams"]
    events = [
        event["message"]
        for stream in streams
        for event in logs.get_log_events(logGroupName=group, logStreamName=stream["logStreamName"], startFromHead=True)[
            "events"
        ]
    ]
    return "\n".join(events)


def test_a_machine_that_stands_still_is_noticed_by_the_watchdog_and_replaced(stage: Stage) -> None:
    found = played(stage, "the machine stands still")
    assert found.by == "watchdog"
    said = log_of_the_watchdog(stage)
    assert "its state port does not answer: it is reported unhealthy" in said
    assert "its terminate hook is completed" in said


def test_the_watchdogs_role_grants_every_call_that_it_made(stage: Stage) -> None:
    clients = (stage.lab.boto3_client("cloudformation"), stage.lab.boto3_client("iam"))
    roles = [role for name in ("soloist-influxdb", "soloist-influxdb-watch") for role in roles_of(*clients, name)]
    calls, strange = calls_by_role(stage.lab.control_plane.calls.calls(), roles)
    assert strange == []
    judgements = evaluate(calls)
    actions = {one.call.action for one in judgements if one.role.logical_id.startswith("Watchdog")}
    assert {"autoscaling:SetInstanceHealth", "ec2:GetConsoleOutput", "lambda:InvokeFunction"} <= actions
    assert ungranted(judgements) == []
