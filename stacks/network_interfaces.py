"""One network interface per zone: the service's fixed addresses.

Guarantees: each lives in its zone's service subnet with the address of the service file, admits the service's ports
from the networks named there and nothing else, and exists before the first instance does. Attaching is the agent's
part; CloudFormation's attachment resource is never used: by default it deletes the interface with the instance.
They are deleted with the stack: the address is in the service file, so another deployment gives the same one. An
interface that was retained would occupy the address, and its subnet, security group and VPC could not be deleted.
"""

from __future__ import annotations

from dataclasses import dataclass

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from constructs import Construct

from bootstrap.base.names import ZONE_TAG
from services.spec import ServiceFile
from stacks.network import Network


@dataclass(frozen=True, kw_only=True)
class ZoneInterface:
    """The network interface of one zone. `id` may be a CDK token."""

    zone: str
    id: str
    address: str
    subnet_cidr: str


class NetworkInterfaces(Construct):
    """`zones`: one interface per zone, in the order of the service file. `security_group_id` of them all."""

    def __init__(self, scope: Construct, construct_id: str, *, service: ServiceFile, network: Network) -> None:
        super().__init__(scope, construct_id)
        group = ec2.CfnSecurityGroup(
            self,
            "SecurityGroup",
            vpc_id=network.vpc_id,
            group_description=f"{service.stack_name}: ports of the service",
            security_group_ingress=[
                ec2.CfnSecurityGroup.IngressProperty(
                    ip_protocol=port.protocol, from_port=port.port, to_port=port.port, **_peer(peer)
                )
                for port in service.ports
                for peer in port.allow_from
            ],
        )
        self.security_group_id = group.attr_group_id
        interfaces: list[ZoneInterface] = []
        for zone in network.zones:
            interface = ec2.CfnNetworkInterface(
                self,
                f"Interface{zone.letter}",
                subnet_id=zone.service_subnet_id,
                private_ip_address=zone.address,
                group_set=[group.attr_group_id],
                description=f"{service.stack_name} in {zone.zone}",
            )
            cdk.Tags.of(interface).add(ZONE_TAG, zone.zone)
            interfaces.append(
                ZoneInterface(
                    zone=zone.zone, id=interface.ref, address=zone.address, subnet_cidr=zone.service_subnet_cidr
                )
            )
        self.zones = tuple(interfaces)


def _peer(peer: str) -> dict[str, str]:
    """Who may connect, as a property of a rule."""
    kinds = {"sg-": "source_security_group_id", "pl-": "source_prefix_list_id"}
    return {kinds.get(peer[:3], "cidr_ip"): peer}
