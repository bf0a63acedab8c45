"""This instance: what it was told, who it is, and the parts that act for it.

For: boot, supervision and stop take one of these instead of a dozen arguments. Guarantees: built in one place, from the
boot document, this machine and the clients of AWS; holds no state of its own. Does not: act.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bootstrap.base.clock import Clock
from bootstrap.base.document import BootDocument, Zone
from bootstrap.base.errors import BadBootDocument
from bootstrap.base.paths import Paths
from bootstrap.base.threads import Threads
from bootstrap.claims.connection.contract import Connection
from bootstrap.claims.connection.kinds import connection_of
from bootstrap.claims.network_interface import Claim
from bootstrap.claims.storage.contract import Storage
from bootstrap.claims.storage.kinds import storage_of
from bootstrap.cloud.autoscaling import AutoScaling
from bootstrap.cloud.clients import Clients
from bootstrap.cloud.ec2 import Ec2
from bootstrap.cloud.imds import Identity
from bootstrap.fence.client import Fence
from bootstrap.lease.directory import LeaseDirectory, Worker
from bootstrap.lease.evidence import LeaseEvidence
from bootstrap.lease.keeper import LeaseKeeper
from bootstrap.lease.parts import LeaseParts
from bootstrap.lease.rules.record import Applicant
from bootstrap.machine.commands import Commands
from bootstrap.machine.directories import DataDirectories
from bootstrap.machine.file_system import FileSystems
from bootstrap.machine.health import Prober
from bootstrap.machine.links import Links
from bootstrap.machine.units import ServiceUnits


@dataclass(frozen=True, kw_only=True)
class MachineParts:
    """What the machine offers before the boot document is read, and which boot of the machine this is."""

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
class Listeners:
    """What the lease calls when it is held (with its generation), when it is lost (why), and in each cycle."""

    on_held: Callable[[int], None]
    on_lost: Callable[[str], None]
    beat_lease: Callable[[], None]


@dataclass(frozen=True, kw_only=True)
class OwnLease:
    """The lease as this instance takes and keeps it. `storage`: where the lease directory is."""

    parts: LeaseParts
    evidence: LeaseEvidence
    keeper: LeaseKeeper
    nonce: Callable[[], str]
    storage: Storage


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What the holder of the lease takes from its predecessor."""

    network_interface: Claim
    connection: Connection
    data: Storage


@dataclass(frozen=True, kw_only=True)
class ServiceParts:
    """The service on this machine."""

    directories: DataDirectories
    units: ServiceUnits
    prober: Prober


@dataclass(frozen=True, kw_only=True)
class Instance:
    """Everything that boot, supervision and stop work with."""

    document: BootDocument
    identity: Identity
    zone: Zone
    machine: MachineParts
    group: AutoScaling
    lease: OwnLease
    claims: Claims
    service: ServiceParts
    listeners: Listeners

    @property
    def clock(self) -> Clock:
        return self.machine.clock


def build_instance(
    document: BootDocument, identity: Identity, *, machine: MachineParts, clients: Clients, listeners: Listeners
) -> Instance:
    """Raises BadBootDocument when the document says nothing about this instance's zone."""
    zone, ec2 = _zone_of(document, identity), Ec2(clients)
    group = AutoScaling(clients, document.group.name, identity.instance_id)
    service = _service(document, machine)
    lease = _lease(document, identity, zone, machine, LeaseEvidence(ec2, group, identity.instance_id, machine.threads))
    data = storage_of(
        document.file_system, _file_systems(machine), zone.name, str(machine.paths.data_root), document.service.name
    )
    return Instance(
        document=document,
        identity=identity,
        zone=zone,
        machine=machine,
        group=group,
        lease=lease,
        claims=Claims(
            network_interface=Claim(ec2, zone, identity.instance_id, lease.keeper.permit),
            connection=connection_of(document.connection, clients, zone.address, lease.keeper.permit),
            data=data,
        ),
        service=service,
        listeners=listeners,
    )


def _zone_of(document: BootDocument, identity: Identity) -> Zone:
    for zone in document.zones:
        if zone.name == identity.zone:
            return zone
    known = ", ".join(zone.name for zone in document.zones)
    raise BadBootDocument(
        f"boot document: zones: none is {identity.zone}, only {known}",
        remedy="The group's subnets and the service's zones must be the same; deploy the stack again",
    )


def _file_systems(machine: MachineParts) -> FileSystems:
    return FileSystems(machine.commands, machine.paths.mountinfo)


def _service(document: BootDocument, machine: MachineParts) -> ServiceParts:
    directories, paths = document.file_system.directories, machine.paths
    return ServiceParts(
        directories=DataDirectories(_file_systems(machine), str(paths.data_root), directories, str(paths.factory)),
        units=ServiceUnits(machine.commands, document.service),
        prober=Prober(machine.commands, document.service.health),
    )


def _lease(
    document: BootDocument, identity: Identity, zone: Zone, machine: MachineParts, evidence: LeaseEvidence
) -> OwnLease:
    paths, root = machine.paths, str(machine.paths.lease_root)
    parts = LeaseParts(
        directory=LeaseDirectory(machine.worker, root, machine.clock),
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
        # Every place where the data can be written while it is mounted: the data root, and where the service sees it.
        mounts=(str(paths.data_root), *(directory.target for directory in document.file_system.directories)),
    )
    return OwnLease(
        parts=parts,
        evidence=evidence,
        keeper=LeaseKeeper(parts),
        nonce=machine.nonce,
        storage=storage_of(document.file_system, _file_systems(machine), zone.name, root),
    )
