"""The watchdog's door to AWS, against the lab's: what it reads and changes, and what it makes of refusals."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import boto3
import pytest

from bootstrap.base.names import maintenance_parameter, state_parameter, watchdog_parameter
from lab.aws import Fault, StrictAws, strict_mock_aws
from tests.kit.agent_cloud import IMAGE, build_cloud
from watchdog.aws import Aws, AwsError, Interfered

REGION = "us-east-1"
START_S = 1_800_000_000.0  # of the lab's clock


@dataclass
class Account:
    """A group whose instance waits in its launch hook."""

    aws: StrictAws
    door: Aws
    instance_id: str

    def client(self, service: str) -> Any:
        make: Any = boto3.client
        return make(service, region_name=REGION)

    def lifecycle(self) -> str:
        (member,) = [one for one in self.door.group().members if one.instance_id == self.instance_id]
        return member.lifecycle

    def serve(self) -> None:
        self.client("autoscaling").complete_lifecycle_action(
            AutoScalingGroupName="soloist-demo",
            InstanceId=self.instance_id,
            LifecycleHookName="boot",
            LifecycleActionResult="CONTINUE",
        )
        self.aws.advance(5)
        assert self.lifecycle() == "InService"

    def write(self, name: str, value: str) -> None:
        self.client("ssm").put_parameter(Name=name, Value=value, Type="String", Overwrite=True)


@pytest.fixture
def account(tmp_path) -> Iterator[Account]:
    with strict_mock_aws() as aws:
        made = build_cloud(aws, "http://127.0.0.1:1/", str(tmp_path))
        topics = boto3.client("sns", region_name=REGION).list_topics()["Topics"]
        yield Account(aws=aws, door=Aws("demo", topics[0]["TopicArn"]), instance_id=made["instance_id"])


def test_the_group_and_its_instance_are_read(account: Account):
    group = account.door.group()
    (member,) = group.members
    assert (group.version, member.version) == ("1", "1")
    assert (member.instance_id, member.lifecycle, member.health) == (account.instance_id, "Pending:Wait", "Healthy")
    machine = account.door.machine(account.instance_id)
    assert machine is not None
    assert machine.zone == "us-east-1a"
    assert machine.address.startswith("10.0.0.")
    assert not account.door.is_impaired(account.instance_id)
    assert machine.launched_at == START_S


def test_a_launch_is_abandoned_a_serving_one_is_reported_and_a_stopping_one_is_let_go(account: Account):
    account.serve()
    account.door.report_unhealthy(account.instance_id)
    account.aws.advance(30)
    assert account.lifecycle() == "Terminating:Wait"
    account.door.let_go(account.instance_id)
    account.aws.advance(200)
    (other,) = account.door.group().members
    assert other.instance_id != account.instance_id
    assert other.lifecycle == "Pending:Wait"
    account.door.abandon_launch(other.instance_id)
    account.aws.advance(1)
    assert account.door.group().members[0].lifecycle != "Pending:Wait"


@pytest.mark.parametrize("has_types", [False, True])
def test_the_group_launches_from_another_version_and_keeps_all_else(account: Account, *, has_types: bool):
    group = account.client("autoscaling")
    before = group.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    template = before["LaunchTemplate"]["LaunchTemplateId"]
    account.client("ec2").create_launch_template_version(
        LaunchTemplateId=template, LaunchTemplateData={"ImageId": IMAGE, "InstanceType": "t3.large"}
    )
    if has_types:
        specification = {"LaunchTemplateId": template, "Version": "1"}
        overrides = [{"InstanceType": "t3.medium"}, {"InstanceType": "t3a.medium"}]
        group.update_auto_scaling_group(
            AutoScalingGroupName="soloist-demo",
            MixedInstancesPolicy={
                "LaunchTemplate": {"LaunchTemplateSpecification": specification, "Overrides": overrides}
            },
        )
    before = group.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    account.door.launch_from("2")
    assert account.door.group().version == "2"
    after = group.describe_auto_scaling_groups()["AutoScalingGroups"][0]
    text = json.dumps(before, default=str)
    assert json.dumps(after, default=str) == text.replace('"Version": "1"', '"Version": "2"', 1)


def test_maintenance_counts_from_when_it_was_written_by_awss_clock(account: Account):
    now_s = account.door.group().now_s
    assert account.door.maintenance(now_s) == ""
    account.write(maintenance_parameter("demo"), json.dumps({"for_s": 600, "by": "ann", "why": "disks"}))
    written_s = (
        account.client("ssm")
        .get_parameter(Name=maintenance_parameter("demo"))["Parameter"]["LastModifiedDate"]
        .timestamp()
    )
    assert account.door.maintenance(written_s + 599) == "ann: disks"
    assert account.door.maintenance(written_s + 601) == ""
    for text in ("{", "[]", '{"for_s": "x", "by": "ann", "why": "disks"}', '{"for_s": 600}'):
        account.write(maintenance_parameter("demo"), text)
        with pytest.raises(AwsError, match="maintenance parameter cannot be read"):
            account.door.maintenance(written_s)


def test_the_memory_is_written_over_the_version_that_was_read(account: Account):
    account.write(watchdog_parameter("demo"), "{}")
    assert account.door.memory() == ("{}", 1)
    assert account.door.remember('{"good": "1"}', 1) == 2
    with pytest.raises(Interfered):
        account.door.remember('{"good": "2"}', 1)
    assert account.door.memory() == ('{"good": "1"}', 2)


def test_what_another_run_writes_in_the_same_moment_stays(account: Account, monkeypatch: pytest.MonkeyPatch):
    account.write(watchdog_parameter("demo"), "{}")
    first = account.door.memory()
    seen = iter([first])
    real = account.door.memory
    monkeypatch.setattr(account.door, "memory", lambda: next(seen, None) or real())
    account.write(watchdog_parameter("demo"), '{"acted_on": "i-1"}')
    with pytest.raises(Interfered):
        account.door.remember('{"good": "2"}', first[1])
    assert real()[0] == '{"acted_on": "i-1"}'


def test_no_parameter_is_nothing_and_a_refusal_is_no_answer(account: Account):
    assert account.door.memory() == ("", 0)
    account.write(state_parameter("demo"), '{"phase": "ready"}')
    assert account.door.state_text() == '{"phase": "ready"}'
    account.aws.faults.add(Fault(service="ssm", action="GetParameter", code="AccessDeniedException", count=None))
    with pytest.raises(AwsError, match="ssm: get_parameter"):
        account.door.memory()
    with pytest.raises(AwsError):
        account.door.maintenance(0.0)


def test_no_group_is_an_error(account: Account):
    with pytest.raises(AwsError, match="no group soloist-other"):
        Aws("other", "").group()
