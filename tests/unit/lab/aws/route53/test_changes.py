"""Route 53 refuses what would lose a record, all or nothing, and takes its time to be in sync."""

from __future__ import annotations

from typing import Any

import pytest

from tests.kit.three_zones import ThreeZones, refusal


@pytest.fixture
def zone(zones: ThreeZones) -> str:
    made = zones.route53.create_hosted_zone(
        Name="Lab.internal",
        CallerReference="1",
        VPC={"VPCRegion": "us-east-1", "VPCId": zones.vpc},
        HostedZoneConfig={"PrivateZone": True, "Comment": ""},
    )
    identifier: str = made["HostedZone"]["Id"]
    return identifier


def record(
    value: str = "10.0.0.1", name: str = "monitor.lab.internal", kind: str = "A", ttl: int = 10
) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "TTL": ttl, "ResourceRecords": [{"Value": value}]}


def change(zones: ThreeZones, zone: str, *changes: tuple[str, dict[str, Any]]) -> Any:
    batch = {"Changes": [{"Action": action, "ResourceRecordSet": one} for action, one in changes]}
    return zones.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=batch)


def complaint(zones: ThreeZones, zone: str, *changes: tuple[str, dict[str, Any]]) -> str:
    code, message = refusal(lambda: change(zones, zone, *changes))
    assert code == "InvalidChangeBatch"
    return message


def values(zones: ThreeZones) -> list[str]:
    return [value for one in zones.aws.hosted_zone_records() if one.type == "A" for value in one.values]


def test_a_record_is_created_once(zones: ThreeZones, zone: str) -> None:
    change(zones, zone, ("CREATE", record()))
    message = complaint(zones, zone, ("CREATE", record("10.0.0.2")))
    assert message == (
        "[Tried to create resource record set [name='monitor.lab.internal.', type='A'] but it already exists]"
    )
    assert values(zones) == ["10.0.0.1"]


def test_names_have_no_case(zones: ThreeZones, zone: str) -> None:
    change(zones, zone, ("CREATE", record(name="Monitor.LAB.internal.")))
    assert "already exists" in complaint(zones, zone, ("CREATE", record()))
    assert zones.aws.hosted_zone_records()[-1].name == "monitor.lab.internal"


@pytest.mark.parametrize("wrong", [record("10.0.0.9"), record(ttl=60)])
def test_deletion_must_match_exactly(zones: ThreeZones, zone: str, wrong: dict[str, Any]) -> None:
    change(zones, zone, ("CREATE", record()))
    assert "but the values provided do not match the current values" in complaint(zones, zone, ("DELETE", wrong))
    change(zones, zone, ("DELETE", record()))
    assert "but it was not found" in complaint(zones, zone, ("DELETE", record()))


def test_compare_and_swap_is_one_batch(zones: ThreeZones, zone: str) -> None:
    change(zones, zone, ("CREATE", record("10.0.0.1")))
    change(zones, zone, ("DELETE", record("10.0.0.1")), ("CREATE", record("10.0.0.2")))
    assert values(zones) == ["10.0.0.2"]
    assert "do not match" in complaint(zones, zone, ("DELETE", record("10.0.0.1")), ("CREATE", record("10.0.0.3"))), (
        "the loser of a race"
    )
    assert values(zones) == ["10.0.0.2"]


def test_a_batch_is_all_or_nothing(zones: ThreeZones, zone: str) -> None:
    complaint(zones, zone, ("CREATE", record(name="a.lab.internal")), ("CREATE", record("not-an-address")))
    assert values(zones) == []


@pytest.mark.parametrize(
    ("one", "part"),
    [
        (record("300.1.1.1"), "ARRDATAIllegalIPv4Address"),
        (record("monitor"), "ARRDATAIllegalIPv4Address"),
        (record("10.0.0.1", kind="AAAA"), "IPv6"),
        (record(name="monitor.example.com"), "is not permitted in zone lab.internal."),
        (record("x.y.", name="lab.internal", kind="CNAME"), "apex"),
    ],
)
def test_values_and_names_that_are_refused(zones: ThreeZones, zone: str, one: dict[str, Any], part: str) -> None:
    assert part in complaint(zones, zone, ("CREATE", one))


def test_a_cname_stands_alone(zones: ThreeZones, zone: str) -> None:
    change(zones, zone, ("CREATE", record()))
    assert "conflicts with other records" in complaint(zones, zone, ("CREATE", record("x.y.", kind="CNAME")))


def test_a_change_is_pending_before_it_is_in_sync(zones: ThreeZones, zone: str) -> None:
    first = change(zones, zone, ("CREATE", record()))["ChangeInfo"]
    second = change(zones, zone, ("UPSERT", record("10.0.0.2")))["ChangeInfo"]
    assert first["Id"] != second["Id"]
    assert (first["Status"], zones.route53.get_change(Id=first["Id"])["ChangeInfo"]["Status"]) == ("PENDING", "PENDING")
    zones.aws.advance(30)
    assert zones.route53.get_change(Id=first["Id"])["ChangeInfo"]["Status"] == "INSYNC"
    assert refusal(zones.route53.get_change, Id="/change/C0")[0] == "NoSuchChange"


def test_a_zone_that_does_not_exist(zones: ThreeZones) -> None:
    code, _ = refusal(lambda: change(zones, "Z0", ("CREATE", record())))
    assert code == "NoSuchHostedZone"


def test_private_zones_show_their_vpc(zones: ThreeZones, zone: str) -> None:
    change(zones, zone, ("CREATE", record()))
    found = next(one for one in zones.aws.hosted_zone_records() if one.type == "A")
    assert (found.vpc_ids, found.zone_name, found.ttl_s) == ((zones.vpc,), "lab.internal", 10)
