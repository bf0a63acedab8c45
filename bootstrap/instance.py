"""This instance: what it was told, who it is, and the adapters that act for it.

For: boot, supervise and stop take one of these instead of a dozen arguments. Guarantees: built in one place from the
boot document; holds no state of its own. Does not: do anything.
"""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap.autoscaling import AutoScaling
from bootstrap.aws import Clients
from bootstrap.boot_document import BootDocument, Zone
from bootstrap.clock import Clock
from bootstrap.commands import Commands
from bootstrap.ec2 import Ec2
from bootstrap.errors import BadBootDocument
from bootstrap.file_system import FileSystems
from bootstrap.health import Prober
from bootstrap.imds import Identity
from bootstrap.links import Links
from bootstrap.network_interface import Claim
from bootstrap.paths import Paths
from bootstrap.route53 import RecordSet, Route53
from bootstrap.service import ServiceUnits


@dataclass(frozen=True, kw_only=True)
class Instance:
    """Everything the steps work with."""

    document: BootDocument
    identity: Identity
    zone: Zone
    clock: Clock
    paths: Paths
    commands: Commands
    links: Links
    file_systems: FileSystems
    units: ServiceUnits
    prober: Prober
    claim: Claim
    auto_scaling: AutoScaling
    route53: Route53
    wanted_record: RecordSet


def build_instance(
    document: BootDocument,
    identity: Identity,
    *,
    clock: Clock,
    paths: Paths,
    commands: Commands,
    links: Links,
    clients: Clients,
) -> Instance:
    """Raises BadBootDocument when the document says nothing about this instance's zone."""
    zone = next((zone for zone in document.zones if zone.name == identity.zone), None)
    if zone is None:
        known = ", ".join(zone.name for zone in document.zones)
        raise BadBootDocument(
            f"boot document: zones: none is {identity.zone}, only {known}",
            remedy="The group's subnets and the service's zones must be the same; deploy the stack again",
        )
    record = document.record
    return Instance(
        document=document,
        identity=identity,
        zone=zone,
        clock=clock,
        paths=paths,
        commands=commands,
        links=links,
        file_systems=FileSystems(commands, paths.mountinfo),
        units=ServiceUnits(commands, document.service),
        prober=Prober(commands, document.service.health),
        claim=Claim(Ec2(clients), zone, identity.instance_id),
        auto_scaling=AutoScaling(clients, document.group.name, identity.instance_id),
        route53=Route53(clients, record.hosted_zone_id),
        wanted_record=RecordSet(name=record.name, values=(zone.address,), ttl_s=record.ttl_s),
    )
