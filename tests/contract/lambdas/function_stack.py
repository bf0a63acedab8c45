"""A stack with one function, and its operator: for the tests of functions and schedules.

Guarantees: every wait ends after 30 s. AWS's clock stands still but for `pass_minutes`; handlers are real processes.
"""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from lab.aws import FAST, ControlPlane, ManualClock, NoMachines
from lab.aws.lambdas.functions import Lambdas
from lab.base.waiting import wait_for
from tests.kit.lab_clients import client

ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "RoleName": "watch",
        "AssumeRolePolicyDocument": {
            "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}
            ]
        },
    },
}
RULE = {
    "Type": "AWS::Events::Rule",
    "Properties": {
        "Name": "each",
        "ScheduleExpression": "rate(1 minute)",
        "State": "ENABLED",
        "Targets": [{"Id": "Target0", "Arn": {"Fn::GetAtt": ["Function", "Arn"]}}],
    },
}
PERMISSION = {
    "Type": "AWS::Lambda::Permission",
    "Properties": {
        "Action": "lambda:InvokeFunction",
        "FunctionName": {"Fn::GetAtt": ["Function", "Arn"]},
        "Principal": "events.amazonaws.com",
        "SourceArn": {"Fn::GetAtt": ["Rule", "Arn"]},
    },
}
ARN = "arn:aws:lambda:us-east-1:123456789012:function:watch"


def function(code: str, **properties: Any) -> dict[str, Any]:
    """A function "watch" with this code and a generous timeout."""
    given = {
        "FunctionName": "watch",
        "Handler": "index.handle",
        "Runtime": "python3.13",
        "Role": {"Fn::GetAtt": ["Role", "Arn"]},
        "Code": {"ZipFile": code},
        "Timeout": 30,
    } | properties
    return {"Type": "AWS::Lambda::Function", "Properties": given}


class FunctionStack:
    """The operator's view of the stack "s"."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane

    def client(self, service: str, **more: Any) -> Any:
        return client(self.plane, service, **more)

    def deploy(self, code: str, *, properties: dict[str, Any] | None = None, **resources: Any) -> dict[str, Any]:
        """The stack with a function of this code, its role and further resources, when it has settled."""
        made = {"Role": ROLE, "Function": function(code, **(properties or {})), **resources}
        cloudformation = self.client("cloudformation")
        known = [stack["StackName"] for stack in cloudformation.describe_stacks()["Stacks"]]
        change = cloudformation.update_stack if "s" in known else cloudformation.create_stack
        change(
            StackName="s",
            TemplateBody=json.dumps({"Resources": made}),
            Capabilities=["CAPABILITY_NAMED_IAM"],
        )
        return self._settled()

    def delete(self) -> None:
        """Delete the stack, and wait until it is gone."""
        self.client("cloudformation").delete_stack(StackName="s")
        self._settled()

    def _settled(self) -> dict[str, Any]:
        def stack() -> dict[str, Any] | None:
            found: list[dict[str, Any]] = self.client("cloudformation").list_stacks()["StackSummaries"]
            last = next(one for one in found if one["StackName"] == "s")
            return None if last["StackStatus"].endswith("IN_PROGRESS") else last

        return wait_for(stack, "the stack to settle", deadline_s=30.0, poll_s=0.05)

    def invoke(self, event: Any = None, name: str = "watch") -> tuple[str, Any]:
        """FunctionError (or "") and the payload."""
        answer = self.client("lambda").invoke(FunctionName=name, Payload=json.dumps(event))
        assert answer["StatusCode"] == 200
        return answer.get("FunctionError", ""), json.loads(answer["Payload"].read())

    def pass_minutes(self, count: int, *, settle: bool = True) -> None:
        """Let minutes pass; with `settle`, wait after each until the invocations that it began have ended."""
        for _ in range(count):
            self.plane.advance(60)
            if settle:
                self.settle()

    def settle(self) -> None:
        """Wait until no invocation of an event is under way."""
        for thread in Lambdas.of(self.plane.cloud).threads:
            thread.join(30)
            assert not thread.is_alive()

    def log(self, group: str = "/aws/lambda/watch") -> list[str]:
        """Every line that the function has logged, invocation after invocation."""
        logs = self.client("logs")
        groups = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if group not in [one["logGroupName"] for one in groups]:
            return []
        streams = [one["logStreamName"] for one in logs.describe_log_streams(logGroupName=group)["logStreams"]]
        read = [logs.get_log_events(logGroupName=group, logStreamName=one, startFromHead=True) for one in streams]
        return [event["message"] for one in read for event in one["events"]]

    def logged(self, start: str) -> list[str]:
        """The lines that begin so, without that beginning."""
        return [line.removeprefix(start) for line in self.log() if line.startswith(start)]


@contextmanager
def open_function_stack() -> Iterator[FunctionStack]:
    """A control plane whose minutes pass when they are told to."""
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0, clock=ManualClock(time.time())) as plane:
        yield FunctionStack(plane)
        assert plane.errors == []
