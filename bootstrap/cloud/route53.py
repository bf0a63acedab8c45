"""Route 53: read one record set, replace it in one atomic batch.

For: claims.connection.route53. Guarantees: thin, no loops; the record set that was read is handed back untouched, so
that a DELETE names it exactly; a record set of another kind at the name is seen. Does not: decide, or use UPSERT, which
overwrites what it has not seen.
Sources: Route 53 API reference: ListResourceRecordSets (starts at a name, does not filter by it; sorts the record sets
of one name by type, so that from A on a CNAME, which stands alone, comes first, and so does one of a set), and
ChangeResourceRecordSets (a batch is all or nothing; DELETE must match the current values; InvalidChangeBatch).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from bootstrap.cloud.clients import Clients, converted

if TYPE_CHECKING:
    from mypy_boto3_route53.type_defs import ChangeTypeDef


@dataclass(frozen=True, kw_only=True)
class RecordSet:
    """What is at a name for the type A. `raw` is what the API returned, for an exact DELETE. `other_kind`: what it is,
    in words, where it is no simple A record."""

    name: str
    values: tuple[str, ...]
    ttl_s: int
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)
    other_kind: str = ""


POLICIES = {
    "Weight": "weights",
    "Region": "latency routing",
    "Failover": "failover routing",
    "GeoLocation": "geolocation routing",
    "GeoProximityLocation": "geoproximity routing",
    "CidrRoutingConfig": "IP-based routing",
    "MultiValueAnswer": "multivalue answers",
}


class Route53:
    """The calls for one hosted zone."""

    def __init__(self, clients: Clients, hosted_zone_id: str) -> None:
        self._clients = clients
        self._hosted_zone_id = hosted_zone_id

    def address_record(self, name: str) -> RecordSet | None:
        """The A record set `name`, or what takes its place; None where there is none. Raises CloudError."""
        with converted(f"read record {name}"):
            answer = self._clients.route53().list_resource_record_sets(
                HostedZoneId=self._hosted_zone_id, StartRecordName=name, StartRecordType="A", MaxItems="1"
            )
        for item in answer["ResourceRecordSets"]:
            if normalized(item["Name"]) == normalized(name) and item["Type"] in ("A", "CNAME"):
                return RecordSet(
                    name=normalized(item["Name"]),
                    values=tuple(value["Value"] for value in item.get("ResourceRecords", [])),
                    ttl_s=int(item.get("TTL", 0)),
                    raw=cast("Mapping[str, Any]", item),
                    other_kind=_other_kind(cast("Mapping[str, Any]", item)),
                )
        return None

    def swap(self, old: RecordSet | None, new: RecordSet) -> None:
        """One batch: DELETE exactly `old`, if there is one, and CREATE `new`. Raises CloudError, with the code
        `InvalidChangeBatch` when another writer was faster."""
        changes: list[dict[str, Any]] = []
        if old is not None:
            changes.append({"Action": "DELETE", "ResourceRecordSet": dict(old.raw)})
        changes.append(
            {
                "Action": "CREATE",
                "ResourceRecordSet": {
                    "Name": new.name,
                    "Type": "A",
                    "TTL": new.ttl_s,
                    "ResourceRecords": [{"Value": value} for value in new.values],
                },
            }
        )
        with converted(f"move record {new.name}", retryable=frozenset({"InvalidChangeBatch"})):
            self._clients.route53().change_resource_record_sets(
                HostedZoneId=self._hosted_zone_id,
                ChangeBatch={"Comment": "soloist", "Changes": cast("list[ChangeTypeDef]", changes)},
            )


def _other_kind(item: Mapping[str, Any]) -> str:
    """What a record set is, in words, "" for a simple A record."""
    if item.get("SetIdentifier"):
        policy = next((words for key, words in POLICIES.items() if key in item), "a routing policy")
        return f"a set of {item['Type']} records with {policy}, one of them {item['SetIdentifier']!r}"
    if "AliasTarget" in item:
        return f"an alias of {item['AliasTarget']['DNSName']}"
    values = ", ".join(value["Value"] for value in item.get("ResourceRecords", []))
    return f"a CNAME to {values}" if item["Type"] == "CNAME" else ""


def normalized(name: str) -> str:
    """`name` as the API compares it: in lower case, without a trailing dot, with `*` for its octal escape."""
    return name.lower().rstrip(".").replace("\\052", "*")
