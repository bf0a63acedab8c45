"""What Route 53 accepts as a change batch: pure rules on a copy of the zone's records.

For: `changes`, which applies the result. Guarantees: all or nothing; a change sees the effect of those before it.
Does not: know aliases' targets, DNSSEC or traffic policies.
Sources: Route 53 API reference ChangeResourceRecordSets (DELETE "must specify all the same values", atomic batches);
texts as seen in kubernetes-sigs/external-dns#732, #3141 and #4345, boto/boto#2887, chef-boneyard/route53#100,
capitalone/Particle-Cloud-Framework#113. Developer guide, "Values specific for weighted records" (and for the other
policies): a set has one name, one type and one policy.
"""

import ipaddress
import re
from dataclasses import dataclass
from typing import Any

# What a zone needs of its own: texts as seen in hashicorp/terraform-provider-aws.
_OWN = {
    "SOA": "A HostedZone must contain exactly one SOA record.",
    "NS": "A HostedZone must contain at least one NS record for the zone itself.",
}
_POLICIES = {"Weight": "weighted", "Region": "latency", "Failover": "failover"}
_QUOTED = re.compile(r'("(?:[^"\\]|\\.)*"\s*)+')


@dataclass(frozen=True)
class RecordKey:
    """What makes a record set one: name in lower case with trailing dot, type, set identifier."""

    name: str
    type: str
    set_identifier: str = ""


@dataclass(frozen=True)
class Record:
    key: RecordKey
    ttl: int | None
    values: tuple[str, ...]
    rest: tuple[tuple[str, Any], ...] = ()  # alias target, weight, failover...: compared, and given back

    @property
    def policy(self) -> str:
        """The routing policy of a set, "" of a simple record."""
        return next((policy for name, policy in _POLICIES.items() if name in dict(self.rest)), "")


def normal_name(name: str) -> str:
    """Lower case, with one trailing dot."""
    return name.lower().rstrip(".") + "."


def record_from(record_set: dict[str, Any]) -> Record:
    """A record from the API's or a template's shape of a record set."""
    values = []
    for value in record_set.get("ResourceRecords") or []:
        values.append(value["Value"] if isinstance(value, dict) else str(value))
    known = {"Name", "Type", "TTL", "ResourceRecords", "SetIdentifier", "HostedZoneId", "HostedZoneName", "Comment"}
    rest = tuple(sorted((key, value) for key, value in record_set.items() if key not in known and value is not None))
    ttl = record_set.get("TTL")
    return Record(
        key=RecordKey(normal_name(record_set["Name"]), record_set["Type"], record_set.get("SetIdentifier") or ""),
        ttl=None if ttl is None else int(ttl),
        values=tuple(values),
        rest=rest,
    )


def apply_changes(
    records: dict[RecordKey, Record], zone_name: str, changes: list[dict[str, Any]]
) -> tuple[dict[RecordKey, Record], list[str]]:
    """The records after the batch, and the complaints; with complaints the batch must not be applied."""
    after = dict(records)
    complaints: list[str] = []
    for change in changes:
        record = record_from(change["ResourceRecordSet"])
        complaint = _complaint_about(after, normal_name(zone_name), change["Action"], record)
        if complaint:
            complaints.append(complaint)
        elif change["Action"] == "DELETE":
            del after[record.key]
        else:
            after[record.key] = record
    return after, complaints


def _complaint_about(records: dict[RecordKey, Record], zone: str, action: str, record: Record) -> str:
    key = record.key
    who = f"[name='{key.name}', type='{key.type}']"
    if key.name != zone and not key.name.endswith("." + zone):
        return f"RRSet with DNS name {key.name} is not permitted in zone {zone}"
    if action == "DELETE":
        present = records.get(key)
        if present is None:
            return f"Tried to delete resource record set {who} but it was not found"
        if not _same_values(present, record):
            return f"Tried to delete resource record set {who} but the values provided do not match the current values"
        return _OWN.get(key.type, "") if key.name == zone else ""
    if action == "CREATE" and key in records:
        return f"Tried to create resource record set {who} but it already exists"
    return _bad_value(record) or _clash(records, zone, record) or _other_policy(records, record)


def _same_values(present: Record, given: Record) -> bool:
    return present.ttl == given.ttl and sorted(present.values) == sorted(given.values) and present.rest == given.rest


def _bad_value(record: Record) -> str:
    long = next((label for label in record.key.name.split(".") if len(label) > 63), "")
    if long:
        return f"FATAL problem: DomainLabelTooLong (Domain label is too long) encountered with '{long}'"
    if record.ttl is not None and not 0 <= record.ttl < 2**31:
        return f"Invalid TTL: {record.ttl} is not between 0 and 2147483647 (of {record.key.name})"
    bare = next((value for value in record.values if record.key.type == "TXT" and not _QUOTED.fullmatch(value)), "")
    if bare:
        return (
            "Invalid Resource Record: 'FATAL problem: InvalidCharacterString "
            f"(Value should be enclosed in quotation marks) encountered with '{bare}''"
        )
    if not record.values and not any(key == "AliasTarget" for key, _ in record.rest):
        return f"Invalid Resource Record: no ResourceRecords and no AliasTarget for {record.key.name}"
    repeated = next((value for value in record.values if record.values.count(value) > 1), None)
    if repeated is not None:
        return f"Duplicate Resource Record: '{repeated}'"
    version = {"A": 4, "AAAA": 6}.get(record.key.type)
    for value in record.values if version else ():
        try:
            good = ipaddress.ip_address(value).version == version
        except ValueError:
            good = False
        if not good:
            return (
                f"Invalid Resource Record: 'FATAL problem: ARRDATAIllegalIPv{version}Address "
                f"(Value is not a valid IPv{version} address) encountered with '{value}''"
            )
    if record.values and record.ttl is None:
        return f"Invalid Resource Record: TTL is missing for {record.key.name}"
    return ""


def _clash(records: dict[RecordKey, Record], zone: str, record: Record) -> str:
    key = record.key
    others = {other.type for other in records if other.name == key.name and other.type != key.type}
    if key.type == "CNAME" and key.name == zone:
        return f"RRSet of type CNAME with DNS name {key.name} is not permitted at apex in zone {zone}"
    if (key.type == "CNAME" and others) or "CNAME" in others:
        return (
            f"RRSet of type {key.type} with DNS name {key.name} is not permitted as it conflicts with other records "
            f"with the same DNS name in zone {zone}"
        )
    return ""


def _other_policy(records: dict[RecordKey, Record], record: Record) -> str:
    """Records of one name and type are one simple record, or a set of one routing policy."""
    key = record.key
    who = f"RRSet with DNS name {key.name}, type {key.type}"
    others = [each for each in records.values() if _same_name(each.key, key) and each.key != key]
    if not key.set_identifier:
        return f"{who} cannot be created as other RRSets exist with the same name and type." if others else ""
    who = f"{who}, SetIdentifier {key.set_identifier}"
    if not record.policy:
        return f"{who} has no routing policy"
    if any(other.policy != record.policy for other in others):
        return f"{who} cannot be created as a non-{record.policy} set exists with the same name and type."
    return ""


def _same_name(one: RecordKey, other: RecordKey) -> bool:
    return (one.name, one.type) == (other.name, other.type)
