"""This instance: what it was told, who it is, and the parts that act for it.

For: boot, supervision and stop take one of these instead of a dozen arguments. Guarantees: built in one place, from the
boot document, this machine and the clients of AWS; holds no state of its own. Does not: act.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from bootstrap.base.clock import Clock
from bootstrap.base.document import BootDocument, Zone
from bootstrap.base.errors import WrongZone
from bootstrap.base.paths import Paths
from bootstrap.base.threads import Threads
from bootstrap.base.troubles import Troubles, Untold
from bootstrap.claims.connection.contract import Connection, WatchedConnection
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
from bootstrap.lease.parts import LeaseParts
from bootstrap.lease.rules.record import Applicant
from bootstrap.lease.tenure import Tenure
from bootstrap.machine.commands import Commands
from bootstrap.machine.data_probe import DataProbe
from bootstrap.machine.directories import DataDirectories
from bootstrap.machine.file_system import FileSystems
from bootstrap.machine.health import Prober
from bootstrap.machine.links import Links
from bootstrap.machine.networkd import Networkd
from bootstrap.machine.outsiders import Outsiders
from bootstrap.machine.takeovers import TakeoverLog
from bootstrap.machine.unit_settings import UnitSettings
from bootstrap.machine.units import ServiceUnits
from bootstrap.machine.writers import DataWriters
from bootstrap.run.data_watch import DataWatch


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
    """What the lease calls when it is held (with its generation), when it is lost (why), and in each cycle; who is told
    of a trouble."""

    on_held: Callable[[int], None]
    on_lost: Callable[[str], None]
    beat_lease: Callable[[], None]
    troubles: Troubles = field(default_factory=Untold)


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
    settings: UnitSettings
    units: ServiceUnits
    prober: Prober
    outsiders: Outsiders
    writers: DataWriters
    takeovers: TakeoverLog
    data_watch: DataWatch


@dataclass(frozen=True, kw_only=True)
class Instance:
    """Everything that boot, supervision and stop work with."""

    document: BootDocument
    identity: Identity
    zone: Zone
    machine: MachineParts
    ec2: Ec2
    group: AutoScaling
    lease: Tenure
    lease_storage: Storage  # where the lease directory is
    claims: Claims
    service: ServiceParts
    listeners: Listeners

    @property
    def clock(self) -> Clock:
        return self.machine.clock


def build_instance(
    document: BootDocument, identity: Identity, *, machine: MachineParts, clients: Clients, listeners: Listeners
) -> Instance:
    """Raises WrongZone when the document says nothing about this instance's zone."""
    zone, ec2 = _zone_of(document, identity), Ec2(clients)
    group = AutoScaling(clients, document.group.name, identity.instance_id)
    service = _service(document, machine)
    evidence = LeaseEvidence(ec2, group, identity.instance_id, machine.threads)
    lease = _lease(document, identity, zone, machine, evidence, listeners.troubles)
    data = storage_of(
        document.file_system, _file_systems(machine), zone.name, str(machine.paths.data_root), document.service.name
    )
    lease_root = str(machine.paths.lease_root)
    lease_storage = storage_of(document.file_system, _file_systems(machine), zone.name, lease_root)
    return Instance(
        document=document,
        identity=identity,
        zone=zone,
        machine=machine,
        ec2=ec2,
        group=group,
        lease=lease,
        lease_storage=lease_storage,
        claims=Claims(
            network_interface=Claim(
                ec2, zone, identity.instance_id, lease.permit, Networkd(machine.commands, machine.paths).keep_off
            ),
            connection=WatchedConnection(
                connection_of(document.connection, clients, zone.address, lease.permit),
                machine.clock,
                listeners.troubles,
            ),
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
    raise WrongZone(f"this instance is in {identity.zone}, and the service has a network interface only in {known}")


def _file_systems(machine: MachineParts) -> FileSystems:
    return FileSystems(machine.commands, machine.paths.mountinfo)


def _service(document: BootDocument, machine: MachineParts) -> ServiceParts:
    directories, paths = document.file_system.directories, machine.paths
    settings = UnitSettings(machine.commands, document.service, paths)
    return ServiceParts(
        directories=DataDirectories(_file_systems(machine), str(paths.data_root), directories, str(paths.factory)),
        settings=settings,
        units=ServiceUnits(machine.commands, document.service, settings),
        prober=Prober(machine.commands, document.service.health),
        outsiders=Outsiders(
            machine.commands, _file_systems(machine), str(paths.data_root), f"/{paths.service_group.name}"
        ),
        writers=DataWriters(_file_systems(machine), str(paths.data_root)),
        takeovers=TakeoverLog(_file_systems(machine), str(paths.data_root)),
        data_watch=DataWatch(machine.clock, DataProbe(), str(paths.data_root)),
    )


def _lease(
    document: BootDocument,
    identity: Identity,
    zone: Zone,
    machine: MachineParts,
    evidence: LeaseEvidence,
    troubles: Troubles,
) -> Tenure:
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
        troubles=troubles,
    )
    return Tenure(parts, evidence, machine.nonce)
