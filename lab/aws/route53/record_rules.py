"""What Route 53 accepts as a change batch: pure rules on a copy of the zone's records.

For: `route53` applies the result. Guarantees: all or nothing; a change sees the effect of those before it.
Does not: know aliases' targets, DNSSEC or traffic policies.
Sources: Route 53 API reference ChangeResourceRecordSets (DELETE "must specify all the same values", atomic batches);
texts as seen in kubernetes-sigs/external-dns#732, boto/boto#2887, capitalone/Particle-Cloud-Framework#113.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RecordKey:
    """What makes a record set one: name in lower case with trailing dot, type, set identifier."""

    name: str
    type: str
    set_identifier: str = ""


@dataclass(frozen=True)
class Record:
    """A record set's values."""

    key: RecordKey
    ttl: int | None
    values: tuple[str, ...]
    rest: tuple[tuple[str, str], ...] = ()  # alias target, weight, failover... as text, compared only


def normal_name(name: str) -> str:
    """Lower case, with one trailing dot."""
    return name.lower().rstrip(".") + "."


def record_from(record_set: dict[str, Any]) -> Record:
    """A record from the API's or a template's shape of a record set."""
    values = []
    for value in record_set.get("ResourceRecords") or []:
        values.append(value["Value"] if isinstance(value, dict) else str(value))
    known = {"Name", "Type", "TTL", "ResourceRecords", "SetIdentifier", "HostedZoneId", "HostedZoneName", "Comment"}
    rest = tuple(
        sorted((key, str(value)) for key, value in record_set.items() if key not in known and value is not None)
    )
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
        return ""
    if action == "CREATE" and key in records:
        return f"Tried to create resource record set {who} but it already exists"
    return _bad_value(record) or _clash(records, zone, record)


def _same_values(present: Record, given: Record) -> bool:
    return present.ttl == given.ttl and sorted(present.values) == sorted(given.values) and present.rest == given.rest


def _bad_value(record: Record) -> str:
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
