"""VPC, subnets, network interfaces: new and existing, one to three zones."""

import pytest

INTERFACE = "AWS::EC2::NetworkInterface"


def tags(resource):
    return {each["Key"]: each["Value"] for each in resource["Properties"]["Tags"]}


@pytest.mark.parametrize(("name", "count"), [("one zone", 1), ("two zones", 2), ("three zones", 3)])
def test_a_new_vpc_has_two_subnets_and_one_interface_per_zone(synth, name, count):
    template = synth(name)
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


def public_subnets(template):
    subnets = template.of_type("AWS::EC2::Subnet").items()
    return {name for name, each in subnets if each["Properties"]["MapPublicIpOnLaunch"]}


def test_instances_launch_into_instance_subnets_and_interfaces_live_in_service_subnets(template):
    public = public_subnets(template)
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
    assert open_subnets == public_subnets(template)


def test_nothing_but_the_watchdogs_look_may_connect_to_the_instance_itself(any_template):
    (group_id,) = any_template.properties("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]["SecurityGroupIds"]
    name = group_id["Fn::GetAtt"][0]
    assert "SecurityGroupIngress" not in any_template.resources[name]["Properties"]
    rules = [each["Properties"] for each in any_template.of_type("AWS::EC2::SecurityGroupIngress").values()]
    (look,) = [rule for rule in rules if rule["GroupId"] == group_id]
    assert (look["IpProtocol"], look["FromPort"], look["ToPort"]) == ("tcp", 9480, 9480)
    source = look["SourceSecurityGroupId"]["Fn::GetAtt"][0]
    (function,) = [
        each["Properties"]
        for each in any_template.of_type("AWS::Lambda::Function").values()
        if "VpcConfig" in each["Properties"]
    ]
    assert function["VpcConfig"]["SecurityGroupIds"] == [{"Fn::GetAtt": [source, "GroupId"]}]
    (egress,) = any_template.resources[source]["Properties"]["SecurityGroupEgress"]
    assert (egress["FromPort"], egress["DestinationSecurityGroupId"]) == (9480, group_id)


def test_without_a_watchdog_nothing_may_connect_to_the_instance_itself(synth):
    assert not synth(watchdog={"enabled": False}).of_type("AWS::EC2::SecurityGroupIngress")


def test_interfaces_admit_the_services_ports_from_the_named_networks_only(any_template):
    groups = {each["Properties"]["GroupSet"][0]["Fn::GetAtt"][0] for each in any_template.of_type(INTERFACE).values()}
    (name,) = groups
    rules = any_template.resources[name]["Properties"]["SecurityGroupIngress"]
    assert {(each["IpProtocol"], each["FromPort"], each["ToPort"], each["CidrIp"]) for each in rules} == {
        ("tcp", 8080, 8080, "10.0.0.0/16"),
        ("tcp", 8080, 8080, "192.168.0.0/24"),
        ("udp", 514, 514, "10.0.0.0/16"),
    }


def test_security_groups_and_prefix_lists_may_connect_as_networks_may(synth):
    template = synth(ports=[{"port": 9, "allow_from": ["sg-0123456789abcdef0", "pl-63a5400a", "10.0.0.0/8"]}])
    group = next(iter(template.of_type(INTERFACE).values()))["Properties"]["GroupSet"][0]
    rules = template.resources[group["Fn::GetAtt"][0]]["Properties"]["SecurityGroupIngress"]
    assert [(rule.keys() - {"IpProtocol", "FromPort", "ToPort"}).pop() for rule in rules] == [
        "SourceSecurityGroupId", "SourcePrefixListId", "CidrIp",
    ]  # fmt: skip


@pytest.mark.parametrize("is_asked", [True, False])
def test_a_public_address_in_an_existing_vpc_is_asked_for_at_launch(synth, is_asked):
    template = synth("existing vpc", existing_vpc={"public_address": is_asked})
    data = template.properties("AWS::EC2::LaunchTemplate")["LaunchTemplateData"]
    assert ("SecurityGroupIds" in data) != is_asked
    if is_asked:
        (interface,) = data["NetworkInterfaces"]
        assert (interface["DeviceIndex"], interface["AssociatePublicIpAddress"]) == (0, True)
        assert len(interface["Groups"]) == 1


def test_an_existing_vpc_is_used_by_id_with_its_own_subnets_and_nothing_is_built_in_it(synth):
    template = synth("existing vpc")
    for kind in ("VPC", "Subnet", "InternetGateway", "RouteTable", "Route"):
        assert not template.of_type(f"AWS::EC2::{kind}")
    interfaces = template.of_type(INTERFACE).values()
    placed = [(each["Properties"]["SubnetId"], each["Properties"]["PrivateIpAddress"]) for each in interfaces]
    assert placed == [("subnet-00000000000000100", "172.16.0.10"), ("subnet-00000000000000101", "172.16.1.10")]
    assert [tags(each)["soloist:zone"] for each in interfaces] == ["us-east-1a", "us-east-1b"]
    groups = template.of_type("AWS::EC2::SecurityGroup").values()
    assert {each["Properties"]["VpcId"] for each in groups} == {"vpc-0123456789abcdef0"}
    given = ["subnet-00000000000000000", "subnet-00000000000000001"]
    assert template.properties("AWS::AutoScaling::AutoScalingGroup")["VPCZoneIdentifier"] == given
    targets = [each["Properties"]["SubnetId"] for each in template.of_type("AWS::EFS::MountTarget").values()]
    assert targets == given


def test_an_address_of_the_service_file_wins(synth):
    interfaces = synth(addresses={"us-east-1b": "10.0.101.77"}).of_type(INTERFACE).values()
    addresses = [each["Properties"]["PrivateIpAddress"] for each in interfaces]
    assert addresses == ["10.0.100.10", "10.0.101.77", "10.0.102.10"]


def test_removing_a_zone_moves_no_other_one(synth, template):
    fewer = synth(zones=["us-east-1a", "us-east-1c"])
    for kind in (INTERFACE, "AWS::EC2::Subnet", "AWS::EFS::MountTarget"):
        left = fewer.of_type(kind)
        assert left
        assert left.items() <= template.of_type(kind).items()


def test_interfaces_go_with_the_stack_so_that_their_vpc_can_go(any_template):
    for interface in any_template.of_type(INTERFACE).values():
        assert "DeletionPolicy" not in interface
