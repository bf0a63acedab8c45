"""Which kind of connection a boot document asks for. Does not: know how a kind works.

A newcomer adds one line to `MAKERS`; the boot document then accepts the kind (bootstrap.run.kinds).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bootstrap.base.document import ConnectionSettings, Route53Settings
from bootstrap.claims.connection.contract import Connection
from bootstrap.claims.connection.route53 import Permit, Route53Connection
from bootstrap.cloud.clients import Clients
from bootstrap.cloud.route53 import Route53


def connection_of(settings: ConnectionSettings, clients: Clients, address: str, permit: Permit) -> Connection:
    """The connection that leads to `address`. `permit` raises NotHolder unless this instance holds the lease now."""
    return MAKERS[type(settings)](settings, clients, address, permit)


def _route53(settings: Route53Settings, clients: Clients, address: str, permit: Permit) -> Connection:
    records = Route53(clients, settings.hosted_zone_id)
    return Route53Connection(records, name=settings.name, address=address, ttl_s=settings.ttl_s, permit=permit)


MAKERS: dict[type[ConnectionSettings], Callable[[Any, Clients, str, Permit], Connection]] = {Route53Settings: _route53}
