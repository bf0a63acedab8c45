"""An alarm of a stack, from its metric to the message in its topic: once for each change of its state."""

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from lab.aws import FAST, ControlPlane, ManualClock, NoMachines
from lab.base.waiting import wait_for
from tests.kit.lab_clients import client

ALLOWED = {
    "Effect": "Allow",
    "Principal": {"Service": "cloudwatch.amazonaws.com"},
    "Action": "sns:Publish",
    "Resource": "*",
    "Condition": {"StringEquals": {"aws:SourceAccount": "123456789012"}},
}


class Watched:
    """A stack "s" with a topic, its policy and an alarm on the metric `Serving`."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane

    def deploy(self, statement: dict[str, Any] | None, **alarm: Any) -> None:
        resources: dict[str, Any] = {
            "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "people"}},
            "Alarm": {
                "Type": "AWS::CloudWatch::Alarm",
                "Properties": {
                    "AlarmName": "nobody-serves",
                    "AlarmDescription": "Nobody serves",
                    "Namespace": "soloist",
                    "MetricName": "Serving",
                    "Dimensions": [{"Name": "Service", "Value": "x"}],
                    "Statistic": "Maximum",
                    "ComparisonOperator": "LessThanThreshold",
                    "Threshold": 1,
                    "Period": 60,
                    "EvaluationPeriods": 1,
                    "TreatMissingData": "breaching",
                    "AlarmActions": [{"Ref": "Topic"}],
                    "OKActions": [{"Ref": "Topic"}],
                }
                | alarm,
            },
        }
        if statement is not None:
            resources["Policy"] = {
                "Type": "AWS::SNS::TopicPolicy",
                "Properties": {"Topics": [{"Ref": "Topic"}], "PolicyDocument": {"Statement": [statement]}},
            }
        cloudformation = client(self.plane, "cloudformation")
        cloudformation.create_stack(StackName="s", TemplateBody=json.dumps({"Resources": resources}))

        def status() -> str | None:
            found = str(cloudformation.describe_stacks(StackName="s")["Stacks"][0]["StackStatus"])
            return None if found.endswith("IN_PROGRESS") else found

        assert wait_for(status, "the stack", deadline_s=30.0, poll_s=0.05) == "CREATE_COMPLETE"

    def serve(self, minutes: int) -> None:
        """The metric says that somebody serves, for so long."""
        for _ in range(minutes):
            datum = {"MetricName": "Serving", "Value": 1.0, "Dimensions": [{"Name": "Service", "Value": "x"}]}
            client(self.plane, "cloudwatch").put_metric_data(Namespace="soloist", MetricData=[datum])
            self.plane.advance(60)

    def alarm(self) -> dict[str, Any]:
        (found,) = client(self.plane, "cloudwatch").describe_alarms(AlarmNames=["nobody-serves"])["MetricAlarms"]
        return dict(found)

    def messages(self) -> list[tuple[str, dict[str, Any]]]:
        """Subject and document of each, in order."""
        (topic,) = self.plane.cloud.backend("sns").topics.values()
        return [(subject, json.loads(text)) for _, text, subject, *_ in topic.sent_notifications]


@pytest.fixture
def watched() -> Iterator[Watched]:
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0, clock=ManualClock(time.time())) as plane:
        yield Watched(plane)
        assert plane.errors == []


def test_each_change_of_state_is_one_message_with_the_documented_fields(watched: Watched) -> None:
    watched.deploy(ALLOWED)
    assert watched.alarm()["StateValue"] == "INSUFFICIENT_DATA"
    watched.serve(minutes=5)
    assert [one["NewStateValue"] for _, one in watched.messages()] == ["OK"]
    watched.plane.advance(600)
    assert watched.alarm()["StateValue"] == "ALARM"
    watched.serve(minutes=2)
    told = watched.messages()
    assert [(one["OldStateValue"], one["NewStateValue"]) for _, one in told] == [
        ("INSUFFICIENT_DATA", "OK"),
        ("OK", "ALARM"),
        ("ALARM", "OK"),
    ]
    subject, document = told[1]
    assert subject == 'ALARM: "nobody-serves" in US East (N. Virginia)'
    time.strptime(document.pop("StateChangeTime")[:19], "%Y-%m-%dT%H:%M:%S")
    time.strptime(document.pop("AlarmConfigurationUpdatedTimestamp")[:19], "%Y-%m-%dT%H:%M:%S")
    topic = "arn:aws:sns:us-east-1:123456789012:people"
    assert document == {
        "AlarmName": "nobody-serves",
        "AlarmDescription": "Nobody serves",
        "AWSAccountId": "123456789012",
        "NewStateValue": "ALARM",
        "NewStateReason": "Threshold Crossed: no datapoints were received for 1 period and 1 missing datapoint was "
        "treated as [Breaching].",
        "Region": "US East (N. Virginia)",
        "AlarmArn": "arn:aws:cloudwatch:us-east-1:123456789012:alarm:nobody-serves",
        "OldStateValue": "OK",
        "OKActions": [topic],
        "AlarmActions": [topic],
        "InsufficientDataActions": [],
        "Trigger": {
            "MetricName": "Serving",
            "Namespace": "soloist",
            "StatisticType": "Statistic",
            "Statistic": "MAXIMUM",
            "Unit": None,
            "Dimensions": [{"value": "x", "name": "Service"}],
            "Period": 60,
            "EvaluationPeriods": 1,
            "DatapointsToAlarm": 1,
            "ComparisonOperator": "LessThanThreshold",
            "Threshold": 1.0,
            "TreatMissingData": "breaching",
            "EvaluateLowSampleCountPercentile": "",
        },
    }


@pytest.mark.parametrize(
    ("statement", "is_told"),
    [
        (None, True),
        (ALLOWED, True),
        (ALLOWED | {"Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:cloudwatch:*:123456789012:alarm:*"}}}, True),
        (ALLOWED | {"Effect": "Deny"}, False),
        (ALLOWED | {"Principal": {"Service": "events.amazonaws.com"}}, False),
        (ALLOWED | {"Action": "sns:Subscribe"}, False),
        (ALLOWED | {"Condition": {"StringEquals": {"aws:SourceAccount": "999999999999"}}}, False),
        (ALLOWED | {"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, False),
    ],
    ids=["default policy", "allowed", "by ARN", "denied", "another service", "another action", "account", "unknown"],
)
def test_the_topics_policy_must_let_cloudwatch_publish(
    watched: Watched,
    statement: dict[str, Any] | None,
    is_told: bool,  # noqa: FBT001
) -> None:
    watched.deploy(statement)
    watched.plane.advance(300)
    assert watched.alarm()["StateValue"] == "ALARM"
    assert bool(watched.messages()) is is_told


def test_an_alarm_whose_actions_are_off_tells_nobody(watched: Watched) -> None:
    watched.deploy(ALLOWED, ActionsEnabled=False)
    watched.plane.advance(300)
    assert watched.alarm()["StateValue"] == "ALARM"
    assert watched.messages() == []
