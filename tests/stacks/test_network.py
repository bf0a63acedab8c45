"""VPC, subnets, network interfaces: new and existing, one to three zones."""

from __future__ import annotations

import json

import pytest

INTERFACE = "AWS::EC2::NetworkInterface"


def tags(resource):
    return {each["Key"]: each["Value"] for each in resource["Properties"]["Tags"]}


@pytest.mark.parametrize(("name", "count"), [("one zone", 1), ("two zones", 2), ("three zones", 3)])
def test_a_new_vpc_has_two_subnets_and_one_interface_per_zone(synth, service_tree, name, count):
    template = synth(service_tree(name))
    subnets = [each["Properties"] for each in template.of_type("AWS::EC2::Subnet").values()]
    placed = {(each["AvailabilityZone"], each["CidrBlock"], each["MapPublicIpOnLaunch"]) for each in subnets}
    expected = {(f"us-east-1{'abc'[n]}", f"10.0.{n}.0/24", True) for n in range(count)}
    expected |= {(f"us-east-1{'abc'[n]}", f"10.0.{100 + n}.0/24", False) for n in range(count)}
    assert placed == expected
    interfaces = template.of_type(INTERFACE).values()
    assert [each["Properties"]["PrivateIpAddress"] for each in interfaces] == [
        f"10.0.{100 + n}.10" for n in range(count)
    ]
    assert [tags(each)["soloist:zone"] for each in interfaces] == [f"us-east-1{'abc'[n]}" for n in range(count)]
    assert {tags(each)["soloist:service"] for each in interfaces} == {"monitor"}


def test_instances_launch_into_instance_subnets_and_interfaces_live_in_service_subnets(template):
    public = {
        n for n, each in template.of_type("AWS::EC2::Subnet").items() if each["Properties"]["MapPublicIpOnLaunch"]
    }
    group = template.properties("AWS::AutoScaling::AutoScalingGroup")["VPCZoneIdentifier"]
    assert {each["Ref"] for each in group} == public
    services = {each["Properties"]["SubnetId"]["Ref"] for each in template.of_type(INTERFACE).values()}
    assert len(services) == 3
    assert not services & public


def test_only_instance_subnets_have_a_way_to_the_internet(template):
    (gateway,) = template.of_type("AWS::EC2::InternetGateway")
    route = template.properties("AWS::EC2::Route")
    assert (route["DestinationCidrBlock"], route["GatewayId"]) == ("0.0.0.0/0", {"Ref": gateway})
    associations = [each["Properties"] for each in template.of_type("AWS::EC2::SubnetRouteTableAssociation").values()]
    open_subnets = {each["SubnetId"]["Ref"] for each in associations if each["RouteTableId"] == route["RouteTableId"]}
    public = {
        n for n, each in template.of_type("AWS::EC2::Subnet").items() if each["Properties"]["MapPublicIpOnLaunch"]
    }
    assert open_subnets == public


def test_a_new_vpc_resolves_names(template):
    vpc = template.properties("AWS::EC2::VPC")
    assert vpc["EnableDnsSupport"] is True
    assert vpc["EnableDnsHostnames"] is True


def test_nothing_may_connect_to_the_instance_itself(any_template):
    (group_id,) = any_template.properties("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["SecurityGroupIds"]
    name = group_id["Fn::GetAtt"][0]
    assert "SecurityGroupIngress" not in any_template.resources[name]["Properties"]
    for ingress in any_template.of_type("AWS::EC2::SecurityGroupIngress").values():
        assert ingress["Properties"]["GroupId"] != group_id


def test_interfaces_admit_the_services_ports_from_the_named_networks_only(any_template):
    groups = {each["Properties"]["GroupSet"][0]["Fn::GetAtt"][0] for each in any_template.of_type(INTERFACE).values()}
    (name,) = groups
    rules = any_template.resources[name]["Properties"]["SecurityGroupIngress"]
    assert {(each["IpProtocol"], each["FromPort"], each["ToPort"], each["CidrIp"]) for each in rules} == {
        ("tcp", 8080, 8080, "10.0.0.0/16"),
        ("tcp", 8080, 8080, "192.168.0.0/24"),
        ("udp", 514, 514, "10.0.0.0/16"),
    }


def test_an_existing_vpc_is_used_by_id_and_nothing_is_built_in_it(synth, service_tree):
    template = synth(service_tree("existing vpc"))
    for kind in ("VPC", "Subnet", "InternetGateway", "RouteTable", "Route"):
        assert not template.of_type(f"AWS::EC2::{kind}")
    interfaces = [each["Properties"] for each in template.of_type(INTERFACE).values()]
    assert [(each["SubnetId"], each["PrivateIpAddress"]) for each in interfaces] == [
        ("subnet-00000000000000100", "172.16.0.10"),
        ("subnet-00000000000000101", "172.16.1.10"),
    ]
    assert {each["Properties"]["VpcId"] for each in template.of_type("AWS::EC2::SecurityGroup").values()} == {
        "vpc-0123456789abcdef0"
    }


def test_an_address_of_the_service_file_wins(synth, service_tree):
    tree = service_tree("three zones")
    tree["addresses"] = {"us-east-1b": "10.0.101.77"}
    addresses = [each["Properties"]["PrivateIpAddress"] for each in synth(tree).of_type(INTERFACE).values()]
    assert addresses == ["10.0.100.10", "10.0.101.77", "10.0.102.10"]


def test_removing_a_zone_moves_no_other_one(synth, service_tree, template):
    tree = service_tree("three zones")
    tree["zones"] = ["us-east-1a", "us-east-1c"]
    fewer = synth(tree)
    for kind in (INTERFACE, "AWS::EC2::Subnet", "AWS::EFS::MountTarget"):
        left = fewer.of_type(kind)
        assert left
        assert left.items() <= template.of_type(kind).items()


def test_interfaces_go_with_the_stack_so_that_their_vpc_can_go(any_template):
    for interface in any_template.of_type(INTERFACE).values():
        assert "DeletionPolicy" not in interface


def test_an_existing_vpcs_own_subnets_and_zones_are_used_everywhere(synth, service_tree):
    template = synth(service_tree("existing vpc"))
    given = ["subnet-00000000000000000", "subnet-00000000000000001"]
    assert template.properties("AWS::AutoScaling::AutoScalingGroup")["VPCZoneIdentifier"] == given
    targets = [each["Properties"]["SubnetId"] for each in template.of_type("AWS::EFS::MountTarget").values()]
    assert targets == given
    interfaces = template.of_type(INTERFACE).values()
    assert [tags(each)["soloist:zone"] for each in interfaces] == ["us-east-1a", "us-east-1b"]


@pytest.mark.parametrize("name", ["existing vpc", "existing everything"])
def test_nothing_of_an_existing_vpc_is_looked_up(synth, service_tree, name):
    body = json.dumps(synth(service_tree(name)).body)  # synth refuses a manifest with `missing`
    for look_up in ("Fn::GetAZs", "AWS::SSM::Parameter::Value", "Fn::ImportValue", "dummy"):
        assert look_up not in body
