"""Instances take their time to come and to go, and their machines with them."""

from __future__ import annotations

import base64

import boto3
import pytest

from lab.aws.in_process.strict import strict_mock_aws
from tests.kit.aws_world import IMAGE, REGION, ZONES, World, client, refusal


def test_an_instance_is_pending_before_it_runs(world: World) -> None:
    answer = world.ec2.run_instances(ImageId=IMAGE, MinCount=1, MaxCount=1, SubnetId=world.subnets[ZONES[0]])
    instance = answer["Instances"][0]["InstanceId"]
    assert answer["Instances"][0]["State"]["Name"] == "pending"
    assert world.machines.is_on(instance)
    world.aws.advance(9)
    assert world.state(instance) == "pending"
    world.aws.advance(1)
    assert world.state(instance) == "running"


def test_the_machine_gets_what_the_record_says(world: World) -> None:
    instance = world.run(ZONES[1])
    order = world.machines.on[instance]
    view = world.aws.instance(instance)
    assert view is not None
    assert view.primary is not None
    assert (order.zone, order.image_id, order.primary.address) == (ZONES[1], IMAGE, view.address)
    assert order.hostname == "ip-" + view.address.replace(".", "-")
    assert world.aws.instance_by_address(view.address) == view


def test_an_unknown_image_is_refused(world: World) -> None:
    code, _ = refusal(world.ec2.run_instances, ImageId="ami-00000000000000000", MinCount=1, MaxCount=1)
    assert code == "InvalidAMIID.NotFound"


def test_dry_run_launches_nothing(world: World) -> None:
    code, _ = refusal(world.ec2.run_instances, ImageId=IMAGE, MinCount=1, MaxCount=1, DryRun=True)
    assert code == "DryRunOperation"
    assert world.aws.instances() == []


def test_the_launch_templates_settings_apply(world: World) -> None:
    client("iam").create_role(RoleName="agent", AssumeRolePolicyDocument="{}")
    client("iam").create_instance_profile(InstanceProfileName="agent")
    client("iam").add_role_to_instance_profile(InstanceProfileName="agent", RoleName="agent")
    world.ec2.create_launch_template_version(
        LaunchTemplateId=world.template,
        SourceVersion="1",
        LaunchTemplateData={"IamInstanceProfile": {"Name": "agent"}},
    )
    instance = world.run(LaunchTemplate={"LaunchTemplateId": world.template, "Version": "2"})
    view = world.aws.instance(instance)
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


def test_termination_takes_as_long_as_the_machine(world: World) -> None:
    instance = world.run()
    interface = world.interfaces[ZONES[0]]
    world.attach(interface, instance)
    world.aws.advance(3)
    answer = world.ec2.terminate_instances(InstanceIds=[instance])["TerminatingInstances"][0]
    assert (answer["PreviousState"]["Name"], answer["CurrentState"]["Name"]) == ("running", "shutting-down")
    assert world.machines.pressed == [instance]
    world.aws.advance(50)
    assert world.state(instance) == "shutting-down"
    assert world.interface(interface)["Status"] == "in-use"
    world.machines.on.pop(instance)  # the operating system has shut down
    world.aws.advance(3)
    assert world.interface(interface)["Status"] == "in-use"
    world.aws.advance(2)
    assert world.interface(interface)["Status"] == "available"
    assert world.state(instance) == "terminated"


def test_a_machine_that_does_not_shut_down_loses_its_power(world: World) -> None:
    instance = world.run()
    world.ec2.terminate_instances(InstanceIds=[instance])
    world.aws.advance(99)
    assert (world.machines.cut, world.state(instance)) == ([], "shutting-down")
    world.aws.advance(6)
    assert (world.machines.cut[0], world.state(instance)) == (instance, "terminated")


@pytest.mark.parametrize("how", [{"SkipOsShutdown": True}, {"Force": True}])
def test_skipping_the_shutdown_cuts_the_power_at_once(world: World, how: dict[str, bool]) -> None:
    instance = world.run()
    world.ec2.terminate_instances(InstanceIds=[instance])
    world.ec2.terminate_instances(InstanceIds=[instance], **how)
    assert world.machines.cut[0] == instance
    world.aws.advance(5)
    assert world.state(instance) == "terminated"


def test_terminating_twice_is_fine_and_terminated_instances_stay_visible(world: World) -> None:
    instance = world.run()
    for _ in range(2):
        world.ec2.terminate_instances(InstanceIds=[instance], SkipOsShutdown=True)
        world.aws.advance(5)
    described = world.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    assert described["State"]["Name"] == "terminated"
    assert "PrivateIpAddress" not in described
    world.aws.advance(3600)
    assert refusal(world.ec2.describe_instances, InstanceIds=[instance])[0] == "InvalidInstanceID.NotFound"


def test_the_primary_interface_and_its_address_go_with_the_instance(world: World) -> None:
    instance = world.run()
    address = world.aws.instances()[0].address
    world.ec2.terminate_instances(InstanceIds=[instance], SkipOsShutdown=True)
    world.aws.advance(5)
    assert address not in [nic.address for nic in world.aws.network_interfaces()]
    assert world.aws.instance_by_address(address) is None


def status(world: World, instance: str) -> str:
    answer = world.ec2.describe_instance_status(InstanceIds=[instance], IncludeAllInstances=True)
    text: str = answer["InstanceStatuses"][0]["InstanceStatus"]["Status"]
    return text


def test_status_checks_begin_and_notice_a_dead_machine(world: World) -> None:
    instance = world.run()
    assert status(world, instance) == "initializing"
    world.aws.advance(60)
    assert status(world, instance) == "ok"
    world.machines.on.pop(instance)
    world.aws.advance(59)
    assert status(world, instance) == "ok"
    world.aws.advance(3)
    assert (status(world, instance), world.state(instance)) == ("impaired", "running")


def test_stop_and_start_keep_the_record(world: World) -> None:
    instance = world.run()
    address = world.aws.instances()[0].address
    world.ec2.stop_instances(InstanceIds=[instance])
    assert world.state(instance) == "stopping"
    world.machines.on.pop(instance)
    world.aws.advance(6)
    assert world.state(instance) == "stopped"
    world.ec2.start_instances(InstanceIds=[instance])
    world.aws.advance(10)
    assert (world.state(instance), world.aws.instances()[0].address) == ("running", address)
    assert world.machines.is_on(instance)


def test_user_data_reaches_the_view_as_text(world: World) -> None:
    instance = world.run(UserData="#cloud-config\n")
    view = world.aws.instance(instance)
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
