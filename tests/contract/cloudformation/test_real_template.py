"""The very template that `cdk synth` writes, deployed to the control plane: all of it, and again with a new image."""

import json
from collections.abc import Callable, Iterator

import pytest

from lab.aws import FAST, ControlPlane, NoMachines
from lab.play.deployment import deploy
from lab.play.synthesis import Template
from tests.contract.cloudformation.group_members import delete_stack, wait_for_member
from tests.contract.deployed_account import ONE, TWO
from tests.kit.lab_clients import client


@pytest.fixture
def plane() -> Iterator[ControlPlane]:
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0) as plane:
        plane.register_image(ONE, "influxdb-1")
        plane.register_image(TWO, "influxdb-2")
        yield plane
        assert plane.errors == []


def test_deploy_stage_promote_and_deploy_again(plane: ControlPlane, synthesized: Callable[[str], Template]) -> None:
    cloudformation, ec2 = client(plane, "cloudformation"), client(plane, "ec2")
    assert deploy(cloudformation, synthesized(ONE)) == "created"
    assert plane.template_sha256("soloist-influxdb") == synthesized(ONE).sha256
    first = wait_for_member(plane, "Pending:Wait")
    assert deploy(cloudformation, synthesized(ONE)) == "unchanged"
    assert deploy(cloudformation, synthesized(TWO)) == "updated"
    assert plane.template_sha256("soloist-influxdb") == synthesized(TWO).sha256
    found = ec2.describe_launch_templates()["LaunchTemplates"][0]
    assert (found["DefaultVersionNumber"], found["LatestVersionNumber"]) == (1, 2)
    group = plane.group("soloist-influxdb")
    assert group is not None
    assert (group.launch_template_version, [member.instance_id for member in group.members]) == ("1", [first])
    assert group.suspended == ("AZRebalance",)


def test_what_the_agent_and_the_lab_read_is_there(plane: ControlPlane, synthesized: Callable[[str], Template]) -> None:
    deploy(client(plane, "cloudformation"), synthesized(ONE))
    wait_for_member(plane, "Pending:Wait")
    view = plane.instances()[0]
    assert view.http_tokens == "required"
    assert view.credentials is not None
    service = [nic for nic in plane.network_interfaces() if nic.tags.get("soloist:service") == "influxdb"]
    assert sorted(nic.tags["soloist:zone"] for nic in service) == ["us-east-1a", "us-east-1b", "us-east-1c"]
    for nic in service:
        assert nic.id in view.user_data
        assert nic.address in view.user_data
    for target in plane.mount_targets():
        assert target.address in view.user_data
    assert sorted(point.path for point in plane.access_points()) == ["/influxdb/data", "/influxdb/lease"]
    assert len(plane.subnets()) == 6
    record = next(one for one in plane.hosted_zone_records() if one.type == "A")
    assert record.values[0] in {nic.address for nic in service}
    assert record.vpc_ids == (view.vpc_id,)
    for attribute in ("enableDnsSupport", "enableDnsHostnames"):  # else a private zone answers nobody
        found = client(plane, "ec2").describe_vpc_attribute(VpcId=view.vpc_id, Attribute=attribute)
        assert found[attribute[0].upper() + attribute[1:]] == {"Value": True}
    told = client(plane, "autoscaling").describe_notification_configurations()["NotificationConfigurations"]
    assert {one["NotificationType"].rpartition("_")[2] for one in told} == {"ERROR"}
    assert {one["TopicARN"].rpartition(":")[2] for one in told} == {"soloist-influxdb"}


def test_hooks_policies_and_retention_are_those_of_the_template(
    plane: ControlPlane, synthesized: Callable[[str], Template]
) -> None:
    deploy(client(plane, "cloudformation"), synthesized(ONE))
    hooks = client(plane, "autoscaling").describe_lifecycle_hooks(AutoScalingGroupName="soloist-influxdb")
    parts = ("LifecycleHookName", "LifecycleTransition", "HeartbeatTimeout", "DefaultResult")
    assert sorted([one[part] for part in parts] for one in hooks["LifecycleHooks"]) == [
        ["boot", "autoscaling:EC2_INSTANCE_LAUNCHING", 600, "ABANDON"],
        ["drain", "autoscaling:EC2_INSTANCE_TERMINATING", 120, "CONTINUE"],
    ]

    sns = client(plane, "sns")
    topic = sns.list_topics()["Topics"][0]["TopicArn"]
    policy = json.loads(sns.get_topic_attributes(TopicArn=topic)["Attributes"]["Policy"])
    statement, alarms = policy["Statement"]
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", "sns:Publish", topic)
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert (alarms["Effect"], alarms["Principal"]) == ("Allow", {"Service": "cloudwatch.amazonaws.com"})
    assert alarms["Condition"] == {"StringEquals": {"aws:SourceAccount": "123456789012"}}

    logs = client(plane, "logs").describe_log_groups()["logGroups"]
    assert sorted(group["retentionInDays"] for group in logs) == [30, 30, 90], "two handlers, and the watchdog"

    efs = client(plane, "efs")
    (files,) = efs.describe_file_systems()["FileSystems"]
    assert (files["Encrypted"], files["ThroughputMode"], files["PerformanceMode"]) == (
        True,
        "elastic",
        "generalPurpose",
    )
    assert efs.describe_backup_policy(FileSystemId=files["FileSystemId"])["BackupPolicy"]["Status"] == "ENABLED"
    refused = json.loads(efs.describe_file_system_policy(FileSystemId=files["FileSystemId"])["Policy"])
    assert [one["Sid"] for one in refused["Statement"]] == ["RefuseWithoutTls"]


def test_deleting_the_stack_removes_the_record_and_keeps_what_is_retained(
    plane: ControlPlane, synthesized: Callable[[str], Template]
) -> None:
    cloudformation = client(plane, "cloudformation")
    deploy(cloudformation, synthesized(ONE))
    cloudformation.delete_stack(StackName="soloist-influxdb-watch")
    delete_stack(plane)
    assert plane.hosted_zone_records() == []
    assert plane.group("soloist-influxdb") is None
    assert len(client(plane, "efs").describe_file_systems()["FileSystems"]) == 1, "the data outlives the stack"
    assert client(plane, "logs").describe_log_groups()["logGroups"] == [], "the handlers' logs do not"
    assert plane.subnets() == []
