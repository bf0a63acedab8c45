"""Where the service lives: VPC, zones and ports.

For: services.spec. Guarantees: plain typed values; `ZonePlan` is the one resolved view of a zone that stacks use.
Does not: look anything up; an existing VPC is described by the ids in the file.

A new VPC is a /16. Zone n (a is 0, b is 1, ...) gets an instance subnet x.y.n.0/24 and a service subnet
x.y.(100+n).0/24. The number comes from the zone's letter, so adding or removing a zone moves no other zone. There are
two subnets, because two network interfaces of one instance in the same subnet answer asymmetrically (EC2 user guide,
best practices for network interfaces). Instance subnets are public, with a security group that lets nothing in: so the
agent reaches the AWS API without a NAT gateway, which costs more and is, in one zone, a single point of failure.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field

from services.fields import (
    Address,
    Peer,
    PortNumber,
    SubnetCidr,
    SubnetId,
    VpcCidr,
    VpcId,
    ZoneName,
)
from services.part import Part

DEFAULT_HOST = 10  # the last number of a network interface's address in its service subnet


class NewVpc(Part):
    """A VPC made by the stack. `cidr` is a /16."""

    cidr: Annotated[VpcCidr, Field(title="Its network")] = "10.0.0.0/16"


class ExistingZone(Part):
    """One zone of an existing VPC. Instances reach the AWS API from the instance subnet; that route is yours."""

    instance_subnet_id: Annotated[
        SubnetId, Field(title="Where the instance is launched; it needs a way to the AWS API")
    ]
    service_subnet_id: Annotated[
        SubnetId, Field(title="Where the network interface with the fixed address is; another subnet")
    ]
    service_subnet_cidr: Annotated[SubnetCidr, Field(title="As EC2 shows it")]


class ExistingVpc(Part):
    """A VPC that exists already, with DNS support and DNS host names enabled."""

    id: Annotated[VpcId, Field(title="The VPC")]
    public_address: Annotated[
        bool,
        Field(
            description="Ask for a public address at launch, for subnets whose way to the AWS API is an internet "
            "gateway; without it they need a NAT gateway or VPC endpoints"
        ),
    ] = False
    zones: Annotated[dict[ZoneName, ExistingZone], Field(title="Its zones, by name", min_length=1, max_length=6)]


class Port(Part):
    """A port of the service and who may reach it: networks, security groups, prefix lists."""

    port: Annotated[PortNumber, Field(title="Where the service listens")]
    protocol: Annotated[
        Literal["tcp", "udp"],
        Field(
            title="The protocol",
            description="A udp service answers from the service's address only if it listens at that address, or "
            "answers from where it was asked; from 0.0.0.0 its answers have the instance's own address",
        ),
    ] = "tcp"
    allow_from: Annotated[
        tuple[Peer, ...],
        Field(min_length=1, description="Networks, security groups, prefix lists", examples=[["10.0.0.0/16"]]),
    ]


@dataclass(frozen=True, kw_only=True)
class ZonePlan:
    """One zone as the stack builds it. Subnet ids are None where the stack makes the subnets."""

    name: str
    address: Address  # fixed private address of the zone's network interface
    service_subnet_cidr: str
    instance_subnet_cidr: str | None
    instance_subnet_id: str | None
    service_subnet_id: str | None

    @property
    def letter(self) -> str:
        """The zone's letter in upper case: what belongs to the zone is named after it."""
        return self.name[-1].upper()
