"""Hosted zone and record as the template has them; what the handler does is tested beside it."""

from __future__ import annotations

import pytest

ZONE = "AWS::Route53::HostedZone"


def test_a_new_private_zone_belongs_to_the_vpc(template):
    zone = template.properties(ZONE)
    (vpc,) = template.of_type("AWS::EC2::VPC")
    assert zone["Name"] == "example.internal"
    assert zone["VPCs"] == [{"VPCId": {"Ref": vpc}, "VPCRegion": "us-east-1"}]


def test_a_new_public_zone_belongs_to_no_vpc(synth, service_tree):
    zone = synth(service_tree("public zone")).properties(ZONE)
    assert zone["Name"] == "example.com"
    assert "VPCs" not in zone


def test_an_existing_zone_is_used_by_id(synth, service_tree):
    template = synth(service_tree("existing everything"))
    assert not template.of_type(ZONE)
    assert template.properties("Custom::ServiceRecord")["HostedZoneId"] == "Z0123456789ABCDEFGHIJ"


def test_the_first_value_is_the_first_zones_address(template):
    properties = template.properties("Custom::ServiceRecord")
    assert properties["RecordName"] == "monitor.example.internal"
    assert properties["TtlSeconds"] == "15"
    assert properties["Addresses"] == ["10.0.100.10", "10.0.101.10", "10.0.102.10"]


@pytest.mark.parametrize("change", [{"record": "other.example.internal"}, {"zone": "internal"}])
def test_another_name_is_another_resource_with_its_own_function_and_role(synth, service_tree, template, change):
    tree = service_tree("three zones")
    tree["dns"] |= change
    renamed = synth(tree)
    for kind in ("Custom::ServiceRecord", "AWS::Lambda::Function", "AWS::IAM::Role"):
        old, new = set(template.of_type(kind)), set(renamed.of_type(kind))
        assert len(old - new) == 1, kind
        assert len(new - old) == 1, kind


def test_another_ttl_is_the_same_resource(synth, service_tree, template):
    tree = service_tree("three zones")
    tree["dns"]["ttl_s"] = 30
    assert set(synth(tree).resources) == set(template.resources)


@pytest.mark.parametrize("kind", ["Custom::ServiceRecord", "Custom::SuspendedProcesses"])
def test_cloudformation_stops_waiting_soon_after_the_function_does(template, kind):
    properties = template.properties(kind)
    function = template.resources[properties["ServiceToken"]["Fn::GetAtt"][0]]["Properties"]
    assert function["Handler"] == "index.on_event"
    assert function["Timeout"] < int(properties["ServiceTimeout"]) <= function["Timeout"] + 60
