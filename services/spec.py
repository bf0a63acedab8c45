"""The service file: one YAML document that says everything about one service.

For: stacks render it, operators write it. Guarantees: a `ServiceFile` from `services.load` is complete and free of
contradictions. Does not: read files (services.load), judge relations (services.rules) or look
at AWS.
"""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Annotated

from pydantic import Field

from bootstrap.base.names import stack_name
from services.connection import Connection
from services.fields import Address, Email, Region, ServiceName, ZoneName
from services.instance import Instance
from services.lease import LeaseSection
from services.logs import Logs
from services.network import DEFAULT_HOST, ExistingVpc, NewVpc, Port, ZonePlan
from services.notices import Notices
from services.part import Part
from services.state_server import StateServer
from services.storage import Storage
from services.timing import boot_limit_s, drain_heartbeat_s
from services.watchdog import Watchdog
from services.webhook import Webhook
from services.workload import Deadlines, LifecycleHooks, Workload


class ServiceFile(Part):
    """One service: everything that its stack, its instance and its operator need to know."""

    name: Annotated[ServiceName, Field(title="The name of the service; stack, group and parameters are named after it")]
    region: Annotated[Region, Field(title="Where the stack is deployed")]
    instance: Instance
    dns: Connection
    file_system: Storage
    service: Workload
    ports: Annotated[tuple[Port, ...], Field(title="What may be reached, and from where", max_length=50)]
    zones: Annotated[
        tuple[ZoneName, ...],
        Field(max_length=6, description="Zones of a new VPC. `soloist zones` looks them up and writes them"),
    ] = ()
    vpc: NewVpc | None = None
    existing_vpc: ExistingVpc | None = None
    addresses: Annotated[
        dict[ZoneName, Address], Field(description=f"Fixed address per zone; default .{DEFAULT_HOST} of each subnet")
    ] = {}
    for_lab: Annotated[bool, Field(description="Only soloist's lab deploys this file: its file server has no TLS")] = (
        False
    )
    notify: Annotated[tuple[Email, ...], Field(title="Who gets the reports by e-mail", max_length=20)] = ()
    webhooks: Annotated[tuple[Webhook, ...], Field(title="Who gets the reports by HTTP", max_length=5)] = ()
    lease: LeaseSection = LeaseSection()
    state_server: StateServer = StateServer()
    notices: Notices = Notices()
    logs: Logs = Logs()
    watchdog: Watchdog = Watchdog()
    deadlines: Deadlines = Deadlines()
    lifecycle_hooks: LifecycleHooks = LifecycleHooks()

    @property
    def stack_name(self) -> str:
        """The name of stack, group, launch template and topic."""
        return stack_name(self.name)

    @property
    def vpc_cidr(self) -> str:
        """Network of the VPC the stack makes (meaningless with an existing one)."""
        return (self.vpc or NewVpc()).cidr

    @property
    def boot_s(self) -> float:
        """How long a boot may take, in seconds."""
        return boot_limit_s(self.service, self.deadlines, self.lease)

    @property
    def drain_heartbeat_s(self) -> int:
        """The heartbeat time-out of the terminate hook, in seconds."""
        return drain_heartbeat_s(self.service, self.deadlines, self.lifecycle_hooks)

    def zone_plans(self) -> tuple[ZonePlan, ...]:
        """The zones in order, with everything derived."""
        return zone_plans(zones=self.zones, vpc=self.vpc, existing_vpc=self.existing_vpc, addresses=self.addresses)


def zone_plans(
    *,
    zones: tuple[str, ...],
    vpc: NewVpc | None,
    existing_vpc: ExistingVpc | None,
    addresses: dict[str, str],
) -> tuple[ZonePlan, ...]:
    """Zones with subnets and addresses derived."""
    if existing_vpc is not None:
        return tuple(
            ZonePlan(
                name=name,
                address=addresses.get(name) or _host(zone.service_subnet_cidr),
                service_subnet_cidr=zone.service_subnet_cidr,
                instance_subnet_cidr=None,
                instance_subnet_id=zone.instance_subnet_id,
                service_subnet_id=zone.service_subnet_id,
            )
            for name, zone in existing_vpc.zones.items()
        )
    network = IPv4Network((vpc or NewVpc()).cidr)

    def subnet(number: int) -> str:
        return f"{network[256 * number]}/24"

    return tuple(
        ZonePlan(
            name=name,
            address=addresses.get(name) or _host(subnet(100 + zone_number(name))),
            service_subnet_cidr=subnet(100 + zone_number(name)),
            instance_subnet_cidr=subnet(zone_number(name)),
            instance_subnet_id=None,
            service_subnet_id=None,
        )
        for name in zones
    )


def zone_number(name: str) -> int:
    """0 for zone a, 1 for b, ..."""
    return ord(name[-1]) - ord("a")


def _host(cidr: str) -> str:
    return str(IPv4Network(cidr)[DEFAULT_HOST])
