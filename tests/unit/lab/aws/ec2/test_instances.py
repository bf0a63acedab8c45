"""Instances take their time to come and to go, and their machines with them."""

from __future__ import annotations

import base64

import boto3
import pytest

from lab.aws.in_process.strict import strict_mock_aws
from tests.kit.three_zones import IMAGE, REGION, ZONES, ThreeZones, client, refusal


def test_an_instance_is_pending_before_it_runs(zones: ThreeZones) -> None:
    answer = zones.ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=zones.subnets[ZONES[0]])
    instance = answer["Instances"][0]["InstanceId"]
    assert answer["Instances"][0]["State"]["Name"] == "pending"
    assert zones.machines.is_on(instance)
    zones.aws.advance(9)
    assert zones.state(instance) == "pending"
    zones.aws.advance(1)
    assert zones.state(instance) == "running"


def test_the_machine_gets_what_the_record_says(zones: ThreeZones) -> None:
    instance = zones.run(ZONES[1])
    order = zones.machines.on[instance]
    view = zones.aws.instance(instance)
    assert view is not None
    assert view.primary is not None
    assert (order.zone, order.image_id, order.primary.address) == (ZONES[1], IMAGE, view.address)
    assert order.hostname == "ip-" + view.address.replace(".", "-")
    assert zones.aws.instance_by_address(view.address) == view


def test_an_unknown_image_is_refused(zones: ThreeZones) -> None:
    code, _ = refusal(zones.ec2.run_instances, ImageId="ami-00000000000000000", MinCount=1, MaxCount=1)
    assert code == "InvalidAMIID.NotFound"


def test_dry_run_launches_nothing(zones: ThreeZones) -> None:
    code, _ = refusal(zones.ec2.run_instances, ImageId=IMAGE, MinCount=1, MaxCount=1, DryRun=True)
    assert code == "DryRunOperation"
    assert zones.aws.instances() == []


def test_the_launch_templates_settings_apply(zones: ThreeZones) -> None:
    client("iam").create_role(RoleName="agent", AssumeRolePolicyDocument="{}")
    client("iam").create_instance_profile(InstanceProfileName="agent")
    client("iam").add_role_to_instance_profile(InstanceProfileName="agent", RoleName="agent")
    zones.ec2.create_launch_template_version(
        LaunchTemplateId=zones.template,
        SourceVersion="1",
        LaunchTemplateData={"IamInstanceProfile": {"Name": "agent"}},
    )
    instance = zones.run(LaunchTemplate={"LaunchTemplateId": zones.template, "Version": "2"})
    view = zones.aws.instance(instance)
    assert view is not None
    assert view.credentials is not None
    assert (view.http_tokens, view.instance_metadata_tags) == ("required", "enabled")
    assert (view.user_data, view.role_name) == ("hello", "agent")
    assert view.credentials.access_key_id.startswith("ASIA")
    who = boto3.client(
        "sts",
        REGION,
        aws_access_key_id=view.credentials.access_key_id,
        aws_secret_access_key=view.credentials.secret_access_key,
        aws_session_token=view.credentials.token,
    ).get_caller_identity()
    assert who["Arn"] == f"arn:aws:sts::123456789012:assumed-role/agent/{instance}"


def test_termination_takes_as_long_as_the_machine(zones: ThreeZones) -> None:
    instance = zones.run()
    interface = zones.interfaces[ZONES[0]]
    zones.attach(interface, instance)
    zones.aws.advance(3)
    answer = zones.ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
    assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == ("running", "shutting-down")
    assert zones.machines.pressed == [instance]
    zones.aws.advance(50)
    assert zones.state(instance) == "shutting-down"
    assert zones.interface(interface)["Status"] == "in-use"
    zones.machines.on.pop(instance)  # the operating system has shut down
    zones.aws.advance(3)
    assert zones.interface(interface)["Status"] == "in-use"
    zones.aws.advance(2)
    assert zones.interface(interface)["Status"] == "available"
    assert zones.state(instance) == "terminated"


def test_a_machine_that_does_not_shut_down_loses_its_power(zones: ThreeZones) -> None:
    instance = zones.run()
    zones.ec2.terminate_instances(InstanceIds=[instance])
    zones.aws.advance(99)
    assert (zones.machines.cut, zones.state(instance)) == ([], "shutting-down")
    zones.aws.advance(6)
    assert (zones.machines.cut[0], zones.state(instance)) == (instance, "terminated")


@pytest.mark.parametrize("how", [{"SkipOsShutdown": True}, {"Force": True}])
def test_skipping_the_shutdown_cuts_the_power_at_once(zones: ThreeZones, how: dict[str, bool]) -> None:
    instance = zones.run()
    zones.ec2.terminate_instances(InstanceIds=[instance])
    zones.ec2.terminate_instances(InstanceIds=[instance], **how)
    assert zones.machines.cut[0] == instance
    zones.aws.advance(5)
    assert zones.state(instance) == "terminated"


def test_terminating_twice_is_fine_and_terminated_instances_stay_visible(zones: ThreeZones) -> None:
    instance = zones.run()
    for _ in range(2):
        zones.ec2.terminate_instances(InstanceIds=[instance], SkipOsShutdown=True)
        zones.aws.advance(5)
    described = zones.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert described["State"]["Name"] == "terminated"
    assert "PrivateIpAddress" not in described
    zones.aws.advance(3600)
    assert refusal(zones.ec2.describe_instances, InstanceIds=[instance])[0] == "InvalidInstanceID.NotFound"


def test_the_primary_interface_and_its_address_go_with_the_instance(zones: ThreeZones) -> None:
    instance = zones.run()
    address = zones.aws.instances()[0].address
    zones.ec2.terminate_instances(InstanceIds=[instance], SkipOsShutdown=True)
    zones.aws.advance(5)
    assert address not in [nic.address for nic in zones.aws.network_interfaces()]
    assert zones.aws.instance_by_address(address) is None


def status(zones: ThreeZones, instance: str) -> str:
    answer = zones.ec2.describe_instance_status(InstanceIds=[instance], IncludeAllInstances=True)
    text: str = answer["InstanceStatuses"][0]["InstanceStatus"]["Status"]
    return text


def test_status_checks_begin_and_notice_a_dead_machine(zones: ThreeZones) -> None:
    instance = zones.run()
    assert status(zones, instance) == "initializing"
    zones.aws.advance(60)
    assert status(zones, instance) == "ok"
    zones.machines.on.pop(instance)
    zones.aws.advance(59)
    assert status(zones, instance) == "ok"
    zones.aws.advance(3)
    assert (status(zones, instance), zones.state(instance)) == ("impaired", "running")


def test_stop_and_start_keep_the_record(zones: ThreeZones) -> None:
    instance = zones.run()
    address = zones.aws.instances()[0].address
    zones.ec2.stop_instances(InstanceIds=[instance])
    assert zones.state(instance) == "stopping"
    zones.machines.on.pop(instance)
    zones.aws.advance(6)
    assert zones.state(instance) == "stopped"
    zones.ec2.start_instances(InstanceIds=[instance])
    zones.aws.advance(10)
    assert (zones.state(instance), zones.aws.instances()[0].address) == ("running", address)
    assert zones.machines.is_on(instance)


def test_user_data_reaches_the_view_as_text(zones: ThreeZones) -> None:
    instance = zones.run(UserData="#cloud-config\n")
    view = zones.aws.instance(instance)
    assert view is not None
    assert view.user_data == "#cloud-config\n"
    assert base64.b64encode(view.user_data.encode())


def test_instant_aws_needs_no_clock() -> None:
    with strict_mock_aws(instant=True) as aws:
        aws.register_image(IMAGE, "x")
        ec2 = client("ec2")
        answer = ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1)["Instances"][0]
        assert [view.state for view in aws.instances()] == ["running"]
        ec2.terminate_instances(InstanceIds=[answer["InstanceId"]])
        assert [view.state for view in aws.instances()] == ["terminated"]
        assert aws.errors == []
