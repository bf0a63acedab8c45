"""Record changes, beyond what tests/contract/behaviours.yaml says of them: the lab's own view of a record."""

from tests.kit.three_zones import ThreeZones


def test_a_record_is_seen_in_lower_case_with_its_zone_and_vpc(zones: ThreeZones) -> None:
    route53, private = zones.route53, {"PrivateZone": True, "Comment": ""}
    made = route53.create_hosted_zone(
        Name="Lab.internal",
        CallerReference="1",
        VPC={"VPCRegion": "us-east-1", "VPCId": zones.vpc},
        HostedZoneConfig=private,
    )["HostedZone"]
    values = [{"Value": "10.0.0.1"}]
    record = {"Name": "Monitor.LAB.internal.", "Type": "A", "TTL": 10, "ResourceRecords": values}
    batch = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
    route53.change_resource_record_sets(HostedZoneId=made["Id"], ChangeBatch=batch)
    found = next(one for one in zones.aws.hosted_zone_records() if one.type == "A")
    assert (found.name, found.values, found.ttl_s) == ("monitor.lab.internal", ("10.0.0.1",), 10)
    assert (found.vpc_ids, found.zone_name) == ((zones.vpc,), "lab.internal")
