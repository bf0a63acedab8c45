"""The group and its launch template: one instance, healed anywhere, never replaced by a deployment."""

import copy
import json
import re

import pytest

GROUP = "AWS::AutoScaling::AutoScalingGroup"
LAUNCH_TEMPLATE = "AWS::EC2::LaunchTemplate"


def test_the_group_holds_exactly_one_instance_and_never_launches_first(any_template):
    group = any_template.properties(GROUP)
    assert (group["MinSize"], group["MaxSize"]) == ("1", "1")
    assert "DesiredCapacity" not in group, "every deployment would reset the size"
    assert group["InstanceMaintenancePolicy"] == {"MinHealthyPercentage": 0, "MaxHealthyPercentage": 100}
    assert group["AvailabilityZoneDistribution"] == {"CapacityDistributionStrategy": "balanced-best-effort"}
    assert group["AutoScalingGroupName"] == "soloist-monitor"
    assert group["HealthCheckGracePeriod"] == 0
    assert "NewInstancesProtectedFromScaleIn" not in group
    assert "CapacityRebalance" not in group


def test_both_hooks_stand_in_the_groups_own_list(any_template):
    hooks = any_template.properties(GROUP)["LifecycleHookSpecificationList"]
    assert hooks == [
        {
            "LifecycleHookName": "boot",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_LAUNCHING",
            "DefaultResult": "ABANDON",
            "HeartbeatTimeout": 600,
        },
        {
            "LifecycleHookName": "drain",
            "LifecycleTransition": "autoscaling:EC2_INSTANCE_TERMINATING",
            "DefaultResult": "CONTINUE",
            "HeartbeatTimeout": 150,
        },
    ]


def test_the_group_follows_the_stacks_own_parameter_which_no_deployment_changes(any_template):
    (name,) = any_template.of_type(LAUNCH_TEMPLATE)
    default = {"Fn::GetAtt": [name, "DefaultVersionNumber"]}
    group = any_template.properties(GROUP)
    policy = group.get("MixedInstancesPolicy", {}).get("LaunchTemplate", {})
    assert policy.get("LaunchTemplateSpecification", group.get("LaunchTemplate")) == {
        "LaunchTemplateId": {"Ref": name},
        "Version": {"Fn::If": ["IsPromoted", {"Ref": "PromotedVersion"}, default]},
    }
    assert any_template.body["Conditions"] == {
        "IsPromoted": {"Fn::Not": [{"Fn::Equals": [{"Ref": "PromotedVersion"}, "first"]}]}
    }
    assert any_template.body["Parameters"]["PromotedVersion"]["Default"] == "first"


def test_the_stack_names_what_it_stages_by_its_content(synth, template):
    staged = template.body["Outputs"]["StagedVersion"]["Value"]
    assert template.properties(LAUNCH_TEMPLATE)["VersionDescription"] == staged
    assert staged.startswith("ami-0123456789abcdef0 ")
    hook_only = synth(lifecycle_hooks={"drain_heartbeat_s": 200}).body["Outputs"]["StagedVersion"]["Value"]
    other = synth(service={"hooks": {"before_start": [["/bin/true"]]}}).body["Outputs"]["StagedVersion"]["Value"]
    assert hook_only == staged != other


def test_instances_take_metadata_only_with_a_token_and_a_pinned_image(any_template):
    """Tags are not in the metadata: a tag key with a space or a slash would then fail every launch (EC2 user guide,
    "View tags for your EC2 instances using instance metadata"; kubernetes/cloud-provider-aws#762)."""
    data = any_template.properties(LAUNCH_TEMPLATE)["LaunchTemplateData"]
    assert data["MetadataOptions"] == {
        "HttpEndpoint": "enabled",
        "HttpTokens": "required",
        "HttpPutResponseHopLimit": 1,
    }
    assert data["ImageId"] == "ami-0123456789abcdef0"
    assert data["InstanceType"] == "t3.small"
    assert "Fn::Base64" in data["UserData"]
    assert any_template.properties(LAUNCH_TEMPLATE)["LaunchTemplateName"] == "soloist-monitor"


def test_instances_carry_the_tag_that_their_role_demands(any_template):
    tags = any_template.properties(GROUP)["Tags"]
    assert {"Key": "soloist:service", "Value": "monitor", "PropagateAtLaunch": True} in tags


@pytest.mark.parametrize(
    "kind",
    [
        "AWS::AutoScaling::LifecycleHook",
        "AWS::AutoScaling::LaunchConfiguration",
        "AWS::AutoScaling::ScheduledAction",
        "AWS::AutoScaling::WarmPool",
        "AWS::Route53::RecordSet",
        "AWS::Route53::RecordSetGroup",
        "AWS::EC2::NetworkInterfaceAttachment",
        "AWS::EC2::NatGateway",
        "AWS::EC2::EIP",
    ],
)
def test_resources_that_would_break_a_promise_never_appear(any_template, kind):
    assert not any_template.of_type(kind)


def test_nothing_in_the_template_replaces_instances_or_is_looked_up(any_template):
    for name, resource in any_template.resources.items():
        assert "UpdatePolicy" not in resource, name
        assert "CreationPolicy" not in resource, name
    text = json.dumps(any_template.body)
    late = ("resolve:ssm", "$Default", "$Latest", "AWS::SSM::Parameter::Value")
    looked_up = ("Fn::GetAZs", "Fn::ImportValue", "dummy")
    for never in late + looked_up:
        assert never not in text
    assert list(any_template.body["Parameters"]) == ["PromotedVersion"]


def test_the_group_waits_for_everything_an_instance_needs(template):
    (group,) = template.of_type(GROUP)
    needed = template.before(group)
    for kind in (
        "AWS::EC2::NetworkInterface",
        "AWS::EC2::Route",
        "AWS::EFS::MountTarget",
        "AWS::EFS::AccessPoint",
        "AWS::IAM::Policy",
        "AWS::SSM::Parameter",
        "Custom::ServiceRecord",
    ):
        resources = set(template.of_type(kind)) - {"Parts"}  # those are for the watch stack
        assert resources, kind
        assert resources <= needed, kind


def test_rebalancing_is_suspended_again_with_every_staged_version(template):
    (launch_template,) = template.of_type(LAUNCH_TEMPLATE)
    (group,) = template.of_type(GROUP)
    suspension = template.properties("Custom::SuspendedProcesses")
    assert suspension["AutoScalingGroupName"] == {"Ref": group}
    assert suspension["Processes"] == ["AZRebalance"]
    assert suspension["RepeatWithVersion"] == {"Fn::GetAtt": [launch_template, "LatestVersionNumber"]}


def test_another_image_changes_the_image_id_and_the_name_of_what_is_staged(synth, template):
    other, before = (copy.deepcopy(one.body) for one in (synth(instance={"ami": "ami-0fedcba9876543210"}), template))
    (name,) = template.of_type(LAUNCH_TEMPLATE)
    for body in (other, before):
        body["Outputs"].pop("StagedVersion")
        body["Resources"][name]["Properties"].pop("VersionDescription")
    data = other["Resources"][name]["Properties"]["LaunchTemplateData"]
    assert data.pop("ImageId") == "ami-0fedcba9876543210"
    data["ImageId"] = "ami-0123456789abcdef0"
    assert other == before


def test_no_logical_id_depends_on_the_image_or_the_type(synth, template):
    other = synth(instance={"type": "m7i.large", "ami": "ami-0fedcba9876543210"})
    assert set(other.resources) == set(template.resources)


def test_the_topic_hears_of_launches_the_group_could_not_make(template):
    (topic,) = template.of_type("AWS::SNS::Topic")
    (notification,) = template.properties(GROUP)["NotificationConfigurations"]
    assert notification["TopicARN"] == {"Ref": topic}
    assert "autoscaling:EC2_INSTANCE_LAUNCH_ERROR" in notification["NotificationTypes"]
    emails = [each["Properties"]["Endpoint"] for each in template.of_type("AWS::SNS::Subscription").values()]
    assert sorted(emails) == ["one@example.com", "two@example.com"]


def test_the_template_fits_into_one_call_and_needs_no_assets(any_template):
    text = json.dumps(any_template.body, separators=(",", ":"))
    assert len(text.encode()) < 51_200
    for function in any_template.of_type("AWS::Lambda::Function").values():
        assert list(function["Properties"]["Code"]) == ["ZipFile"]
    assert not re.search(r"cdk-[a-z0-9]+-assets", text)


def test_the_state_parameter_starts_with_a_text_that_stays_the_same(any_template):
    parameter = any_template.resources["State"]["Properties"]
    assert parameter["Name"] == "/soloist/monitor/state"
    assert json.loads(parameter["Value"])["phase"] == "new"


def test_outputs_name_what_people_look_for(any_template):
    outputs = any_template.body["Outputs"]
    assert outputs["RecordName"]["Value"].startswith("monitor.example.")
    assert outputs["StateParameter"]["Value"] == "/soloist/monitor/state"
    assert {"GroupName", "LaunchTemplateId", "FileSystemId", "HostedZoneId", "TopicArn"} <= set(outputs)
    for_firewalls = {"VpcId", "InstanceSubnetIds", "ServiceSubnetIds", "InstanceSecurityGroupId"}
    assert for_firewalls | {"ServiceSecurityGroupId"} <= set(outputs)
    has_tables = "InstanceRouteTableId" in outputs and "ServiceRouteTableId" in outputs
    assert has_tables == bool(any_template.of_type("AWS::EC2::VPC"))


def test_also_a_large_service_fits_into_one_call(synth):
    template = synth(
        zones=[f"us-east-1{letter}" for letter in "abcdef"],
        ports=[{"port": 8000 + n, "allow_from": ["10.0.0.0/16", "10.1.0.0/16"]} for n in range(20)],
        file_system={"directories": [{"source": f"d{n}", "target": f"/var/lib/d{n}"} for n in range(20)]},
    )
    assert len(json.dumps(template.body, separators=(",", ":")).encode()) < 51_200


def test_a_list_of_types_is_a_policy_over_the_same_template_and_without_a_list_nothing_changes(synth, template):
    listed = synth(instance={"fallback_types": ["t3a.small", "t2.small"]})
    assert set(listed.resources) == set(template.resources)
    group, plain = dict(listed.properties(GROUP)), dict(template.properties(GROUP))
    policy, specification = group.pop("MixedInstancesPolicy"), plain.pop("LaunchTemplate")
    assert group == plain
    assert policy == {
        "LaunchTemplate": {
            "LaunchTemplateSpecification": specification,
            "Overrides": [{"InstanceType": one} for one in ("t3.small", "t3a.small", "t2.small")],
        },
        "InstancesDistribution": {
            "OnDemandAllocationStrategy": "prioritized",
            "OnDemandPercentageAboveBaseCapacity": 100,
        },
    }
    staged = [one.body["Outputs"]["StagedVersion"] for one in (listed, template)]
    assert staged[0] == staged[1], "the list is the group's, and no version's"
