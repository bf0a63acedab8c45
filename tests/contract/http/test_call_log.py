"""What the call log says of calls that a fault met, over HTTP: one entry each, with what the caller saw, not with what
AWS did."""

import json
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from lab.aws.core.call_log import NO_ANSWER, OK, Call
from tests.contract.http.faulty_account import CALLS, Account


def logged(account: Account, action: str) -> list[Call]:
    return [call for call in account.plane.calls.calls() if call.action == action]


@pytest.mark.parametrize(
    ("fault", "fields", "outcome", "is_attached"),
    [
        pytest.param("", {}, OK, True, id="no fault"),
        pytest.param("answer-lost", {}, NO_ANSWER, True, id="performed, answer lost"),
        pytest.param("dropped", {}, NO_ANSWER, False, id="dropped before it was performed"),
        pytest.param("api-silent", {"delay_s": 0.05}, NO_ANSWER, False, id="silent"),
        pytest.param("slow", {"delay_s": 0.05}, OK, True, id="delayed"),
        pytest.param("denied", {}, "UnauthorizedOperation", False, id="denied"),
        pytest.param("throttled", {}, "RequestLimitExceeded", False, id="throttled"),
        pytest.param("unavailable", {}, "Unavailable", False, id="service away"),
        pytest.param("internal-error", {}, "InternalError", False, id="failed inside AWS"),
    ],
)
def test_the_outcome_is_what_the_caller_saw(
    account: Account, fault: str, fields: dict[str, Any], outcome: str, *, is_attached: bool
) -> None:
    if fault:
        account.plane.inject(fault, service="ec2", action="AttachNetworkInterface", **fields)
    try:
        account.attach("a", of="a")
    except (ClientError, ConnectionClosedError):
        assert outcome != OK
    (call,) = logged(account, "ec2:AttachNetworkInterface")
    assert call.outcome == outcome
    assert account.is_attached("a") is is_attached
    assert call.caller.instance_id == account.instances["a"], "a fault does not hide who called"
    assert {one.arn.rpartition("/")[2] for one in call.resources} == {account.instances["a"], account.interfaces["a"]}


@pytest.mark.parametrize(
    ("service", "code"),
    [("route53", "AccessDenied"), ("ssm", "AccessDeniedException"), ("efs", "AccessDeniedException")],
)
def test_the_code_is_read_from_each_protocols_refusal(account: Account, service: str, code: str) -> None:
    account.plane.inject("denied", service=service)
    with pytest.raises(ClientError):
        getattr(account.client(service), CALLS[service])()
    assert account.plane.calls.calls()[-1].outcome == code


def test_each_attempt_of_an_sdk_is_an_entry_and_the_file_has_them_all(account: Account, tmp_path: Path) -> None:
    path = tmp_path / "calls.jsonl"
    account.plane.calls.keep_in(path)
    account.plane.inject("answer-lost", service="ec2", action="AttachNetworkInterface")
    with pytest.raises(ClientError, match=r"InvalidNetworkInterface\.InUse"):
        account.attach("a", attempts=2)
    outcomes = [call.outcome for call in logged(account, "ec2:AttachNetworkInterface")]
    assert outcomes == [NO_ANSWER, "InvalidNetworkInterface.InUse"], "its own lost success looks like a theft"
    assert account.is_attached("a")
    written = [json.loads(line) for line in path.read_text().splitlines()]
    assert [one["outcome"] for one in written if one["action"] == "ec2:AttachNetworkInterface"] == outcomes
