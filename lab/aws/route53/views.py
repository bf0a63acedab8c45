"""Route 53 as the rest of the lab sees it: frozen DNS records.

For: the lab's DNS server and checkers. Guarantees: a view is a copy taken under the lock at one moment and never
changes. Does not: change AWS; the API does.
"""

from dataclasses import dataclass

from lab.aws.core.cloud import Cloud
from lab.aws.route53.changes import records_of


@dataclass(frozen=True, kw_only=True)
class RecordView:
    """A resource record set, name in lower case without trailing dot."""

    name: str
    type: str
    ttl_s: int
    values: tuple[str, ...]
    zone_id: str
    zone_name: str
    vpc_ids: tuple[str, ...]  # VPCs a private zone answers; empty for a public zone


class Route53Queries:
    """Queries about Route 53. Thread-safe."""

    cloud: Cloud

    def hosted_zone_records(self) -> list[RecordView]:
        with self.cloud.lock:
            return [
                RecordView(
                    name=key.name.rstrip("."),
                    type=key.type,
                    ttl_s=record.ttl or 0,
                    values=record.values,
                    zone_id=zone.resource_id,
                    zone_name=zone.name.rstrip("."),
                    vpc_ids=tuple(vpc["vpc_id"] for vpc in zone.vpcs) if zone.private_zone else (),
                )
                for zone in self.cloud.backend("route53").zones.values()
                for key, record in records_of(zone).items()
            ]
