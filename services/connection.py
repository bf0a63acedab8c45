"""How clients reach the service: the section `dns` of the service file, of one of several kinds.

For: services.spec. Guarantees: a section without `kind` is a record in Route 53, as every service file today.
Does not: look anything up. A newcomer adds the Part of another kind here and names it in `CONNECTIONS`; its stack part
belongs to stacks.connection, its section of the boot document to bootstrap.base.document, and what the agent does to
bootstrap.claims.connection.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Annotated, Literal

from pydantic import Field

from services.derived import OneOfParts
from services.fields import DomainName, HostedZoneId, Ttl
from services.part import Part


class ConnectionSection(Part):
    """What all kinds of connection have in common."""

    kind: str

    @property
    @abstractmethod
    def name(self) -> str:
        """What clients connect to, for people and tests: a DNS name or an address."""


class Dns(ConnectionSection):
    """The A record in Route 53 that follows the instance. With `zone_id` the hosted zone exists, without it the stack
    makes it."""

    kind: Annotated[Literal["route53"], Field(title="The kind of connection")] = "route53"
    zone: Annotated[DomainName, Field(title="The hosted zone")]
    record: Annotated[DomainName, Field(title="The name that clients use; inside the zone")]
    zone_id: Annotated[
        HostedZoneId | None, Field(title="A hosted zone that exists; without it the stack makes one")
    ] = None
    private: Annotated[bool, Field(title="Whether only the VPC sees the zone")] = True
    ttl_s: Ttl = 10

    @property
    def name(self) -> str:
        return self.record


CONNECTIONS: tuple[type[Part], ...] = (Dns,)
Connection = Annotated[ConnectionSection, OneOfParts(CONNECTIONS, default="route53")]
