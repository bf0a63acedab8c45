"""EventBridge's rules with a rate, and Lambda's retries: who is invoked, when, with what, and when no longer."""

import json
import time
from typing import Any

import pytest

from tests.contract.lambdas.function_stack import PERMISSION, RULE, FunctionStack

SAYS = """
import json

def handle(event, context):
    print("got", json.dumps(event))
"""


def deploy(stack: FunctionStack, code: str, **more: Any) -> None:
    """A function with a rule that may invoke it each minute, and `more` as `FunctionStack.deploy` takes it."""
    made = stack.deploy(code, **{"Rule": RULE, "Permission": PERMISSION} | more)
    assert made["StackStatus"] == "CREATE_COMPLETE", made


def changed(resource: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return resource | {"Properties": resource["Properties"] | properties}


def test_a_rule_invokes_its_function_every_minute_until_its_stack_is_deleted(stack: FunctionStack) -> None:
    deploy(stack, SAYS)
    stack.plane.advance(59)
    stack.settle()
    assert stack.logged("got ") == [], "the first time after a whole minute"
    stack.plane.advance(1)
    stack.settle()
    stack.pass_minutes(1)
    events = [json.loads(line) for line in stack.logged("got ")]
    assert len(events) == 2
    assert len({event.pop("id") for event in events}) == 2
    for event in events:
        time.strptime(event.pop("time"), "%Y-%m-%dT%H:%M:%SZ")
        assert event == {
            "version": "0",
            "source": "aws.events",
            "detail-type": "Scheduled Event",
            "account": "123456789012",
            "region": "us-east-1",
            "resources": ["arn:aws:events:us-east-1:123456789012:rule/each"],
            "detail": {},
        }
    events_api = stack.client("events")
    assert events_api.describe_rule(Name="each")["ScheduleExpression"] == "rate(1 minute)"
    assert [one["Id"] for one in events_api.list_targets_by_rule(Rule="each")["Targets"]] == ["Target0"]
    stack.delete()
    stack.pass_minutes(3)
    assert len(stack.logged("got ")) == 2
    assert events_api.list_rules()["Rules"] == []


def test_a_rule_that_is_changed_counts_anew(stack: FunctionStack) -> None:
    deploy(stack, SAYS)
    stack.pass_minutes(1)
    updated = stack.deploy(SAYS, Rule=changed(RULE, ScheduleExpression="rate(3 minutes)"), Permission=PERMISSION)
    assert updated["StackStatus"] == "UPDATE_COMPLETE", updated
    stack.pass_minutes(2)
    assert len(stack.logged("got ")) == 1
    stack.pass_minutes(4)
    assert len(stack.logged("got ")) == 3


def test_a_disabled_rule_rests(stack: FunctionStack) -> None:
    deploy(stack, SAYS)
    stack.client("events").disable_rule(Name="each")
    stack.pass_minutes(2)
    assert stack.logged("got ") == []
    stack.client("events").enable_rule(Name="each")
    stack.pass_minutes(1)
    assert len(stack.logged("got ")) == 1


@pytest.mark.parametrize(
    "permission",
    [
        None,
        {"SourceArn": "arn:aws:events:us-east-1:123456789012:rule/other"},
        {"Principal": "sns.amazonaws.com"},
        {"Action": "lambda:GetFunction"},
        {"SourceAccount": "999999999999"},
    ],
    ids=["none", "of another rule", "of another service", "for another action", "of another account"],
)
def test_without_permission_the_function_is_not_invoked(
    stack: FunctionStack, permission: dict[str, str] | None
) -> None:
    made = {} if permission is None else {"Permission": changed(PERMISSION, **permission)}
    stack.deploy(SAYS, Rule=RULE, **made)
    stack.pass_minutes(2)
    assert stack.logged("got ") == []
    updated = stack.deploy(SAYS, Rule=RULE, Permission=PERMISSION)
    assert updated["StackStatus"] == "UPDATE_COMPLETE", updated
    stack.pass_minutes(1)
    assert len(stack.logged("got ")) == 1


def test_invocations_overlap_and_a_target_may_have_its_own_input(stack: FunctionStack) -> None:
    code = """
import time

def handle(event, context):
    print("got", event["n"], time.time(), flush=True)
    time.sleep(4)
    print("end", time.time())
"""
    target = RULE["Properties"]["Targets"][0] | {"Input": json.dumps({"n": 7})}
    deploy(stack, code, Rule=changed(RULE, Targets=[target]))
    stack.pass_minutes(2, settle=False)
    stack.settle()
    begun = [line.split() for line in stack.logged("got ")]
    assert [n for n, _ in begun] == ["7", "7"]
    assert max(float(at) for _, at in begun) < min(float(at) for at in stack.logged("end "))


FAILS = """
def handle(event, context):
    print("got", event["id"])
    raise RuntimeError("no")
"""


def test_a_failed_event_is_tried_again_after_one_and_after_two_minutes(stack: FunctionStack) -> None:
    deploy(stack, FAILS)
    stack.pass_minutes(1)
    stack.client("events").disable_rule(Name="each")
    counts = []
    for _ in range(6):
        counts.append(len(stack.logged("got ")))
        stack.pass_minutes(1)
    assert counts == [1, 2, 2, 3, 3, 3]
    assert len(set(stack.logged("got "))) == 1, "the same event each time"


def test_retries_can_be_turned_off(stack: FunctionStack) -> None:
    config = {
        "Type": "AWS::Lambda::EventInvokeConfig",
        "Properties": {"FunctionName": {"Ref": "Function"}, "Qualifier": "$LATEST", "MaximumRetryAttempts": 0},
    }
    deploy(stack, FAILS, Config=config)
    stack.pass_minutes(1)
    stack.client("events").disable_rule(Name="each")
    stack.pass_minutes(5)
    assert len(stack.logged("got ")) == 1


def test_an_event_that_is_throttled_waits_and_is_not_lost(stack: FunctionStack) -> None:
    code = """
import time

def handle(event, context):
    print("got", event["id"])
    time.sleep(3)
"""
    deploy(stack, code, properties={"ReservedConcurrentExecutions": 1})
    stack.pass_minutes(2, settle=False)
    stack.client("events").disable_rule(Name="each")
    stack.settle()
    assert len(stack.logged("got ")) == 1
    stack.plane.advance(1)
    stack.settle()
    assert len(set(stack.logged("got "))) == 2


@pytest.mark.parametrize("expression", ["rate(1 minutes)", "rate(5 minute)", "rate(0 minutes)", "cron(0 * * * ? *)"])
def test_what_is_no_rate_in_minutes_is_refused(stack: FunctionStack, expression: str) -> None:
    stack.deploy(SAYS, Rule=changed(RULE, ScheduleExpression=expression))
    (found,) = stack.client("cloudformation").describe_stacks(StackName="s")["Stacks"]
    assert found["StackStatus"] == "ROLLBACK_COMPLETE"
    assert f"not '{expression}'" in found["StackStatusReason"]
