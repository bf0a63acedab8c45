"""What is asked about a holder: an error, silence and "no such instance" are three different things."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import boto3
import pytest

from bootstrap.base.clock import Deadline, SystemClock
from bootstrap.base.errors import CloudError
from bootstrap.base.member import Member
from bootstrap.base.threads import SystemThreads
from bootstrap.cloud.autoscaling import AutoScaling
from bootstrap.cloud.ec2 import Ec2
from bootstrap.lease.evidence import LeaseEvidence
from bootstrap.lease.rules.observation import GONE, GroupAnswer, HolderAnswer, NoAnswer
from tests.kit.cloud import REGION, Cloud, cloud_error
from tests.kit.lease import ME, OTHER

HEALTHY = Member(lifecycle_state="InService", is_healthy=True)


class FakeCloud:
    def __init__(self) -> None:
        self.state: str | None = "running"
        self.error: CloudError | None = None
        self.asked: list[tuple[str, bool]] = []
        self.answering = threading.Event()
        self.answering.set()

    def instance_state(self, instance_id: str) -> str | None:
        self.answering.wait(20)
        if self.error:
            raise self.error
        return self.state

    def terminate(self, instance_id: str, *, is_forced: bool) -> None:
        self.asked.append((instance_id, is_forced))
        if self.error:
            raise self.error

    def members(self, instance_ids: Sequence[str]) -> dict[str, Member]:
        if self.error:
            raise self.error
        return {OTHER: HEALTHY} if OTHER in instance_ids else {}


def soon(seconds: float = 10.0) -> Deadline:
    return Deadline(SystemClock(), seconds, "evidence")


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud()


def test_both_answers(cloud: FakeCloud) -> None:
    holder, group = LeaseEvidence(cloud, cloud, ME, SystemThreads()).gather(OTHER, soon())
    assert holder == HolderAnswer(state="running")
    assert group == GroupAnswer(me=None, holder=HEALTHY)


def test_no_such_instance_is_an_answer(cloud: FakeCloud) -> None:
    cloud.state = None
    assert LeaseEvidence(cloud, cloud, ME, SystemThreads()).gather(OTHER, soon())[0] == HolderAnswer(state=GONE)


@pytest.mark.parametrize("code", ["Throttling", "UnauthorizedOperation", "EndpointConnectionError"])
def test_error_is_no_answer_and_never_a_state(cloud: FakeCloud, code: str) -> None:
    cloud.error = cloud_error(code, retryable=code == "Throttling")
    holder, group = LeaseEvidence(cloud, cloud, ME, SystemThreads()).gather(OTHER, soon())
    assert (holder, group) == (NoAnswer(reason=f"call: {code}"), NoAnswer(reason=f"call: {code}"))


def test_silence_is_no_answer_within_the_time_for_both(cloud: FakeCloud) -> None:
    cloud.answering.clear()
    deadline = soon(0.3)
    holder, group = LeaseEvidence(cloud, cloud, ME, SystemThreads()).gather(OTHER, deadline)
    cloud.answering.set()
    assert holder == NoAnswer(reason="ask EC2 about the holder: no answer within 0 s")
    assert group == GroupAnswer(me=None, holder=HEALTHY)


def test_only_a_refusal_that_will_not_change_is_handed_back(cloud: FakeCloud) -> None:
    evidence = LeaseEvidence(cloud, cloud, ME, SystemThreads())
    assert evidence.terminate(OTHER, soon(), is_forced=False) == ""
    cloud.error = cloud_error("RequestLimitExceeded", retryable=True)
    assert evidence.terminate(OTHER, soon(), is_forced=True) == ""
    cloud.error = cloud_error("OperationNotPermitted", retryable=False)
    assert evidence.terminate(OTHER, soon(), is_forced=True) == "call: OperationNotPermitted"
    assert cloud.asked == [(OTHER, False), (OTHER, True), (OTHER, True)]


# ------------------------------------------------------------------ against the strict AWS
def test_strict_aws_holder_is_ended_without_its_operating_system(aws: Cloud) -> None:
    holder = aws.run_instance()
    evidence = LeaseEvidence(Ec2(aws.clients), AutoScaling(aws.clients, "soloist-demo", ME), ME, SystemThreads())
    assert evidence.gather(holder, soon())[0] == HolderAnswer(state="running")
    assert evidence.terminate(holder, soon(), is_forced=False) == ""
    aws.aws.advance(30)
    assert evidence.gather(holder, soon())[0] == HolderAnswer(state="terminated")
    assert evidence.terminate(holder, soon(), is_forced=True) == "", "again, and by force, is no error"
    assert evidence.terminate("i-0123456789abcdef0", soon(), is_forced=False) == "", "one that is gone needs no ending"


def test_strict_aws_protected_holder_is_a_refusal(aws: Cloud) -> None:
    holder = aws.run_instance()
    boto3.client("ec2", region_name=REGION).modify_instance_attribute(
        InstanceId=holder, DisableApiTermination={"Value": True}
    )
    evidence = LeaseEvidence(Ec2(aws.clients), AutoScaling(aws.clients, "soloist-demo", ME), ME, SystemThreads())
    assert "OperationNotPermitted" in evidence.terminate(holder, soon(), is_forced=True)


def test_strict_aws_members_are_those_of_my_group_only(aws: Cloud) -> None:
    group = boto3.client("autoscaling", region_name=REGION)
    made = {}
    for name in ("soloist-demo", "another"):
        template = boto3.client("ec2", region_name=REGION).create_launch_template(
            LaunchTemplateName=name,
            LaunchTemplateData={"ImageId": "ami-0123456789abcdef0", "InstanceType": "t3.medium"},
        )["LaunchTemplate"]["LaunchTemplateId"]
        group.create_auto_scaling_group(
            AutoScalingGroupName=name,
            MinSize=1,
            MaxSize=1,
            VPCZoneIdentifier=aws.subnet,
            LaunchTemplate={"LaunchTemplateId": template, "Version": "1"},
        )
        aws.aws.advance(30)
        (found,) = group.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        made[name] = found["Instances"][0]["InstanceId"]
    members = AutoScaling(aws.clients, "soloist-demo", made["soloist-demo"]).members(list(made.values()))
    assert members == {made["soloist-demo"]: HEALTHY}
