"""Deploying templates over HTTP: all our resource types, a custom resource that runs, updates, failures, faults."""

from __future__ import annotations

import copy
import hashlib
import json
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError, ConnectionClosedError

from lab.cloud import FAST, ControlPlane, Event, Fault, NoMachines

REGION = "us-east-1"
ONE, TWO = "ami-00000000000000001", "ami-00000000000000002"

HANDLER = """
import json, os, urllib.request
import boto3

def on_event(event, context):
    mine = event.get("PhysicalResourceId", "made-" + event["LogicalResourceId"])
    answer = {"Status": "SUCCESS", "PhysicalResourceId": mine}
    wanted = event["ResourceProperties"]
    if wanted.get("Fail") == event["RequestType"]:
        answer = {"Status": "FAILED", "Reason": "told to fail", "PhysicalResourceId": "half-made"}
    if wanted.get("Crash") == event["RequestType"]:
        raise RuntimeError("handler fell over")
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name="/calls/" + event["RequestId"], Type="String", Value=json.dumps(
        [event["RequestType"], event.get("PhysicalResourceId", ""), wanted.get("Number"), os.environ["GREETING"]]))
    answer["Data"] = {"Who": boto3.client("sts").get_caller_identity()["Arn"]}
    for key in ("StackId", "RequestId", "LogicalResourceId"):
        answer[key] = event[key]
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request, timeout=10).close()
"""


def template(**changes: Any) -> dict[str, Any]:
    """A small stack of the shape of ours; `changes` are properties as Resource__Property=value."""
    resources: dict[str, Any] = {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.0.0/24", "AvailabilityZone": "us-east-1a"},
        },
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {"GroupDescription": "service", "VpcId": {"Ref": "Vpc"}},
        },
        "Interface": {
            "Type": "AWS::EC2::NetworkInterface",
            "DeletionPolicy": "Retain",
            "Properties": {
                "SubnetId": {"Ref": "Subnet"},
                "PrivateIpAddress": "10.0.0.10",
                "GroupSet": [{"Fn::GetAtt": ["Group", "GroupId"]}],
                "Tags": [{"Key": "soloist:service", "Value": "x"}],
            },
        },
        "Files": {
            "Type": "AWS::EFS::FileSystem",
            "Properties": {"Encrypted": True, "FileSystemPolicy": {"Statement": [{"Effect": "Deny"}]}},
        },
        "Target": {
            "Type": "AWS::EFS::MountTarget",
            "Properties": {
                "FileSystemId": {"Ref": "Files"},
                "SubnetId": {"Ref": "Subnet"},
                "SecurityGroups": [{"Ref": "Group"}],
            },
        },
        "Data": {
            "Type": "AWS::EFS::AccessPoint",
            "Properties": {
                "FileSystemId": {"Ref": "Files"},
                "RootDirectory": {
                    "Path": "/x/data",
                    "CreationInfo": {"OwnerUid": "0", "OwnerGid": "0", "Permissions": "0755"},
                },
            },
        },
        "Zone": {
            "Type": "AWS::Route53::HostedZone",
            "Properties": {"Name": "lab.internal", "VPCs": [{"VPCId": {"Ref": "Vpc"}, "VPCRegion": REGION}]},
        },
        "Topic": {"Type": "AWS::SNS::Topic", "Properties": {"TopicName": "x"}},
        "Mail": {
            "Type": "AWS::SNS::Subscription",
            "Properties": {"TopicArn": {"Ref": "Topic"}, "Protocol": "email", "Endpoint": "a@example.com"},
        },
        "State": {"Type": "AWS::SSM::Parameter", "Properties": {"Name": "/x/state", "Type": "String", "Value": "{}"}},
        "Role": {
            "Type": "AWS::IAM::Role",
            "Properties": {"RoleName": "agent", "AssumeRolePolicyDocument": {"Statement": []}},
        },
        "Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "Role"}]}},
        "Template": {
            "Type": "AWS::EC2::LaunchTemplate",
            "Properties": {
                "LaunchTemplateName": "service-x",
                "LaunchTemplateData": {
                    "ImageId": ONE,
                    "InstanceType": "t3.medium",
                    "IamInstanceProfile": {"Arn": {"Fn::GetAtt": ["Profile", "Arn"]}},
                    "MetadataOptions": {"HttpTokens": "required"},
                    "UserData": {"Fn::Base64": {"Fn::Sub": "interface=${Interface} files=${Files.Arn}"}},
                },
            },
        },
        "Instances": {
            "Type": "AWS::AutoScaling::AutoScalingGroup",
            "Properties": {
                "AutoScalingGroupName": "x",
                "MinSize": "1",
                "MaxSize": "1",
                "VPCZoneIdentifier": [{"Ref": "Subnet"}],
                "LaunchTemplate": {
                    "LaunchTemplateId": {"Ref": "Template"},
                    "Version": {"Fn::GetAtt": ["Template", "DefaultVersionNumber"]},
                },
            },
        },
        "Code": {
            "Type": "AWS::Lambda::Function",
            "Properties": {
                "Handler": "index.on_event",
                "Runtime": "python3.11",
                "Role": {"Fn::GetAtt": ["Role", "Arn"]},
                "Code": {"ZipFile": HANDLER},
                "Environment": {"Variables": {"GREETING": "hello"}},
            },
        },
        "Custom": {
            "Type": "Custom::Thing",
            "Properties": {"ServiceToken": {"Fn::GetAtt": ["Code", "Arn"]}, "Number": 7, "ServiceTimeout": 30},
        },
    }
    for path, value in changes.items():
        resource, _, name = path.partition("__")
        resources[resource]["Properties"][name] = value
    outputs = {"Who": {"Value": {"Fn::GetAtt": ["Custom", "Who"]}}, "Point": {"Value": {"Ref": "Data"}}}
    return {"Resources": resources, "Outputs": outputs}


@lru_cache
def session() -> boto3.session.Session:
    return boto3.session.Session("AKIAOPERATOR", "secret", region_name=REGION)


class Account:
    """The operator's view."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.events: list[Event] = []
        plane.subscribe(self.events.append)

    def client(self, service: str, attempts: int = 1) -> Any:
        config = Config(retries={"total_max_attempts": attempts})
        return session().client(service, endpoint_url=self.plane.endpoint_url, config=config)  # type: ignore[call-overload]

    def settled(self) -> dict[str, Any]:
        return self.until(lambda stack: not stack["StackStatus"].endswith("IN_PROGRESS"))

    def until(self, enough: Any) -> dict[str, Any]:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            stack: dict[str, Any] = self.client("cloudformation").describe_stacks(StackName=self.stack_id)["Stacks"][0]
            if enough(stack):
                return stack
            time.sleep(0.05)
        pytest.fail(f"the stack is still {stack['StackStatus']} after 30 s")

    def create(self, document: dict[str, Any]) -> dict[str, Any]:
        made = self.client("cloudformation").create_stack(StackName="x", TemplateBody=json.dumps(document))
        self.stack_id = made["StackId"]
        return self.settled()

    def update(self, document: dict[str, Any]) -> dict[str, Any]:
        self.client("cloudformation").update_stack(StackName="x", TemplateBody=json.dumps(document))
        return self.settled()

    def calls(self) -> list[list[Any]]:
        found = self.client("ssm").get_parameters_by_path(Path="/calls")["Parameters"]
        return [json.loads(one["Value"]) for one in sorted(found, key=lambda one: one["LastModifiedDate"])]

    def group(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
        return found


@pytest.fixture
def account() -> Iterator[Account]:
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0) as plane:
        plane.register_image(ONE, "service-1")
        plane.register_image(TWO, "service-2")
        yield Account(plane)


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
    deadline = time.monotonic() + 10
    while not account.plane.instances() and time.monotonic() < deadline:
        time.sleep(0.05)
    view = account.plane.instances()[0]
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


def test_deploying_twice_changes_nothing(account: Account) -> None:
    account.create(template())
    with pytest.raises(ClientError, match="No updates are to be performed"):
        account.update(template())


def test_metadata_is_not_a_change(account: Account) -> None:
    account.create(template())
    document = template()
    for one in document["Resources"].values():
        one["Metadata"] = {"aws:cdk:path": "x"}
    with pytest.raises(ClientError, match="No updates are to be performed"):
        account.update(document)


def test_a_change_that_is_not_modelled_fails_by_name_and_is_rolled_back(account: Account) -> None:
    account.create(template())
    arn = account.group()["AutoScalingGroupARN"]
    stack = account.update(template(State__Value='{"a": 1}', Instances__Cooldown="60"))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "property Cooldown of AWS::AutoScaling::AutoScalingGroup Instances" in stack["StackStatusReason"]
    assert account.group()["AutoScalingGroupARN"] == arn
    assert account.client("ssm").get_parameter(Name="/x/state")["Parameter"]["Value"] == "{}"


def test_tags_change_in_place(account: Account) -> None:
    account.create(template())
    interface = next(nic for nic in account.plane.network_interfaces() if nic.address == "10.0.0.10")
    assert account.update(template(Interface__Tags=[{"Key": "b", "Value": "1"}]))["StackStatus"] == "UPDATE_COMPLETE"
    after = next(nic for nic in account.plane.network_interfaces() if nic.id == interface.id)
    assert (after.tags["b"], "soloist:service" in after.tags) == ("1", False)


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


# -------------------------------------------------------------------- faults
def test_an_injected_error_hits_so_many_calls(account: Account) -> None:
    fault = account.plane.faults.add(
        Fault(service="ec2", action="Describe.*", code="RequestLimitExceeded", status=503, count=2)
    )
    for _ in range(2):
        with pytest.raises(ClientError, match="RequestLimitExceeded"):
            account.client("ec2").describe_vpcs()
    account.client("ec2").describe_vpcs()
    assert fault.hits == 2


@pytest.mark.parametrize(
    ("service", "operation"),
    [
        ("ssm", "describe_parameters"),
        ("route53", "list_hosted_zones"),
        ("autoscaling", "describe_auto_scaling_groups"),
        ("efs", "describe_file_systems"),
    ],
)
def test_injected_errors_arrive_in_every_protocol(account: Account, service: str, operation: str) -> None:
    account.plane.faults.add(Fault(code="ThrottlingException", message="slow down"))
    with pytest.raises(ClientError) as caught:
        getattr(account.client(service), operation)()
    assert caught.value.response["Error"]["Code"] == "ThrottlingException"
    assert caught.value.response["Error"]["Message"] == "slow down"


def test_work_whose_answer_is_lost_is_done_all_the_same(account: Account) -> None:
    account.plane.faults.add(Fault(service="ec2", action="CreateVpc", lose_answer=True))
    before = len(account.client("ec2").describe_vpcs()["Vpcs"])
    with pytest.raises(ConnectionClosedError):
        account.client("ec2").create_vpc(CidrBlock="10.9.0.0/16")
    assert len(account.client("ec2").describe_vpcs()["Vpcs"]) == before + 1


def test_an_attach_whose_answer_is_lost_looks_like_a_theft_to_the_retry(account: Account) -> None:
    account.create(template())
    interface = next(nic for nic in account.plane.network_interfaces() if nic.address == "10.0.0.10")
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline and not any(one.state == "running" for one in account.plane.instances()):
        time.sleep(0.05)
    instance = account.plane.instances()[0].id
    account.plane.faults.add(Fault(service="ec2", action="AttachNetworkInterface", lose_answer=True))
    with pytest.raises(ClientError, match=r"InvalidNetworkInterface\.InUse"):
        account.client("ec2", attempts=3).attach_network_interface(
            NetworkInterfaceId=interface.id, InstanceId=instance, DeviceIndex=1
        )
    held = next(nic for nic in account.plane.network_interfaces() if nic.id == interface.id)
    assert held.instance_id == instance


def test_a_dropped_connection_is_retried_by_the_sdk(account: Account) -> None:
    fault = account.plane.faults.add(Fault(service="ec2", drop=True))
    account.client("ec2", attempts=2).describe_vpcs()
    assert fault.hits == 1


def test_what_moto_cannot_do_is_said_and_kept(account: Account) -> None:
    with pytest.raises(ClientError) as caught:
        account.client("autoscaling").start_instance_refresh(AutoScalingGroupName="x")
    assert caught.value.response["Error"]["Code"] == "NotModelledByTheLab"
    assert any("start_instance_refresh" in error for error in account.plane.errors)


def test_the_port_taken_is_an_error_and_nothing_stays_patched() -> None:
    with ControlPlane(NoMachines(), address="127.0.0.1", port=0) as plane:
        port = int(plane.endpoint_url.rpartition(":")[2])
    first = ControlPlane(NoMachines(), address="127.0.0.1", port=port)
    with first, pytest.raises(OSError, match=rf"127.0.0.1 port {port}: Address already in use$"):
        ControlPlane(NoMachines(), address="127.0.0.1", port=port).start()
    with ControlPlane(NoMachines(), address="127.0.0.1", port=0):
        pass
