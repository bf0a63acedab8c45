"""Which kind of connection a boot document asks for. Does not: know how a kind works."""

from __future__ import annotations

from bootstrap.base.document import BootDocument
from bootstrap.claims.connection.contract import Connection
from bootstrap.claims.connection.route53 import Permit, Route53Connection
from bootstrap.cloud.clients import Clients
from bootstrap.cloud.route53 import Route53


def connection_of(document: BootDocument, clients: Clients, address: str, permit: Permit) -> Connection:
    """The connection that leads to `address`. `permit` raises NotHolder unless this instance holds the lease now."""
    record = document.record
    records = Route53(clients, record.hosted_zone_id)
    return Route53Connection(records, name=record.name, address=address, ttl_s=record.ttl_s, permit=permit)
