"""Runs every row of behaviours.yaml over HTTP with boto3, on AWS's own clock; and shows that rows can turn red."""

import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lab.aws import ControlPlane, ManualClock
from lab.aws.core import patches

from .broken_rules import (
    ANSWERS_TURNED,
    BROKEN_RULES,
    DECISIONS_TURNED,
    NO_ROW,
    PATCHES_OUT,
    SHOWN_BY_DECISION,
    Broken,
)
from .contract_row import ROWS, TABLE, TIMING, DeafMachines, Row

AREAS = ("attach", "detach", "interface", "run", "terminate", "template", "group", "hook", "record", "efs", "ssm")
AREAS += ("metadata", "cloudformation", "identity", "lambda", "schedule", "metric", "alarm", "log")


@lru_cache
def _port() -> int:
    """One port for all rows, so that they can share clients."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@contextmanager
def account() -> Iterator[Row]:
    machines, clock = DeafMachines(), ManualClock(time.time())
    with ControlPlane(machines, TIMING, address="127.0.0.1", port=_port(), clock=clock) as plane:
        row = Row(plane, machines)
        try:
            yield row
        finally:
            row.close()


@pytest.mark.parametrize("behaviour", ROWS, ids=[row["id"] for row in ROWS])
def test_behaviour(behaviour: dict[str, Any]) -> None:
    with account() as row:
        row.run(behaviour)
        assert row.plane.errors == []


def test_the_table_is_in_order(record_property: Callable[[str, object], None]) -> None:
    record_property(
        TABLE,
        f"contract table: {len(ROWS)} behaviours of AWS, each checked over HTTP with boto3; "
        f"{len(BROKEN_RULES)} rules are broken on purpose, one at a time, to see a row turn red",
    )
    assert len(ROWS) >= 80
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    assert {row["id"].partition("-")[0] for row in ROWS} == set(AREAS)
    for row in ROWS:
        assert set(row) - {"moto_alone"} == {"id", "behaviour", "source", "steps"}, row["id"]
        checks = {"refused", "expect", "members", "imds", "resolves"}
        shown = [key for step in row["steps"] for key, value in step.items() if value != {}]
        assert checks & set(shown), f"{row['id']} checks nothing"


# Who says so: a document of AWS's, by its kind and the page or title in it, or an issue or file of a public repository.
CITATION = re.compile(
    r"(EC2|VPC|Auto Scaling|Route 53|EFS|Systems Manager|STS|IAM|CloudFormation|CloudWatch( Logs)?|Lambda|EventBridge) "
    r"((API reference,?|API error codes,) [A-Z]\w+|(user|developer) guide \"[A-Z][^\"]+\"|"
    r"resource reference AWS::\w+::\w+)"
)


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_the_source_can_be_looked_up(row: dict[str, Any]) -> None:
    assert is_citation(row["source"]), row["source"]


def is_citation(source: str) -> bool:
    """A title or page first, or `owner/name#number` or `owner/name file`; never our own notes."""
    public = re.match(r"[\w.-]+/[\w.-]+(#\d+| \S+\.\w+)", source)
    return bool(CITATION.match(source) or public) and "reference/" not in source


@pytest.mark.parametrize(
    "source", ["reference/moto-and-cdk.md section 3", "AWS", "EC2 user guide", "EC2 API error codes", "as documented"]
)
def test_words_that_name_no_document_are_no_source(source: str) -> None:
    assert not is_citation(source)


def refusals(steps: list[dict[str, Any]]) -> Iterator[dict[str, str]]:
    """What a row's steps expect to be refused with, nested ones too."""
    for step in steps:
        yield from refusals(step.get("steps", []))
        if "refused" in step:
            yield step["refused"]


@pytest.mark.parametrize("row", ROWS, ids=[row["id"] for row in ROWS])
def test_an_error_text_is_really_looked_for(row: dict[str, Any]) -> None:
    """Where AWS documents no text a row has no pattern, instead of one that fits any text."""
    for refused in refusals(row["steps"]):
        assert set(refused) <= {"code", "message"}
        for any_text in ("", ".", "x", "An error"):
            assert "message" not in refused or not re.search(refused["message"], any_text), refused


@pytest.mark.parametrize("broken", BROKEN_RULES, ids=[f"{one.row}-{one.name}" for one in BROKEN_RULES])
def test_a_broken_rule_turns_its_row_red(monkeypatch: pytest.MonkeyPatch, broken: Broken) -> None:
    """With one rule broken - by default: moto's own behaviour in its place - the row that stands for it must fail."""
    turn_red(monkeypatch, broken)


def test_a_row_is_not_red_because_the_lab_broke_down(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a patch without which moto raises, and a decision that raises. Neither is a lenient answer."""
    for planted in (
        Broken(
            "attach-in-use",
            "moto.ec2.models.elastic_network_interfaces:NetworkInterfaceBackend.attach_network_interface",
        ),
        Broken("attach-in-use", "lab.aws.ec2.network_interfaces:refuse_attachment", "not callable"),
        Broken("hook-launch", "moto.autoscaling.responses:AutoScalingResponse.complete_lifecycle_action"),
    ):
        with pytest.raises(AssertionError, match="the lab broke down"):
            turn_red(monkeypatch, planted)


def turn_red(monkeypatch: pytest.MonkeyPatch, broken: Broken) -> None:
    """Break the rule and see its row fail, because of an answer and not because there was none."""
    behaviour = next(one for one in ROWS if one["id"] == broken.row)
    with account() as row:
        row.prepare()
        owner, name = patches._locate(broken.target)
        replacement = patches.original(broken.target) if broken.instead is None else broken.instead
        with monkeypatch.context() as breaking:
            if replacement is patches._MISSING:
                breaking.delattr(owner, name)
            else:
                breaking.setattr(owner, name, replacement)
            with pytest.raises((AssertionError, ClientError, pytest.fail.Exception)) as caught:
                row.run(behaviour)
        assert not broke_down(caught.value, row.plane.errors), "red because the lab broke down, not because of the rule"


def broke_down(caught: BaseException, errors: Sequence[str]) -> bool:
    """True when what turned a row red was a failure of the lab, or of moto in it, and not a lenient answer."""
    chain: list[BaseException] = []
    link: BaseException | None = caught
    while link is not None:
        chain.append(link)
        link = link.__cause__ or link.__context__
    refusals = [one.response for one in chain if isinstance(one, ClientError)]
    return bool(errors) or any(one["ResponseMetadata"]["HTTPStatusCode"] >= 500 for one in refusals)


def test_every_rule_has_a_row_or_a_reason() -> None:
    """A new patch needs an entry in broken_rules. CloudFormation's are shown by test_deployment."""
    declared = {patch.target for patch in patches.declared() if not patch.target.startswith("moto.cloudformation")}
    broken = {one.target for one in PATCHES_OUT + ANSWERS_TURNED}
    assert declared == broken | set(SHOWN_BY_DECISION) | set(NO_ROW)
    assert set(SHOWN_BY_DECISION.values()) <= {one.target for one in DECISIONS_TURNED}
