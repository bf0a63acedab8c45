"""What is asked about a holder, what is read back of a publication or renewal, and the sentence for each."""

import threading
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from bootstrap.base.clock import Deadline, SystemClock
from bootstrap.base.errors import CloudError
from bootstrap.base.member import Member
from bootstrap.base.threads import SystemThreads
from bootstrap.cloud.autoscaling import AutoScaling
from bootstrap.cloud.ec2 import Ec2
from bootstrap.lease.evidence import LeaseEvidence
from bootstrap.lease.rules.observation import GONE, GroupAnswer, HolderAnswer, NoAnswer, Seen
from bootstrap.lease.rules.permission import may_touch
from bootstrap.lease.rules.publish import Publication, judge_publication
from bootstrap.lease.rules.record import LeaseRecord, new_record, renewed
from bootstrap.lease.rules.renew import Hold, Renewal, after_renewal, before_renewal
from tests.kit.cloud import IMAGE, Cloud, cloud_error
from tests.kit.lease import IN_SERVICE, ME, OTHER, TIMING, applicant


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
        return {OTHER: IN_SERVICE} if OTHER in instance_ids else {}


def soon(seconds: float = 10.0) -> Deadline:
    return Deadline(SystemClock(), seconds, "evidence")


def evidence_of(cloud: Any) -> LeaseEvidence:
    """`cloud` stands for EC2 and for the group."""
    return LeaseEvidence(cloud, cloud, ME, SystemThreads())


@pytest.fixture
def cloud() -> FakeCloud:
    return FakeCloud()


def test_both_answers_and_no_such_instance_is_one(cloud: FakeCloud) -> None:
    found = GroupAnswer(me=None, holder=IN_SERVICE)
    assert evidence_of(cloud).gather(OTHER, soon()) == (HolderAnswer(state="running"), found)
    cloud.state = None
    assert evidence_of(cloud).gather(OTHER, soon()) == (HolderAnswer(state=GONE), found)


@pytest.mark.parametrize("code", ["Throttling", "UnauthorizedOperation", "EndpointConnectionError"])
def test_error_is_no_answer_and_never_a_state(cloud: FakeCloud, code: str) -> None:
    cloud.error = cloud_error(code, retryable=code == "Throttling")
    assert evidence_of(cloud).gather(OTHER, soon()) == (NoAnswer(reason=f"call: {code}"),) * 2


def test_silence_is_no_answer_within_the_time_for_both(cloud: FakeCloud) -> None:
    cloud.answering.clear()
    holder, group = evidence_of(cloud).gather(OTHER, soon(0.3))
    cloud.answering.set()
    assert holder == NoAnswer(reason="ask EC2 about the holder: no answer within 0 s")
    assert group == GroupAnswer(me=None, holder=IN_SERVICE)


def test_only_a_refusal_that_will_not_change_is_handed_back(cloud: FakeCloud) -> None:
    evidence = evidence_of(cloud)
    assert evidence.terminate(OTHER, soon(), is_forced=False) == ""
    cloud.error = cloud_error("RequestLimitExceeded", retryable=True)
    assert evidence.terminate(OTHER, soon(), is_forced=True) == ""
    cloud.error = cloud_error("OperationNotPermitted", retryable=False)
    assert evidence.terminate(OTHER, soon(), is_forced=True) == "call: OperationNotPermitted"
    assert cloud.asked == [(OTHER, False), (OTHER, True), (OTHER, True)]


# ------------------------------------------------------------------ against the strict AWS
def strict_evidence(aws: Cloud) -> LeaseEvidence:
    return LeaseEvidence(Ec2(aws.clients), AutoScaling(aws.clients, "soloist-demo", ME), ME, SystemThreads())


def test_strict_aws_holder_is_ended_without_its_operating_system(aws: Cloud) -> None:
    holder, evidence = aws.run_instance(), strict_evidence(aws)
    assert evidence.gather(holder, soon())[0] == HolderAnswer(state="running")
    assert evidence.terminate(holder, soon(), is_forced=False) == ""
    aws.aws.advance(30)
    assert evidence.gather(holder, soon())[0] == HolderAnswer(state="terminated")
    assert evidence.terminate(holder, soon(), is_forced=True) == "", "again, and by force, is no error"
    assert evidence.terminate("i-0123456789abcdef0", soon(), is_forced=False) == "", "one that is gone needs no ending"


def test_strict_aws_protected_holder_is_a_refusal(aws: Cloud) -> None:
    holder = aws.run_instance()
    aws.clients.ec2().modify_instance_attribute(InstanceId=holder, DisableApiTermination={"Value": True})
    assert "OperationNotPermitted" in strict_evidence(aws).terminate(holder, soon(), is_forced=True)


def test_strict_aws_members_are_those_of_my_group_only(aws: Cloud) -> None:
    group, made = aws.clients.autoscaling(), {}
    for name in ("soloist-demo", "another"):
        template = aws.clients.ec2().create_launch_template(
            LaunchTemplateName=name, LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "t3.medium"}
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
    assert members == {made["soloist-demo"]: IN_SERVICE}


# ------------------------------------------------------------------ publication, renewal and permission
OWN = new_record(applicant("i-1"), TIMING, generation=42, nonce="mine")
OTHERS = replace(OWN, nonce="theirs", instance_id="i-2")
AWAY = NoAnswer(reason="time-out")
HOLD = Hold(record=OWN, deadline_s=45.0)


def seen(record: LeaseRecord | None, generation: int = 42) -> Seen:
    return Seen(generation=generation, record=record, text="", sent_s=0.0, returned_s=0.0)


@pytest.mark.parametrize(
    ("read_back", "now_s", "outcome", "sentence"),
    [
        (seen(OWN), 1.0, Publication.WON, "is mine"),
        (seen(OTHERS), 1.0, Publication.LOST, "was won by i-2"),
        (seen(None), 1.0, Publication.LOST, "was won by a record that cannot be read"),
        (seen(OTHERS, 43), 1.0, Publication.LOST, "is not mine to hold: there is generation 43 already"),
        (seen(OTHERS, 41), 1.0, Publication.MISSING, "is not there, the highest is generation 41"),
        (AWAY, 1.0, Publication.UNKNOWN, "cannot be read back: time-out"),
        (seen(OWN), 45.0, Publication.EXPIRED, "is confirmed only 45 s after it was sent, deadline 45 s"),
    ],
)
def test_what_is_read_back_decides_a_publication(
    read_back: Seen | NoAnswer, now_s: float, outcome: Publication, sentence: str
) -> None:
    verdict = judge_publication(OWN, read_back, sent_s=0.0, now_s=now_s, timing=TIMING)
    assert (verdict.outcome, verdict.sentence, verdict.deadline_s) == (outcome, f"generation 42 {sentence}", 45.0)


def test_a_renewal_is_sent_with_the_next_number() -> None:
    step = before_renewal(HOLD, seen(OWN), now_s=5.0)
    assert step.action is Renewal.SEND
    assert step.hold.record == renewed(OWN)
    assert step.sentence == "generation 42: send renewal 1"


@pytest.mark.parametrize(
    ("renewals", "sent_s", "now_s", "action", "deadline_s", "sentence"),
    [
        (0, 5.0, 14.0, Renewal.CONFIRMED, 50.0, "renewal 0 is confirmed, 36 s to the deadline"),
        (1, 5.0, 6.0, Renewal.RETRY, 45.0, "renewal 1 is not confirmed: something else is read back"),
        (0, 44.0, 45.0, Renewal.EXPIRED, 45.0, "the deadline passed 0.0 s ago, no renewal can rescue it"),
    ],
    ids=["counts from before it was sent", "an older one that landed late", "confirmed after the deadline before it"],
)
def test_what_is_read_back_after_a_renewal(
    renewals: int, sent_s: float, now_s: float, action: Renewal, deadline_s: float, sentence: str
) -> None:
    hold = replace(HOLD, record=replace(OWN, renewals=renewals))
    step = after_renewal(hold, seen(OWN), sent_s=sent_s, now_s=now_s, timing=TIMING)
    assert (step.action, step.hold.deadline_s, step.sentence) == (action, deadline_s, f"generation 42: {sentence}")


@pytest.mark.parametrize(
    ("look", "sentence"),
    [
        (seen(OTHERS, 43), "generation 42 is lost: there is generation 43"),
        (seen(OTHERS), "generation 42 is lost: its file is that of i-2"),
    ],
)
def test_another_holder_means_lost_before_and_after_a_renewal(look: Seen, sentence: str) -> None:
    for step in (
        before_renewal(HOLD, look, now_s=5.0),
        after_renewal(HOLD, look, sent_s=5.0, now_s=6.0, timing=TIMING),
        before_renewal(HOLD, look, now_s=500.0),
    ):
        assert (step.action, step.sentence) == (Renewal.LOST, sentence)


def test_no_answer_is_tried_again_until_the_deadline() -> None:
    step = before_renewal(HOLD, AWAY, now_s=44.9)
    assert (step.action, step.sentence) == (
        Renewal.RETRY,
        "generation 42: the lease directory does not answer: time-out",
    )
    assert before_renewal(HOLD, AWAY, now_s=45.0).action is Renewal.EXPIRED


@pytest.mark.parametrize(
    ("look", "now_s", "is_given", "sentence"),
    [
        (seen(OWN), 44.0, True, "is mine and the highest"),
        (seen(OWN), 45.0, False, "is past its deadline: nothing is touched"),
        (AWAY, 1.0, False, "cannot be verified (time-out): nothing is touched"),
        (seen(OTHERS, 43), 1.0, False, "is not the highest, there is generation 43: nothing is touched"),
        (seen(OTHERS), 1.0, False, "is somebody else's: nothing is touched"),
    ],
)
def test_permission_needs_the_own_record(look: Seen | NoAnswer, now_s: float, is_given: object, sentence: str) -> None:
    permission = may_touch(HOLD, look, now_s=now_s)
    assert (permission.is_given, permission.sentence) == (is_given, f"generation 42 {sentence}")
