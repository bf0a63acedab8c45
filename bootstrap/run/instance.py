"""This instance: what it was told, who it is, and the adapters that act for it.

For: boot, supervise and stop take one of these instead of a dozen arguments. Guarantees: built in one place from the
boot document; holds no state of its own. Does not: do anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bootstrap.base.clock import Clock
from bootstrap.base.document import BootDocument, Zone
from bootstrap.base.errors import BadBootDocument
from bootstrap.base.paths import Paths
from bootstrap.base.threads import Threads
from bootstrap.claims.network_interface import Claim
from bootstrap.cloud.autoscaling import AutoScaling
from bootstrap.cloud.clients import Clients
from bootstrap.cloud.ec2 import Ec2
from bootstrap.cloud.imds import Identity
from bootstrap.cloud.route53 import RecordSet, Route53
from bootstrap.fence.client import Fence
from bootstrap.lease.directory import LeaseDirectory, Worker
from bootstrap.lease.evidence import LeaseEvidence
from bootstrap.lease.keeper import LeaseKeeper
from bootstrap.lease.parts import LeaseParts
from bootstrap.lease.rules.record import Applicant
from bootstrap.machine.commands import Commands
from bootstrap.machine.file_system import FileSystems
from bootstrap.machine.health import Prober
from bootstrap.machine.links import Links
from bootstrap.machine.units import ServiceUnits


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What this machine offers and who it is in this boot; tests put others in their place."""

    clock: Clock
    paths: Paths
    commands: Commands
    links: Links
    worker: Worker
    threads: Threads
    fence: Fence
    nonce: Callable[[], str]
    boot_id: str
    image_version: str


@dataclass(frozen=True, kw_only=True)
class Lease:
    """The parts of the lease."""

    parts: LeaseParts
    evidence: LeaseEvidence
    keeper: LeaseKeeper
    nonce: Callable[[], str]


@dataclass(frozen=True, kw_only=True)
class Listeners:
    """Whom the lease tells: that it is held, that it is lost (with the sentence), that its loop lives."""

    on_held: Callable[[int], None]
    on_lost: Callable[[str], None]
    beat_lease: Callable[[], None]


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
    lease: Lease
    listeners: Listeners
    claim: Claim
    auto_scaling: AutoScaling
    route53: Route53
    wanted_record: RecordSet


def data_mounts(document: BootDocument, paths: Paths) -> tuple[str, ...]:
    """The data root, and where the service sees its parts."""
    return (str(paths.data_root), *(directory.target for directory in document.file_system.directories))


def build_instance(
    document: BootDocument, identity: Identity, *, machine: Machine, clients: Clients, listeners: Listeners
) -> Instance:
    """Raises BadBootDocument when the document says nothing about this instance's zone."""
    zone = next((zone for zone in document.zones if zone.name == identity.zone), None)
    if zone is None:
        known = ", ".join(zone.name for zone in document.zones)
        raise BadBootDocument(
            f"boot document: zones: none is {identity.zone}, only {known}",
            remedy="The group's subnets and the service's zones must be the same; deploy the stack again",
        )
    record, paths, clock = document.record, machine.paths, machine.clock
    ec2, auto_scaling = Ec2(clients), AutoScaling(clients, document.group.name, identity.instance_id)
    evidence = LeaseEvidence(ec2, auto_scaling, identity.instance_id, machine.threads)
    lease = _build_lease(document, identity, zone, machine, evidence)
    return Instance(
        document=document,
        identity=identity,
        zone=zone,
        clock=clock,
        paths=paths,
        commands=machine.commands,
        links=machine.links,
        file_systems=FileSystems(machine.commands, paths.mountinfo),
        units=ServiceUnits(machine.commands, document.service),
        prober=Prober(machine.commands, document.service.health),
        lease=lease,
        listeners=listeners,
        claim=Claim(ec2, zone, identity.instance_id, lease.keeper.permit),
        auto_scaling=auto_scaling,
        route53=Route53(clients, record.hosted_zone_id),
        wanted_record=RecordSet(name=record.name, values=(zone.address,), ttl_s=record.ttl_s),
    )


def _build_lease(
    document: BootDocument, identity: Identity, zone: Zone, machine: Machine, evidence: LeaseEvidence
) -> Lease:
    parts = LeaseParts(
        directory=LeaseDirectory(machine.worker, str(machine.paths.lease_root), machine.clock),
        fence=machine.fence,
        clock=machine.clock,
        threads=machine.threads,
        me=Applicant(
            instance_id=identity.instance_id,
            zone=identity.zone,
            network_interface_id=zone.network_interface_id,
            boot_id=machine.boot_id,
            image_id=identity.image_id,
            agent_version=machine.image_version,
        ),
        timing=document.lease.timing,
        policy=document.lease.fence,
        mounts=data_mounts(document, machine.paths),
    )
    return Lease(parts=parts, evidence=evidence, keeper=LeaseKeeper(parts), nonce=machine.nonce)
