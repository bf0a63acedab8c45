"""What outlives an instance: the file system, closed to everyone else, and the hosted zone with its record."""

import json

import pytest

FILE_SYSTEM = "AWS::EFS::FileSystem"
MOUNT_TARGET = "AWS::EFS::MountTarget"


def test_a_new_file_system_is_regional_encrypted_elastic_backed_up_and_kept(template):
    resource = template.one(FILE_SYSTEM)
    properties = resource["Properties"]
    assert properties["Encrypted"] is True
    assert properties["ThroughputMode"] == "elastic"
    assert properties["BackupPolicy"] == {"Status": "ENABLED"}
    assert "AvailabilityZoneName" not in properties
    # A deploy that fails while it makes the first one must not leave an empty file system behind at each try.
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


def test_its_policy_refuses_clients_without_tls_and_allows_nobody_anything(template):
    """An allow in either policy is enough for EFS: here it would open every access point to whomever it names."""
    (refuse,) = template.properties(FILE_SYSTEM)["FileSystemPolicy"]["Statement"]
    assert (refuse["Effect"], refuse["Action"], refuse["Principal"]) == ("Deny", "*", {"AWS": "*"})
    assert refuse["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_policy_stays_whatever_the_transport_says(synth, template):
    other = synth(file_system={"transport": "nfs"}, for_lab=True).properties(FILE_SYSTEM)["FileSystemPolicy"]
    assert other == template.properties(FILE_SYSTEM)["FileSystemPolicy"]


def test_every_zone_has_a_mount_target_in_its_instance_subnet(template):
    targets = [each["Properties"] for each in template.of_type(MOUNT_TARGET).values()]
    group = template.properties("AWS::AutoScaling::AutoScalingGroup")
    assert [each["SubnetId"] for each in targets] == group["VPCZoneIdentifier"]


def test_mount_targets_admit_nfs_from_the_instance_only(template):
    ids = {json.dumps(each["Properties"]["SecurityGroups"]) for each in template.of_type(MOUNT_TARGET).values()}
    ((group_id,),) = (json.loads(each) for each in ids)
    (rule,) = template.resources[group_id["Fn::GetAtt"][0]]["Properties"]["SecurityGroupIngress"]
    instance = template.properties("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["SecurityGroupIds"][0]
    assert rule == {"IpProtocol": "tcp", "FromPort": 2049, "ToPort": 2049, "SourceSecurityGroupId": instance}


def test_two_access_points_give_data_and_lease_roots_of_their_own(any_template):
    roots = [each["Properties"]["RootDirectory"] for each in any_template.of_type("AWS::EFS::AccessPoint").values()]
    assert sorted(each["Path"] for each in roots) == ["/monitor/data", "/monitor/lease"]
    for root in roots:
        assert root["CreationInfo"] == {"OwnerUid": "0", "OwnerGid": "0", "Permissions": "0755"}


def test_throughput_and_backup_follow_the_service_file(synth):
    properties = synth(file_system={"throughput": "bursting", "backup": False}).properties(FILE_SYSTEM)
    assert properties["ThroughputMode"] == "bursting"
    assert properties["BackupPolicy"] == {"Status": "DISABLED"}


def test_an_existing_file_system_gets_access_points_and_an_open_port_only(synth):
    template = synth("existing everything")
    assert not template.of_type(FILE_SYSTEM)
    assert not template.of_type(MOUNT_TARGET)
    for access_point in template.of_type("AWS::EFS::AccessPoint").values():
        assert access_point["Properties"]["FileSystemId"] == "fs-0123456789abcdef0"
    rules = template.of_type("AWS::EC2::SecurityGroupIngress")
    (name,) = [name for name, each in rules.items() if each["Properties"]["GroupId"] == "sg-0123456789abcdef0"]
    assert rules[name]["Properties"]["FromPort"] == 2049
    (group,) = template.of_type("AWS::AutoScaling::AutoScalingGroup")
    assert name in template.before(group)


def test_a_file_system_that_a_deleted_stack_left_gets_mount_targets(synth):
    template = synth(file_system={"existing": {"id": "fs-0123456789abcdef0"}})
    assert not template.of_type(FILE_SYSTEM)
    targets = [each["Properties"] for each in template.of_type(MOUNT_TARGET).values()]
    assert {each["FileSystemId"] for each in targets} == {"fs-0123456789abcdef0"}
    assert len(targets) == 3
    rules = template.of_type("AWS::EC2::SecurityGroupIngress").values()
    assert 2049 not in [each["Properties"]["FromPort"] for each in rules]


@pytest.mark.parametrize(
    "file_system", [{}, {"existing": {"id": "fs-0123456789abcdef0"}}], ids=["new", "left by a deleted stack"]
)
def test_no_instance_is_launched_before_every_mount_target_can_be_mounted(synth, file_system):
    """CloudFormation goes on once they can: it is what the CDK's `mountTargetsAvailable` rests on (CDK API reference,
    IFileSystem). The boot document has their addresses, and the group launches from it."""
    template = synth(file_system=file_system)
    (group,) = template.of_type("AWS::AutoScaling::AutoScalingGroup")
    (launch_template,) = template.of_type("AWS::EC2::LaunchTemplate")
    targets = set(template.of_type(MOUNT_TARGET)) | set(template.of_type("AWS::EFS::AccessPoint"))
    assert len(targets) == 5
    assert targets <= template.before(launch_template) <= template.before(group)


# ------------------------------------------------------------------ hosted zone and record
ZONE = "AWS::Route53::HostedZone"


def test_a_new_private_zone_belongs_to_the_vpc(template):
    zone = template.properties(ZONE)
    (vpc,) = template.of_type("AWS::EC2::VPC")
    assert zone["Name"] == "example.internal"
    assert zone["VPCs"] == [{"VPCId": {"Ref": vpc}, "VPCRegion": "us-east-1"}]


def test_a_new_public_zone_belongs_to_no_vpc(synth):
    zone = synth("public zone").properties(ZONE)
    assert zone["Name"] == "example.com"
    assert "VPCs" not in zone


def test_an_existing_zone_is_used_by_id(synth):
    template = synth("existing everything")
    assert not template.of_type(ZONE)
    assert template.properties("Custom::ServiceRecord")["HostedZoneId"] == "Z0123456789ABCDEFGHIJ"


def test_the_first_value_is_the_first_zones_address(template):
    properties = template.properties("Custom::ServiceRecord")
    assert properties["RecordName"] == "monitor.example.internal"
    assert properties["TtlSeconds"] == "15"
    assert properties["Addresses"] == ["10.0.100.10", "10.0.101.10", "10.0.102.10"]


@pytest.mark.parametrize("change", [{"record": "other.example.internal"}, {"zone": "internal"}])
def test_another_name_is_another_resource_with_its_own_function_and_role(synth, template, change):
    renamed = synth(dns=change)
    for kind in ("Custom::ServiceRecord", "AWS::Lambda::Function", "AWS::IAM::Role"):
        old, new = set(template.of_type(kind)), set(renamed.of_type(kind))
        assert len(old - new) == 1, kind
        assert len(new - old) == 1, kind


def test_another_ttl_is_the_same_resource(synth, template):
    assert set(synth(dns={"ttl_s": 30}).resources) == set(template.resources)


@pytest.mark.parametrize("kind", ["Custom::ServiceRecord", "Custom::SuspendedProcesses"])
def test_cloudformation_stops_waiting_soon_after_the_function_does(template, kind):
    properties = template.properties(kind)
    function = template.resources[properties["ServiceToken"]["Fn::GetAtt"][0]]["Properties"]
    assert function["Handler"] == "index.on_event"
    assert function["Timeout"] < int(properties["ServiceTimeout"]) <= function["Timeout"] + 60
