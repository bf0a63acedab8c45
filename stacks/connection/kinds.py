"""Which construct makes the connection of a service file. Does not: know how a kind works."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from services.spec import ServiceFile
from stacks.connection.contract import Connection
from stacks.connection.route53 import Route53Record
from stacks.network import Network

CONNECTIONS: dict[str, Any] = {"route53": Route53Record}  # by `kind` of the section; all are made alike


def make_connection(scope: Construct, construct_id: str, *, service: ServiceFile, network: Network) -> Connection:
    """The construct of the kind that `service.dns` asks for."""
    made: Connection = CONNECTIONS[service.dns.kind](
        scope, construct_id, section=service.dns, region=service.region, network=network
    )
    return made
