"""Route 53: change batches with the service's own checks, and changes that are PENDING before they are INSYNC.

For: the agent's compare-and-swap and the record's custom resource. Guarantees: batches are atomic and serialised;
records made by CloudFormation and by the API are the same; change ids are unique and tell the truth.
Does not: limit the request rate (`state.Limits`) or host public resolvers. DNS answers come from `hosted_zone_records`,
at once.
Sources: see `record_rules`; GetChange: Route 53 API reference.
"""

import secrets
import string
from typing import Any

from moto.core.responses import ActionResult

from lab.aws.core.cloud import Cloud, current, under_lock
from lab.aws.core.errors import record_refused
from lab.aws.core.patches import original, replaces
from lab.aws.route53.record_rules import Record, RecordKey, apply_changes, normal_name, record_from
from lab.aws.route53.state import Change, Route53

_BACKEND = "moto.route53.models:Route53Backend"
_RESPONSE = "moto.route53.responses:Route53"
_LETTERS = string.ascii_uppercase + string.digits
_FIELDS = {  # the API's name of each part of a record set, and moto's
    "Name": "name",
    "Type": "type",
    "TTL": "ttl",
    "ResourceRecords": "records",
    "SetIdentifier": "set_identifier",
    "AliasTarget": "alias_target",
    "Weight": "weight",
    "Region": "region",
    "Failover": "failover",
    "HealthCheckId": "health_check_id",
    "MultiValueAnswer": "multi_value_answer",
    "GeoLocation": "geo_location",
}


def submit_changes(cloud: Cloud, zone_id: str, changes: list[dict[str, Any]]) -> Change:
    """Check and apply a batch. Raises NoSuchHostedZone, InvalidChangeBatch or InvalidInput."""
    zone = cloud.backend("route53").get_hosted_zone(zone_id)
    for change in changes:
        if change["Action"] not in ("CREATE", "UPSERT", "DELETE"):
            raise record_refused(
                "InvalidInput", f"Invalid XML ; Value '{change['Action']}' is not one of [CREATE, DELETE, UPSERT]"
            )
    before = records_of(zone)
    after, complaints = apply_changes(before, zone.name, changes)
    if complaints:
        raise record_refused("InvalidChangeBatch", f"[{', '.join(complaints)}]")
    _write(zone, after)
    for key in [key for key in {**before, **after} if before.get(key) != after.get(key)]:
        values = ", ".join(after[key].values) if key in after else "deleted"
        cloud.event("record", key.name.rstrip("."), f"{key.type} {values}")
    return new_change(cloud)


def new_change(cloud: Cloud) -> Change:
    """A change that is in sync after `insync_s`."""
    identifier = "C" + "".join(secrets.choice(_LETTERS) for _ in range(20))
    change = Change(identifier, cloud.now(), cloud.now() + cloud.delay("insync_s"))
    Route53.of(cloud).changes[identifier] = change
    return change


def records_of(zone: Any) -> dict[RecordKey, Record]:
    """The zone's records, whoever made them."""
    shown = ({name: getattr(rrset, attribute) for name, attribute in _FIELDS.items()} for rrset in zone.rrsets)
    return {record.key: record for record in map(record_from, shown)}


def _write(zone: Any, after: dict[RecordKey, Record]) -> None:
    before = records_of(zone)
    kept = {key for key, record in after.items() if before.get(key) == record}
    zone.rrsets = [rrset for rrset in zone.rrsets if _key_of(rrset) in kept]
    for key, record in after.items():
        if key in kept:
            continue
        document: dict[str, Any] = {
            "Name": key.name,
            "Type": key.type,
            "TTL": record.ttl,
            "ResourceRecords": list(record.values),
            "SetIdentifier": key.set_identifier or None,
            **dict(record.rest),
        }
        zone.add_rrset({name: value for name, value in document.items() if value is not None})


def _key_of(rrset: Any) -> RecordKey:
    return RecordKey(normal_name(rrset.name), rrset.type, rrset.set_identifier or "")


@replaces(
    f"{_BACKEND}.change_resource_record_sets",
    expects="self, zoneid, change_list",
    reason="moto accepts duplicates, bad values and clashes, and batches are not atomic",
)
@under_lock
def change_resource_record_sets(_self: Any, cloud: Cloud, zoneid: str, change_list: list[dict[str, Any]]) -> Change:
    return submit_changes(cloud, zoneid, change_list)


@replaces(f"{_RESPONSE}.change_resource_record_sets", reason="moto's change ids are all the same and INSYNC")
def change_resource_record_sets_response(self: Any) -> Any:
    cloud = current()
    changes = self._get_param("ChangeBatch.Changes") or []
    if not changes:
        raise record_refused(
            "InvalidInput", "1 validation error detected: 'changeBatch.changes' must have at least 1 element"
        )
    weights = {"UPSERT": 2}  # an UPSERT counts twice
    counted = (
        len(one["ResourceRecordSet"].get("ResourceRecords") or []) * weights.get(one["Action"], 1) for one in changes
    )
    if sum(counted) > 1000:
        raise record_refused("InvalidChangeBatch", "[Number of records limit of 1000 exceeded.]")
    zone_id = self._get_param("HostedZoneId").rpartition("/")[2]
    with cloud.call():
        if cloud.now() < Route53.of(cloud).busy_zones.get(zone_id, 0.0):
            raise record_refused(
                "PriorRequestNotComplete",
                "The request was rejected because Route 53 was still processing a prior request.",
            )
        change = self.backend.change_resource_record_sets(zone_id, changes)
        change.comment = self._get_param("ChangeBatch.Comment")
        Route53.of(cloud).busy_zones[zone_id] = cloud.now() + cloud.timing.change_busy_s
    return ActionResult({"ChangeInfo": change.describe(cloud.now())})


@replaces(f"{_RESPONSE}.get_change", reason="moto says INSYNC to every id")
def get_change(self: Any) -> Any:
    """GetChange: PENDING, later INSYNC; NoSuchChange for an id that was never given out."""
    cloud = current()
    identifier = self._get_param("Id").removeprefix("/change/")
    change = Route53.of(cloud).changes.get(identifier)
    if change is None:
        raise record_refused("NoSuchChange", f"No change found with ID: {identifier}")
    return ActionResult({"ChangeInfo": change.describe(cloud.now())})


@replaces(
    f"{_BACKEND}.create_hosted_zone",
    expects="self, name, private_zone, caller_reference, vpcid, vpcregion, comment, delegation_set_id",
    reason="moto writes the SOA value as a Python dictionary",
)
@under_lock
def create_hosted_zone(self: Any, _cloud: Cloud, name: str, private_zone: Any, *args: Any, **kwargs: Any) -> Any:
    """CreateHostedZone: lower-case name, readable SOA; once for a caller reference, and for a VPC and name."""
    reference, vpc_id = kwargs.get("caller_reference"), kwargs.get("vpcid")
    for other in self.zones.values():
        if reference and other.caller_reference == reference:
            raise record_refused("HostedZoneAlreadyExists", f"A hosted zone has been created with {reference} already.")
        if vpc_id and other.name == name.lower() and vpc_id in [vpc["vpc_id"] for vpc in other.vpcs]:
            text = f"The VPC {vpc_id} has already been associated with the hosted zone {other.resource_id}"
            raise record_refused("ConflictingDomainExists", f"{text} with the same domain name.")
    zone = original(f"{_BACKEND}.create_hosted_zone")(self, name.lower(), private_zone, *args, **kwargs)
    for rrset in zone.rrsets:
        rrset.records = [value["Value"] if isinstance(value, dict) else value for value in rrset.records]
    return zone
