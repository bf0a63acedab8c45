"""The policy check itself: its evaluator against AWS's documented examples, and its findings."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab.aws.core.call_log import Call, Caller, Resource
from lab.base.errors import LabError
from lab.policies.check import Reason, read_reasons, ungranted, unused
from lab.policies.evaluator import Judgement, evaluate
from lab.policies.roles import Role

ACCOUNT = "123456789012"
INSTANCE = f"arn:aws:ec2:us-east-1:{ACCOUNT}:instance/i-1"
INTERFACE = f"arn:aws:ec2:us-east-1:{ACCOUNT}:network-interface/eni-1"


def role(*statements: dict[str, Any]) -> Role:
    """A role with these statements; each may leave out what is usual."""
    usual = {"Effect": "Allow", "Resource": "*"}
    documents = {
        f"p#{number}": {"Version": "2012-10-17", "Statement": [usual | statement]}
        for number, statement in enumerate(statements)
    }
    return Role(logical_id="R", name="r", statements=documents)


def judged(asked: Role, action: str, *resources: Resource, **keys: Any) -> Judgement:
    """One call of the role; keyword `aws__TagKeys` is the condition key aws:TagKeys."""
    caller = Caller(kind="instance-role", arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/r/i-1", instance_id="i-1")
    context = {"aws:PrincipalAccount": ACCOUNT} | {key.replace("__", ":"): value for key, value in keys.items()}
    call = Call(at_s=0.0, caller=caller, action=action, resources=resources, keys=context)
    (judgement,) = evaluate([(asked, call)])
    return judgement


# -------------------------------------------------------------------- the evaluator
def tag_keys(operator: str, values: Any, *asked: str) -> str:
    """What a Deny with this condition on aws:TagKeys makes of a tagging call with these tags."""
    deny = {"Effect": "Deny", "Action": "iam:TagRole", "Condition": {operator: {"aws:TagKeys": values}}}
    keys = {"aws__TagKeys": list(asked)} if asked else {}
    target = Resource(arn=f"arn:aws:iam::{ACCOUNT}:role/x")
    judgement = judged(role({"Action": "iam:*"}, deny), "iam:TagRole", target, **keys)
    return "allowed" if judgement.is_granted else "denied"


@pytest.mark.parametrize(
    ("operator", "values", "asked", "outcome"),
    [
        # IAM user guide, "Multivalued context key examples": one value, ForAllValues and ForAnyValue.
        ("ForAllValues:StringNotLike", "key1*", ("key1:legal",), "allowed"),
        ("ForAllValues:StringNotLike", "key1*", ("key1:hr", "key1:personnel"), "allowed"),
        ("ForAllValues:StringNotLike", "key1*", ("key2:audit",), "denied"),
        ("ForAllValues:StringNotLike", "key1*", (), "denied"),
        ("ForAnyValue:StringLike", "key1*", ("key1:legal", "key2:audit"), "denied"),
        ("ForAnyValue:StringLike", "key1*", ("key2:audit",), "allowed"),
        ("ForAnyValue:StringLike", "key1*", (), "allowed"),
        # IAM user guide, "Condition operator to check existence of condition keys": true means that it is absent.
        ("Null", "true", (), "denied"),
        ("Null", "true", ("a",), "allowed"),
    ],
)
def test_documented_examples_of_multivalued_keys(
    operator: str, values: Any, asked: tuple[str, ...], outcome: str
) -> None:
    assert tag_keys(operator, values, *asked) == outcome


@pytest.mark.parametrize(
    ("statements", "result"),
    [
        # IAM user guide, "Policy evaluation logic": denied by default, allowed explicitly, explicit deny wins.
        ([], "ImplicitlyDenied"),
        ([{"Action": "sns:Publish"}], "Allowed"),
        ([{"Action": "SNS:publish"}], "Allowed"),  # "IAM JSON policy elements: Action": case does not matter
        ([{"Action": "sns:Pub*"}], "Allowed"),
        ([{"Action": "sns:Pub?ish"}], "Allowed"),
        ([{"Action": "sns:Subscribe"}], "ImplicitlyDenied"),
        ([{"Action": "*"}, {"Effect": "Deny", "Action": "sns:*"}], "ExplicitlyDenied"),
        ([{"Action": "sns:Publish", "Resource": "arn:aws:sns:us-east-1:123456789012:a"}], "Allowed"),
        ([{"Action": "sns:Publish", "Resource": "arn:aws:sns:us-east-1:123456789012:A"}], "ImplicitlyDenied"),
        ([{"Action": "sns:Publish", "Resource": "arn:aws:sns:*:123456789012:*"}], "Allowed"),
        # "Condition operators": all operators of a block must match, a missing key does not match StringEquals,
        # IfExists lets it pass, one of several values is enough.
        ([{"Action": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": "us-east-1"}}}], "Allowed"),
        ([{"Action": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": ["x", "us-east-1"]}}}], "Allowed"),
        ([{"Action": "*", "Condition": {"StringLike": {"aws:RequestedRegion": "us-*"}}}], "Allowed"),
        ([{"Action": "*", "Condition": {"StringEquals": {"aws:RequestedRegion": "us-*"}}}], "ImplicitlyDenied"),
        ([{"Action": "*", "Condition": {"StringEquals": {"aws:SourceVpce": "vpce-1"}}}], "ImplicitlyDenied"),
        ([{"Action": "*", "Condition": {"StringEqualsIfExists": {"aws:SourceVpce": "vpce-1"}}}], "Allowed"),
        ([{"Action": "*", "Condition": {"Bool": {"aws:SecureTransport": "false"}}}], "ImplicitlyDenied"),
        (
            [
                {
                    "Action": "*",
                    "Condition": {"Bool": {"aws:SecureTransport": "true"}, "Null": {"aws:SourceIp": "false"}},
                }
            ],
            "ImplicitlyDenied",
        ),
        ([{"Action": "*", "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/r"}}}], "Allowed"),
    ],
)
def test_documented_rules_of_evaluation(statements: list[dict[str, Any]], result: str) -> None:
    context = {
        "aws__RequestedRegion": "us-east-1",
        "aws__SecureTransport": "true",
        "aws__PrincipalArn": f"arn:aws:iam::{ACCOUNT}:role/r",
    }
    topic = Resource(arn=f"arn:aws:sns:us-east-1:{ACCOUNT}:a")
    assert judged(role(*statements), "sns:Publish", topic, **context).verdicts[0].result == result


@pytest.mark.parametrize(
    ("resource", "keys", "outcome"),
    [
        ("arn:aws:s3:::amzn-s3-demo-bucket/${aws:username}/*", {"aws__username": "alice"}, "granted"),
        ("arn:aws:s3:::amzn-s3-demo-bucket/${aws:username}/*", {"aws__username": "bob"}, "refused"),
        ("arn:aws:s3:::amzn-s3-demo-bucket/${aws:username}/*", {}, "refused"),
    ],
)
def test_documented_example_of_a_policy_variable(resource: str, keys: dict[str, str], outcome: str) -> None:
    """IAM user guide, "IAM policy elements: Variables and tags": a home directory for each user."""
    asked = role({"Action": "s3:GetObject", "Resource": resource})
    target = Resource(arn="arn:aws:s3:::amzn-s3-demo-bucket/alice/letter")
    assert judged(asked, "s3:GetObject", target, **keys).is_granted is (outcome == "granted")


def test_attaching_is_authorised_on_instance_and_interface_both() -> None:
    """Service Authorization Reference, Amazon EC2: AttachNetworkInterface has two required resource types."""
    both = (Resource(arn=INSTANCE), Resource(arn=INTERFACE))
    only_interface = role({"Action": "ec2:AttachNetworkInterface", "Resource": INTERFACE})
    assert not judged(only_interface, "ec2:AttachNetworkInterface", *both).is_granted
    named = role({"Action": "ec2:AttachNetworkInterface", "Resource": [INTERFACE, INSTANCE]})
    assert judged(named, "ec2:AttachNetworkInterface", *both).is_granted


@pytest.mark.parametrize(
    ("action", "granted", "other"),
    [
        (
            "lambda:InvokeFunction",
            Resource(arn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:watch"),
            Resource(arn=f"arn:aws:lambda:us-east-1:{ACCOUNT}:function:other"),
        ),
        ("ec2:GetConsoleOutput", Resource(arn=INSTANCE), Resource(arn=INSTANCE.replace("i-1", "i-2"))),
    ],
)
def test_what_a_watchdog_asks_for_is_judged_by_resource(action: str, granted: Resource, other: Resource) -> None:
    asked = role({"Action": action, "Resource": granted.arn})
    assert judged(asked, action, granted).is_granted
    assert not judged(asked, action, other).is_granted


def test_each_resource_has_its_own_tags() -> None:
    """Else the tag of the interface would open the way to every instance."""
    condition = {"StringEquals": {"aws:ResourceTag/soloist:service": "x"}}
    asked = role({"Action": "ec2:AttachNetworkInterface", "Condition": condition})
    tagged = {"aws:ResourceTag/soloist:service": "x"}
    foreign = (Resource(arn=INSTANCE), Resource(arn=INTERFACE, keys=tagged))
    assert "ImplicitlyDenied on " + INSTANCE in judged(asked, "ec2:AttachNetworkInterface", *foreign).sentence
    own = (Resource(arn=INSTANCE, keys=tagged), Resource(arn=INTERFACE, keys=tagged))
    assert judged(asked, "ec2:AttachNetworkInterface", *own).is_granted


@pytest.mark.parametrize(
    ("changed", "outcome"),
    [
        ({}, "granted"),
        ({"NormalizedRecordNames": ["other.lab.internal"]}, "refused"),
        ({"NormalizedRecordNames": ["monitor.lab.internal", "other.lab.internal"]}, "refused"),
        ({"RecordTypes": ["A", "TXT"]}, "refused"),
        ({"Actions": ["UPSERT"]}, "refused"),
    ],
)
def test_route_53_conditions_are_about_every_change_of_the_batch(changed: dict[str, list[str]], outcome: str) -> None:
    """Route 53 developer guide, "Using IAM policy conditions for fine-grained access control"."""
    prefix = "route53:ChangeResourceRecordSets"
    allowed = {"NormalizedRecordNames": ["monitor.lab.internal"], "RecordTypes": ["A"], "Actions": ["CREATE", "DELETE"]}
    condition = {"ForAllValues:StringEquals": {prefix + key: value for key, value in allowed.items()}}
    keys = {f"route53__ChangeResourceRecordSets{key}": value for key, value in (allowed | changed).items()}
    zone = Resource(arn="arn:aws:route53:::hostedzone/Z1")
    asked = role({"Action": "route53:ChangeResourceRecordSets", "Resource": zone.arn, "Condition": condition})
    judgement = judged(asked, "route53:ChangeResourceRecordSets", zone, **keys)
    assert judgement.is_granted is (outcome == "granted")


def test_a_call_that_names_too_little_is_a_finding_not_a_pass() -> None:
    everything = role({"Action": "*"})
    judgement = judged(everything, "ec2:AttachNetworkInterface", Resource(arn=INTERFACE))
    assert "does not name instance" in judgement.sentence
    assert ungranted([judgement]) == [judgement.sentence]
    refused = replace(judgement, call=replace(judgement.call, outcome="InvalidAttachmentID.NotFound"))
    assert ungranted([refused]) == [], "what was asked for is gone: there was nothing to decide"


def test_an_action_that_iam_does_not_know_is_a_finding() -> None:
    assert not judged(role({"Action": "*"}), "ec2:AttachNetworkInterfaces").is_granted


# -------------------------------------------------------------------- grants and reasons
def test_a_grant_that_nothing_uses_is_a_finding_until_a_reason_is_given() -> None:
    topic = Resource(arn=f"arn:aws:sns:us-east-1:{ACCOUNT}:a")
    asked = role({"Action": ["sns:Publish", "sns:Subscribe"]})
    judgements = [judged(asked, "sns:Publish", topic)]
    (finding,) = unused(judgements, [asked], [])
    assert "sns:Subscribe on * is granted, and neither used" in finding
    because = Reason(role="R", action="sns:Subscribe", reason="there is one")
    assert unused(judgements, [asked], [because]) == []
    assert "not granted: take the reason out" in unused(judgements, [asked], [because, replace(because, role="Q")])[0]


def test_each_statement_must_be_used_for_itself() -> None:
    """Two statements allow the same action: the one that no call needed is the finding."""
    topic = Resource(arn=f"arn:aws:sns:us-east-1:{ACCOUNT}:a")
    asked = role(
        {"Action": "sns:Publish", "Resource": topic.arn}, {"Action": "sns:Publish", "Resource": topic.arn + "b"}
    )
    (finding,) = unused([judged(asked, "sns:Publish", topic)], [asked], [])
    assert f"{topic.arn}b is granted" in finding


def test_a_reason_must_be_one(tmp_path: Path) -> None:
    path = tmp_path / "reasons.yaml"
    path.write_text("[{role: R, actions: ['sns:Publish'], reason: needed}]")
    with pytest.raises(LabError, match="no reason worth the name for sns:Publish"):
        read_reasons(path)
