"""What an update does to each resource, as CloudFormation's resource reference says: in place, replaced, or refused.

The template is that of deployed_account.py; `Resource__Property=value` changes one property of it.
"""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from botocore.exceptions import ClientError

from tests.contract.cloudformation import stack_readers as read
from tests.contract.deployed_account import ONE, Account, open_account, template

ALARM: dict[str, Any] = yaml.safe_load("""
Type: AWS::CloudWatch::Alarm
Properties:
  {AlarmName: not-ready, Namespace: soloist, MetricName: Ready, Statistic: Minimum, Threshold: 1, Period: 60,
   ComparisonOperator: LessThanThreshold, EvaluationPeriods: 3, AlarmActions: [{Ref: Topic}]}
""")


@pytest.fixture
def account() -> Iterator[Account]:
    with open_account() as opened:
        yield opened
        assert opened.plane.errors == []


def worked_on(account: Account) -> dict[str, list[str]]:
    """What CloudFormation did since the last time this was asked: logical ids by verb, from the call log."""
    found: dict[str, list[str]] = {}
    calls = account.plane.calls.calls()
    for call in calls[getattr(account, "seen", 0) :]:
        if call.caller.kind == "cloudformation":
            verb = call.action.removeprefix("cloudformation:").removesuffix("Resource")
            found.setdefault(verb, []).append(str(call.keys["logical-id"]))
    account.seen = len(calls)  # type: ignore[attr-defined]
    return found


def with_resource(document: dict[str, Any], name: str, definition: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """The template with one more resource."""
    made = copy.deepcopy(definition)
    made["Properties"] |= changes
    document["Resources"][name] = made
    return document


A1 = [{"Key": "a", "Value": "1"}]
A2 = [{"Key": "a", "Value": "2"}, {"Key": "b", "Value": "1"}]
NOT_MODELLED = "the lab does not model"
RULE = {"IpProtocol": "tcp", "FromPort": 1, "ToPort": 1, "CidrIp": "10.0.0.0/8"}


def _of_template(tags: list[dict[str, str]]) -> list[dict[str, Any]]:
    return [{"ResourceType": "launch-template", "Tags": tags}]


# Property and new value, the one resource that is updated, how to read it, and what must be read then.
IN_PLACE: list[tuple[str, Any, Callable[[Account], Any], Any]] = [
    ("Topic__Tags", A1, read.topic_tags, {"a": "1"}),
    ("Topic__Tags", A2, read.topic_tags, {"a": "2", "b": "1"}),
    ("Topic__Tags", [], read.topic_tags, {}),
    ("Role__Tags", A1, read.role_tags, {"a": "1"}),
    ("Role__Tags", [A2[1]], read.role_tags, {"b": "1"}),
    ("Role__Description", "of the agent", lambda account: read.role(account)["Description"], "of the agent"),
    ("State__Value", '{"a": 1}', read.parameter_value, '{"a": 1}'),
    ("State__Description", "state", lambda account: read.parameter(account)["Description"], "state"),
    ("State__Tags", {"a": "1"}, read.parameter_tags, {"a": "1"}),
    ("State__Tags", {"b": "1"}, read.parameter_tags, {"b": "1"}),
    ("Template__TagSpecifications", _of_template(A1), read.template_tags, {"a": "1"}),
    ("Template__TagSpecifications", _of_template([A2[1]]), read.template_tags, {"b": "1"}),
    ("Template__VersionDescription", "second", read.template_versions, ["", "second"]),
    ("Instances__Tags", [A1[0] | {"PropagateAtLaunch": True}], read.group_tags, {"a": "1"}),
    ("Instances__HealthCheckGracePeriod", 60, lambda account: account.group()["HealthCheckGracePeriod"], 60),
    ("Group__SecurityGroupIngress", [RULE], read.ingress, [[1, ["10.0.0.0/8"]]]),
    ("Files__FileSystemPolicy", {"Statement": []}, read.file_system_policy, {"Statement": []}),
    ("Files__FileSystemTags", A2, read.file_system_tags, {"a": "2", "b": "1"}),
    ("Files__FileSystemTags", A1, read.file_system_tags, {"a": "1"}),
    ("Data__AccessPointTags", A1, read.access_point_tags, {"a": "1"}),
    ("Interface__Tags", [A2[1]], read.interface_tags, {"b": "1"}),
    ("Zone__HostedZoneTags", A2, read.zone_tags, {"a": "2", "b": "1"}),
    ("Zone__HostedZoneTags", A1, read.zone_tags, {"a": "1"}),
    ("Code__Timeout", 9, lambda account: read.function(account)["Timeout"], 9),
    ("Code__Tags", A1, lambda account: read.function(account)["Tags"], {"a": "1"}),
    ("Custom__Number", 8, read.custom_calls, ["Update", "made-Custom", "8", "hello"]),
]


def test_these_change_in_place_and_arrive_and_nothing_else_changes(account: Account) -> None:
    account.create(template())
    group, changes = account.group()["AutoScalingGroupARN"], {}
    assert "Instances" in worked_on(account)["Create"]
    for name, value, reader, expected in IN_PLACE:
        changes[name] = value
        assert account.update(template(**changes))["StackStatus"] == "UPDATE_COMPLETE", name
        assert worked_on(account) == {"Update": [name.partition("__")[0]]}, name
        assert reader(account) == expected, name
    assert account.group()["AutoScalingGroupARN"] == group


def test_a_groups_subnets_change_in_place_and_what_runs_stays(account: Account) -> None:
    subnet = {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "10.0.1.0/24", "AvailabilityZone": "us-east-1b"}
    both = template()
    both["Resources"]["Other"] = {"Type": "AWS::EC2::Subnet", "Properties": subnet}
    both["Resources"]["Instances"]["Properties"]["VPCZoneIdentifier"].append({"Ref": "Other"})
    account.create(template())
    arn = account.group()["AutoScalingGroupARN"]
    for document, zones in ((both, ["us-east-1a", "us-east-1b"]), (template(), ["us-east-1a"])):
        assert account.update(document)["StackStatus"] == "UPDATE_COMPLETE"
        assert (account.group()["AvailabilityZones"], account.group()["AutoScalingGroupARN"]) == (zones, arn)


def test_tags_and_descriptions_given_on_creation_are_there(account: Account) -> None:
    """The first value of each property above, all at once, before anything is updated."""
    wanted = [case for case in IN_PLACE if case[0].endswith(("Tags", "TagSpecifications", "__Description"))]
    first = {case[0]: case for case in reversed(wanted)}
    assert account.create(template(**{name: case[1] for name, case in first.items()}))["StackStatus"] == (
        "CREATE_COMPLETE"
    )
    for name, _, reader, expected in first.values():
        assert reader(account) == expected, name


def test_a_tag_that_the_operator_added_outlives_an_update(account: Account) -> None:
    account.create(template(Role__Tags=A1))
    account.client("iam").tag_role(RoleName="agent", Tags=[{"Key": "mine", "Value": "1"}])
    account.update(template(Role__Tags=[A2[1]]))
    assert read.role_tags(account) == {"b": "1", "mine": "1"}


def test_hook_dashboard_and_outgoing_rules_are_really_there(account: Account) -> None:
    hook = {
        "Type": "AWS::AutoScaling::LifecycleHook",
        "Properties": {
            "AutoScalingGroupName": {"Ref": "Instances"},
            "LifecycleHookName": "boot",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
            "HeartbeatTimeout": 300,
        },
    }
    board = {
        "Type": "AWS::CloudWatch::Dashboard",
        "Properties": {"DashboardName": "b", "DashboardBody": '{"widgets": []}'},
    }
    rules = [{"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049, "CidrIp": "10.0.0.0/16"}]
    document = with_resource(with_resource(template(Group__SecurityGroupEgress=rules), "Hook", hook), "Board", board)
    assert account.create(document)["StackStatus"] == "CREATE_COMPLETE"
    hooks = account.client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName="x")["LifecycleHooks"]
    assert [(one["LifecycleHookName"], one["HeartbeatTimeout"], one["DefaultResult"]) for one in hooks] == [
        ("boot", 300, "ABANDON")
    ]
    assert account.client("cloudwatch").get_dashboard(DashboardName="b")["DashboardBody"] == '{"widgets": []}'
    described = account.client("ec2").describe_security_groups(Filters=[{"Name": "description", "Values": ["service"]}])
    (permission,) = described["SecurityGroups"][0]["IpPermissionsEgress"]
    assert (permission["FromPort"], permission["IpRanges"]) == (2049, [{"CidrIp": "10.0.0.0/16"}])
    board["Properties"]["DashboardBody"] = "not JSON"
    document["Resources"]["Board"] = board
    assert "must be a valid JSON object" in account.update(document)["StackStatusReason"]
    assert account.client("cloudwatch").get_dashboard(DashboardName="b")["DashboardBody"] == '{"widgets": []}'


def test_an_alarm_is_added_changed_and_taken_away(account: Account) -> None:
    """CloudFormation resource reference, AWS::CloudWatch::Alarm: Threshold is updated without interruption."""
    account.create(template())
    worked_on(account)
    cloudwatch = account.client("cloudwatch")

    def alarms() -> list[list[Any]]:
        found = cloudwatch.describe_alarms()["MetricAlarms"]
        return [[one[key] for key in ("AlarmName", "Threshold", "Period", "AlarmActions")] for one in found]

    topic = account.client("sns").list_topics()["Topics"][0]["TopicArn"]
    account.update(with_resource(template(), "Alarm", ALARM))
    assert (alarms(), worked_on(account)) == ([["not-ready", 1.0, 60, [topic]]], {"Create": ["Alarm"]})
    account.update(with_resource(template(), "Alarm", ALARM, Threshold=2))
    assert (alarms(), worked_on(account)) == ([["not-ready", 2.0, 60, [topic]]], {"Update": ["Alarm"]})
    account.update(template())
    assert (alarms(), worked_on(account)) == ([], {"Delete": ["Alarm"]})


def test_what_needs_replacement_is_made_anew_and_the_old_one_goes_last(account: Account) -> None:
    account.create(template())
    worked_on(account)
    before = {nic.id for nic in account.plane.network_interfaces() if nic.address == "10.0.0.10"}
    stack = account.update(template(Interface__PrivateIpAddress="10.0.0.11"))
    assert stack["StackStatus"] == "UPDATE_COMPLETE", stack
    # The launch template's user data names the interface: a new version; the default, and so the group, stay.
    assert worked_on(account) == {"Update": ["Interface", "Template"], "Delete": ["Interface"]}
    by_address = {nic.address: nic.id for nic in account.plane.network_interfaces()}
    assert "10.0.0.10" not in by_address
    assert by_address["10.0.0.11"] not in before
    assert account.group()["LaunchTemplate"]["Version"] == "1"


def test_the_old_one_is_kept_where_the_template_says_so(account: Account) -> None:
    account.create(template())
    document = template(Interface__PrivateIpAddress="10.0.0.11")
    before = template()
    before["Resources"]["Interface"]["UpdateReplacePolicy"] = "Retain"
    document["Resources"]["Interface"]["UpdateReplacePolicy"] = "Retain"
    account.update(before)
    account.update(document)
    assert {"10.0.0.10", "10.0.0.11"} <= {nic.address for nic in account.plane.network_interfaces()}


def test_a_replacement_is_taken_back_when_the_update_fails_later(account: Account) -> None:
    account.create(template())
    before = {nic.id: nic.address for nic in account.plane.network_interfaces()}
    changes = {"Interface__PrivateIpAddress": "10.0.0.11", "Custom__Fail": "Update"}
    stack = account.update(template(**changes))
    assert (stack["StackStatus"], "told to fail" in stack["StackStatusReason"]) == ("UPDATE_ROLLBACK_COMPLETE", True)
    assert {nic.id: nic.address for nic in account.plane.network_interfaces()} == before
    with pytest.raises(ClientError, match="No updates are to be performed"):
        account.update(template())


def test_what_has_a_name_of_its_own_cannot_be_replaced(account: Account) -> None:
    account.create(template())
    stack = account.update(template(Role__Path="/other/"))
    assert stack["StackStatus"] == "UPDATE_ROLLBACK_COMPLETE"
    assert "custom-named resource requires replacing. Rename agent" in stack["StackStatusReason"]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"Interface__PrivateIp": "10.0.0.11"}, "#: extraneous key [PrivateIp] is not permitted"),
        (
            {"Template__LaunchTemplateData": {"ImageID": ONE}},
            "#/LaunchTemplateData: extraneous key [ImageID] is not permitted",
        ),
        ({"Instances__LaunchTemplate": {"Name": "x"}}, "#/LaunchTemplate: extraneous key [Name] is not permitted"),
        (
            {"Interface__SecondaryPrivateIpAddressCount": 1},
            f"{NOT_MODELLED} SecondaryPrivateIpAddressCount of AWS::EC2::NetworkInterface",
        ),
        (
            {"Instances__MetricsCollection": [{"Granularity": "1Minute"}]},
            f"{NOT_MODELLED} MetricsCollection of AWS::AutoScaling::",
        ),
        (
            {"Vpc__InstanceTenancy": "dedicated", "Vpc__Ipv4NetmaskLength": 8},
            f"{NOT_MODELLED} Ipv4NetmaskLength of AWS::EC2::VPC",
        ),
    ],
)
def test_a_property_that_is_unknown_or_that_the_lab_would_drop_fails_by_name(
    account: Account, changes: dict[str, Any], reason: str
) -> None:
    stack = account.create(template(**changes))
    assert stack["StackStatus"] == "ROLLBACK_COMPLETE"
    assert reason in stack["StackStatusReason"]


def test_a_missing_property_fails_by_name(account: Account) -> None:
    document = template()
    del document["Resources"]["Interface"]["Properties"]["SubnetId"]
    stack = account.create(document)
    assert "#: required key [SubnetId] not found" in stack["StackStatusReason"]


@pytest.mark.parametrize(("policy", "stays"), [("Retain", True), ("RetainExceptOnCreate", False), ("Delete", False)])
def test_the_deletion_policy_when_the_creation_is_rolled_back(account: Account, policy: str, stays: Any) -> None:
    document = template(Custom__Fail="Create")
    document["Resources"]["Topic"]["DeletionPolicy"] = policy
    del document["Resources"]["Mail"]
    document["Resources"]["Custom"]["DependsOn"] = ["Topic"]
    assert account.create(document)["StackStatus"] == "ROLLBACK_COMPLETE"
    assert bool(account.client("sns").list_topics()["Topics"]) is stays
