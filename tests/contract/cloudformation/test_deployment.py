"""Deploying templates over HTTP: all our resource types, a custom resource that runs, updates, failures."""

import copy
import hashlib
import json

import pytest
from botocore.exceptions import ClientError

from lab.base.waiting import wait_for
from tests.contract.cloudformation import stack_readers as read
from tests.contract.deployed_account import ONE, TWO, Account, of, template


def test_every_type_is_really_made(account: Account) -> None:
    document = template()
    stack = account.create(document)
    assert stack["StackStatus"] == "CREATE_COMPLETE", stack
    plane = account.plane
    assert plane.template_sha256("x") == hashlib.sha256(json.dumps(document).encode()).hexdigest()
    outputs = {one["OutputKey"]: one["OutputValue"] for one in stack["Outputs"]}
    point = plane.access_points()[0]
    assert (point.id, point.path, point.mode) == (outputs["Point"], "/x/data", "0755")
    assert "assumed-role/agent" in outputs["Who"]
    interface = next(nic for nic in plane.network_interfaces() if nic.address == "10.0.0.10")
    assert interface.tags["soloist:service"] == "x"
    described = account.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[interface.id])
    assert [group["GroupName"] for group in described["NetworkInterfaces"][0]["Groups"]] != ["default"]
    policy = account.client("efs").describe_file_system_policy(FileSystemId=point.file_system_id)
    assert json.loads(policy["Policy"]) == {"Statement": [{"Effect": "Deny"}]}
    assert plane.mount_targets()[0].zone == "us-east-1a"
    assert account.client("sns").list_subscriptions()["Subscriptions"][0]["Endpoint"] == "a@example.com"
    zone = account.client("route53").list_hosted_zones()["HostedZones"][0]
    assert zone["Config"]["PrivateZone"] is True
    assert plane.errors == []


def test_the_groups_instance_knows_what_the_template_says(account: Account) -> None:
    account.create(template())
    view = wait_for(account.plane.instances, "the group's instance", deadline_s=10.0, poll_s=0.05)[0]
    interface = next(nic for nic in account.plane.network_interfaces() if nic.address == "10.0.0.10")
    assert view.user_data.startswith(f"interface={interface.id} files=arn:aws:elasticfilesystem:")
    assert (view.role_name, view.http_tokens, view.image_id) == ("agent", "required", ONE)


def test_a_custom_resource_is_asked_as_cloudformation_asks(account: Account) -> None:
    account.create(template())
    assert account.calls() == [["Create", "", "7", "hello"]], "numbers are sent as strings"
    account.update(template(Custom__Number=8))
    assert account.calls()[-1] == ["Update", "made-Custom", "8", "hello"]


def test_a_new_image_is_a_new_version_and_nothing_else(account: Account) -> None:
    account.create(template())
    account.plane.cloud.wake.set()
    before = account.group()
    document = template()
    document["Resources"]["Template"]["Properties"]["LaunchTemplateData"]["ImageId"] = TWO
    assert account.update(document)["StackStatus"] == "UPDATE_COMPLETE"
    described = account.client("ec2").describe_launch_templates()["LaunchTemplates"][0]
    assert (described["DefaultVersionNumber"], described["LatestVersionNumber"]) == (1, 2)
    after = account.group()
    assert (after["AutoScalingGroupARN"], after["LaunchTemplate"]) == (
        before["AutoScalingGroupARN"],
        before["LaunchTemplate"],
    )
    updated = {event.text.split(" ")[0] for event in account.events if event.text.endswith("UPDATE_IN_PROGRESS")}
    assert updated == {"Template"}


def test_the_next_staging_resolves_to_the_promoted_version(account: Account) -> None:
    account.create(template())
    document = template()
    data = document["Resources"]["Template"]["Properties"]["LaunchTemplateData"]
    data["ImageId"] = TWO
    account.update(document)
    account.client("ec2").modify_launch_template(LaunchTemplateName="service-x", DefaultVersion="2")
    data["InstanceType"] = "t3.large"
    assert account.update(document)["StackStatus"] == "UPDATE_COMPLETE"
    assert account.group()["LaunchTemplate"]["Version"] == "2"


def test_a_change_that_is_not_modelled_fails_by_name_and_is_rolled_back(account: Account) -> None:
    account.create(template())
    arn = account.group()["AutoScalingGroupARN"]
    stack = account.update(template(State__Value='{"a": 1}', Instances__Cooldown="60"))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "property Cooldown of AWS::AutoScaling::AutoScalingGroup Instances" in stack["StackStatusReason"]
    assert account.group()["AutoScalingGroupARN"] == arn
    assert account.client("ssm").get_parameter(Name="/x/state")["Parameter"]["Value"] == "{}"


def test_the_stacks_tags_are_on_what_takes_tags_and_a_resources_own_win(account: Account) -> None:
    own = [{"Key": "mine", "Value": "own", "PropagateAtLaunch": True}]
    document = template(Instances__Tags=own, Role__Tags=[{"Key": "mine", "Value": "own"}])
    given = [{"Key": "mine", "Value": "stack"}, {"Key": "all", "Value": "stack"}]
    made = account.client("cloudformation").create_stack(StackName="x", Tags=given, **of(document))
    account.stack_id = made["StackId"]
    assert account.settled()["StackStatus"] == "CREATE_COMPLETE"
    keys = [tag["Key"] for tag in account.group()["Tags"]]
    assert len(keys) == len(set(keys)), "a key is there once"
    for reader in (read.group_tags, read.role_tags):
        assert reader(account) == {"mine": "own", "all": "stack"}
    for reader in (read.topic_tags, read.parameter_tags, read.template_tags, read.access_point_tags):
        assert reader(account) == {"mine": "stack", "all": "stack"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Custom__Fail": "Create"}, "told to fail"),
        ({"Custom__Crash": "Create"}, "handler fell over"),
    ],
)
def test_a_failing_custom_resource_fails_the_stack_with_its_reason(
    account: Account, changes: dict[str, str], reason: str
) -> None:
    stack = account.create(template(**changes))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in stack["StackStatusReason"]
    assert account.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []
    if "Custom__Fail" in changes:
        assert account.calls()[-1] == ["Delete", "half-made", "7", "hello"], "what was half made is deleted"


def test_deletion_retains_what_it_must_and_asks_the_custom_resource(account: Account) -> None:
    document = template()
    for name in ("Vpc", "Subnet", "Group"):  # in use by the retained interface, as on AWS
        document["Resources"][name]["DeletionPolicy"] = "Retain"
    account.create(document)
    account.client("cloudformation").delete_stack(StackName="x")
    stack = account.settled()
    assert stack["StackStatus"] == "DELETE_COMPLETE", stack
    assert account.calls()[-1][:2] == ["Delete", "made-Custom"]
    assert [nic.address for nic in account.plane.network_interfaces()] == ["10.0.0.10"]
    assert account.client("efs").describe_file_systems()["FileSystems"] == []
    assert account.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"] == []


def test_a_record_changed_behind_its_back_cannot_be_deleted_by_the_template(account: Account) -> None:
    document = {
        "Resources": {
            "Zone": {"Type": "AWS::Route53::HostedZone", "Properties": {"Name": "lab.internal"}},
            "Record": {
                "Type": "AWS::Route53::RecordSet",
                "Properties": {
                    "HostedZoneId": {"Ref": "Zone"},
                    "Name": "a.lab.internal",
                    "Type": "A",
                    "TTL": "10",
                    "ResourceRecords": ["10.0.0.1"],
                },
            },
        }
    }
    account.create(document)
    record = copy.deepcopy(document["Resources"]["Record"]["Properties"])
    zone = account.client("route53").list_hosted_zones()["HostedZones"][0]["Id"]
    new = {"Name": record["Name"], "Type": "A", "TTL": 10, "ResourceRecords": [{"Value": "10.0.0.2"}]}
    account.client("route53").change_resource_record_sets(
        HostedZoneId=zone, ChangeBatch={"Changes": [{"Action": "UPSERT", "ResourceRecordSet": new}]}
    )
    account.client("cloudformation").delete_stack(StackName="x")
    stack = account.settled()
    assert (stack["StackStatus"], "[Record" in stack["StackStatusReason"]) == ("DELETE_FAILED", True)


@pytest.mark.parametrize("call", ["create_change_set", "execute_change_set"])
def test_change_sets_are_refused_with_the_remedy(account: Account, call: str) -> None:
    arguments = {"StackName": "x", "ChangeSetName": "c"} | ({"TemplateBody": "{}"} if call.startswith("create") else {})
    with pytest.raises(ClientError, match="--method=direct"):
        getattr(account.client("cloudformation"), call)(**arguments)
