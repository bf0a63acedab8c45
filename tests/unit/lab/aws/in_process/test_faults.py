"""Faults inside the process: what a plain unit test is put through, and what makes no sense as a fault."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from lab.aws.faults.endpoint import FAULTS_PATH, answer_faults
from lab.aws.faults.faults import ApiCall, Fault, Faults
from lab.aws.faults.presets import PRESETS, preset
from lab.aws.in_process.strict import strict_mock_aws
from tests.kit.three_zones import ZONES, ThreeZones, client, refusal


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        ({"preset": "apiaway"}, "there is no preset 'apiaway': choose from throttled,"),
        ({"preset": "zone-away"}, "preset 'zone-away' needs zone"),
        ({"preset": "slow", "delay": 3}, "a fault has no field 'delay': choose from name,"),
        ({"preset": "slow", "delay_s": "3"}, "delay_s: '3' is not float"),
        ({"service": "ec2"}, "a fault that does nothing"),
        ({"drop": True, "code": "X"}, "a fault has one outcome"),
        ({"kind": "broken"}, "kind 'broken' is unknown"),
        ({"drop": True, "action": "("}, "is no regular expression"),
        ({"drop": True, "count": 0}, "count 0 must be at least 1"),
        ({"drop": True, "share": 2.0}, "share 2.0 must be above 0"),
        ({"drop": True, "caller": 3}, "caller: 3 is not str"),
        ({"drop": 1}, "drop: 1 is not bool"),
        ([], "the body must be a JSON object"),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused_with_the_reason(document: Any, reason: str) -> None:
    faults = Faults(lambda: 0.0)
    status, answer = answer_faults(faults, "POST", FAULTS_PATH, json.dumps(document).encode())
    assert status == "400 Bad Request"
    assert reason in answer["error"]
    assert faults.in_force() == []


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_is_one_fault_with_a_meaning(name: str) -> None:
    needed = {field: "x" for field in PRESETS[name].needs}
    fault = preset(name, **needed)
    assert fault.name == name
    assert PRESETS[name].meaning
    if needed:
        with pytest.raises(ValueError, match=f"preset '{name}' needs"):
            preset(name)


# ------------------------------------------------------------------ inside the process
def test_a_lost_answer_looks_like_a_theft_to_the_retry(zones: ThreeZones) -> None:
    instance, interface = zones.run(), zones.interfaces[ZONES[0]]
    fault = zones.aws.inject("answer-lost", service="ec2", action="AttachNetworkInterface")
    with pytest.raises(ClientError, match=rf"InvalidNetworkInterface\.InUse.*{interface}"):
        zones.attach(interface, instance)  # botocore itself tried a second time
    assert fault.hits == 1
    assert zones.interface(interface)["Attachment"]["InstanceId"] == instance


def test_a_closed_connection_is_botocores_own_error(zones: ThreeZones) -> None:
    zones.aws.inject("api-away", service="ec2")
    with pytest.raises(ConnectionClosedError):
        zones.ec2.describe_vpcs()
    zones.aws.faults.clear()
    zones.ec2.describe_vpcs()


def test_a_delay_passes_on_the_tests_own_clock(zones: ThreeZones) -> None:
    assert zones.attach(zones.interfaces[ZONES[0]], zones.run())
    zones.aws.inject("slow", delay_s=3)
    assert zones.interface(zones.interfaces[ZONES[0]])["Attachment"]["Status"] == "attached"


def test_errors_arrive_in_the_services_own_words(zones: ThreeZones) -> None:
    zones.aws.inject("denied")
    assert refusal(zones.ec2.describe_vpcs)[0] == "UnauthorizedOperation"
    assert refusal(zones.route53.list_hosted_zones)[0] == "AccessDenied"


def test_internal_calls_meet_only_faults_that_mean_them() -> None:
    zones = frozenset({"a"})
    launch = ApiCall(service="ec2", action="RunInstances", zones=zones, is_internal=True)
    faults = Faults(lambda: 0.0)
    faults.add(Fault(service="ec2", drop=True))
    assert faults.take(launch) is None
    meant = faults.add(Fault(service="ec2", zone="a", drop=True))
    assert faults.take(launch) is meant


def test_without_a_moving_clock_nothing_is_limited_per_second() -> None:
    with strict_mock_aws() as aws:
        route53 = client("route53")
        zone = route53.create_hosted_zone(Name="x.internal", CallerReference="1")["HostedZone"]["Id"]
        for number in range(60):
            values = [{"Value": f"10.0.0.{number}"}]
            record = {"Name": "a.x.internal", "Type": "A", "TTL": 10, "ResourceRecords": values}
            change = {"Action": "UPSERT", "ResourceRecordSet": record}
            route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
        assert [one.values for one in aws.hosted_zone_records() if one.type == "A"] == [("10.0.0.59",)]
