"""Route 53 as the agent needs it: read one record set, change one by one atomic batch.

Guarantees: thin, no loops; the record set read is handed back untouched, so that a DELETE names it exactly.
Sources: Route 53 API reference: ListResourceRecordSets (starts at a name, does not filter by it), and
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
    """An A record set. `raw` is what the API returned, for an exact DELETE."""

    name: str
    values: tuple[str, ...]
    ttl_s: int
    raw: Mapping[str, Any] = field(default_factory=dict, compare=False)


class Route53:
    """The calls about one hosted zone."""

    def __init__(self, clients: Clients, hosted_zone_id: str) -> None:
        self._clients = clients
        self._hosted_zone_id = hosted_zone_id

    def address_record(self, name: str) -> RecordSet | None:
        """The A record set named `name`, or None. Raises CloudError."""
        with converted(f"read record {name}"):
            answer = self._clients.route53().list_resource_record_sets(
                HostedZoneId=self._hosted_zone_id, StartRecordName=name, StartRecordType="A", MaxItems="1"
            )
        for item in answer["ResourceRecordSets"]:
            if normalized(item["Name"]) == normalized(name) and item["Type"] == "A":
                return RecordSet(
                    name=normalized(item["Name"]),
                    values=tuple(value["Value"] for value in item.get("ResourceRecords", [])),
                    ttl_s=int(item.get("TTL", 0)),
                    raw=cast("Mapping[str, Any]", item),
                )
        return None

    def swap(self, old: RecordSet | None, new: RecordSet) -> None:
        """One batch: DELETE exactly `old` (when given) and CREATE `new`. Raises CloudError, `InvalidChangeBatch` when
        somebody else was faster."""
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


def normalized(name: str) -> str:
    """`name` as the API compares it: lower case, no trailing dot, `*` for its octal escape."""
    return name.lower().rstrip(".").replace("\\052", "*")
