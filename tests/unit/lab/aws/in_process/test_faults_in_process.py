"""The same faults inside the process: what a plain unit test of an agent or a script can be put through."""

from __future__ import annotations

from dataclasses import replace

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from lab.aws.faults.faults import ApiCall, Fault, Faults
from lab.aws.in_process.strict import strict_mock_aws
from lab.aws.route53.limits import Limits
from tests.kit.distinct_delays import DISTINCT
from tests.kit.three_zones import ZONES, ThreeZones, client


def test_a_lost_answer_looks_like_a_theft_to_the_retry(zones: ThreeZones) -> None:
    instance = zones.run()
    interface = zones.interfaces[ZONES[0]]
    fault = zones.aws.inject("answer-lost", service="ec2", action="AttachNetworkInterface")
    with pytest.raises(ClientError, match=r"InvalidNetworkInterface\.InUse"):
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
    instance = zones.run()
    attachment = zones.attach(zones.interfaces[ZONES[0]], instance)
    assert attachment
    zones.aws.inject("slow", delay_s=3)
    assert zones.interface(zones.interfaces[ZONES[0]])["Attachment"]["Status"] == "attached"


def test_errors_arrive_in_the_services_own_words(zones: ThreeZones) -> None:
    zones.aws.inject("denied")
    with pytest.raises(ClientError) as caught:
        zones.ec2.describe_vpcs()
    assert caught.value.response["Error"]["Code"] == "UnauthorizedOperation"
    with pytest.raises(ClientError) as caught:
        zones.route53.list_hosted_zones()
    assert caught.value.response["Error"]["Code"] == "AccessDenied"


def test_internal_calls_meet_only_faults_that_mean_them() -> None:
    zones = frozenset({"a"})
    launch = ApiCall(service="ec2", action="RunInstances", zones=zones, is_internal=True)
    faults = Faults(lambda: 0.0)
    faults.add(Fault(service="ec2", drop=True))
    assert faults.take(launch) is None
    meant = faults.add(Fault(service="ec2", zone="a", drop=True))
    assert faults.take(launch) is meant


def test_route_53_gives_so_many_requests_and_then_so_many_per_second() -> None:
    now = [0.0]
    limits = Limits(lambda: now[0])
    timing = replace(DISTINCT, route53_burst=5.0, route53_rate_per_s=5.0)
    call = ApiCall(service="route53", action="GetChange")
    assert [limits.refuses(call, timing) for _ in range(6)] == [False] * 5 + [True]
    assert not limits.refuses(ApiCall(service="ec2", action="DescribeVpcs"), timing)
    now[0] = 0.2
    assert [limits.refuses(call, timing) for _ in range(2)] == [False, True]
    now[0] = 100.0
    assert [limits.refuses(call, timing) for _ in range(6)] == [False] * 5 + [True]


def test_without_a_moving_clock_nothing_is_limited_per_second() -> None:
    with strict_mock_aws() as aws:
        route53 = client("route53")
        zone = route53.create_hosted_zone(Name="x.internal", CallerReference="1")["HostedZone"]["Id"]
        for number in range(60):
            record = {
                "Name": "a.x.internal",
                "Type": "A",
                "TTL": 10,
                "ResourceRecords": [{"Value": f"10.0.0.{number}"}],
            }
            change = {"Action": "UPSERT", "ResourceRecordSet": record}
            route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch={"Changes": [change]})
        assert [one.values for one in aws.hosted_zone_records() if one.type == "A"] == [("10.0.0.59",)]
