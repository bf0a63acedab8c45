"""The file system: regional, encrypted, kept, and closed to everyone but the instance."""

from __future__ import annotations

import json

FILE_SYSTEM = "AWS::EFS::FileSystem"
MOUNT_TARGET = "AWS::EFS::MountTarget"


def test_a_new_file_system_is_regional_encrypted_elastic_backed_up_and_kept(template):
    resource = template.one(FILE_SYSTEM)
    properties = resource["Properties"]
    assert properties["Encrypted"] is True
    assert properties["ThroughputMode"] == "elastic"
    assert properties["BackupPolicy"] == {"Status": "ENABLED"}
    assert "AvailabilityZoneName" not in properties
    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_its_policy_refuses_clients_without_tls_and_all_but_the_instance_role(template):
    refuse, allow = template.properties(FILE_SYSTEM)["FileSystemPolicy"]["Statement"]
    assert (refuse["Effect"], refuse["Action"], refuse["Principal"]) == ("Deny", "*", {"AWS": "*"})
    assert refuse["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    (profile,) = template.of_type("AWS::IAM::InstanceProfile").values()
    role = profile["Properties"]["Roles"][0]["Ref"]
    assert allow["Principal"] == {"AWS": {"Fn::GetAtt": [role, "Arn"]}}
    assert set(allow["Action"]) == {
        "elasticfilesystem:ClientMount",
        "elasticfilesystem:ClientWrite",
        "elasticfilesystem:ClientRootAccess",
    }
    assert allow["Condition"]["Bool"] == {"elasticfilesystem:AccessedViaMountTarget": "true"}
    assert ":access-point/*" in json.dumps(allow["Condition"]["StringLike"]["elasticfilesystem:AccessPointArn"])


def test_the_policy_stays_whatever_the_transport_says(synth, service_tree, template):
    tree = service_tree("three zones")
    tree["file_system"]["transport"] = "nfs"
    other = synth(tree).properties(FILE_SYSTEM)["FileSystemPolicy"]
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


def test_throughput_and_backup_follow_the_service_file(synth, service_tree):
    tree = service_tree("three zones")
    tree["file_system"] |= {"throughput": "bursting", "backup": False}
    properties = synth(tree).properties(FILE_SYSTEM)
    assert properties["ThroughputMode"] == "bursting"
    assert properties["BackupPolicy"] == {"Status": "DISABLED"}


def test_an_existing_file_system_gets_access_points_and_an_open_port_only(synth, service_tree):
    template = synth(service_tree("existing everything"))
    assert not template.of_type(FILE_SYSTEM)
    assert not template.of_type(MOUNT_TARGET)
    for access_point in template.of_type("AWS::EFS::AccessPoint").values():
        assert access_point["Properties"]["FileSystemId"] == "fs-0123456789abcdef0"
    ingress = template.properties("AWS::EC2::SecurityGroupIngress")
    assert (ingress["GroupId"], ingress["FromPort"]) == ("sg-0123456789abcdef0", 2049)
