"""How the parts of a service file must fit together.

For: services.load, which runs every rule whose sections are there. Guarantees: each rule is pure, reads only the
sections it is given and names in `depends_on` what else its judgement rests on.
Does not: check the form of single values (services.fields) or ask AWS.
"""

from __future__ import annotations

import difflib
import posixpath
from collections.abc import Callable, Iterator, Mapping
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from bootstrap.base.paths import Paths
from services.across import name_findings
from services.connection import ConnectionSection, Dns
from services.findings import Finding
from services.instance import type_findings
from services.network import ExistingVpc, NewVpc, Port, ZonePlan
from services.regions import regions
from services.spec import zone_plans
from services.state_server import state_server_findings
from services.storage import FileSystem, StorageSection
from services.timing import lease_findings, timing_findings

SYSTEM_DIRECTORIES = frozenset({"bin", "boot", "dev", "lib", "lib64", "proc", "run", "sbin", "sys", "usr"})
BARE_DIRECTORIES = frozenset({"/etc", "/home", "/opt", "/root", "/srv", "/var", "/var/lib", "/var/log", "/tmp"})
OWN_DIRECTORIES = (str(Paths().data_root.parent), str(Paths().factory.parent), str(Paths().image.parent))
RESERVED_ADDRESSES = 4  # AWS keeps the first four addresses of a subnet and the last (VPC user guide, subnet sizing)

Sections = Mapping[str, Any]


def relation_findings(sections: Sections) -> list[Finding]:
    """Every clash among the sections that are there; a missing section silences only the rules that need it."""
    return [
        finding
        for needed, rule in _RULES
        if all(name in sections for name in needed)
        for finding in rule(*(sections[name] for name in needed))
    ]


def _record_in_zone(dns: ConnectionSection) -> Iterator[Finding]:
    if isinstance(dns, Dns) and not dns.record.endswith("." + dns.zone):
        yield Finding(
            path="dns.record",
            value=dns.record,
            problem=f"not inside the zone {dns.zone}",
            remedy=f"End it in .{dns.zone}, or change dns.zone",
            depends_on=("dns.zone",),
        )


def _directories_apart(file_system: StorageSection) -> Iterator[Finding]:
    for key in ("source", "target"):
        values = [getattr(directory, key) for directory in file_system.directories]
        for later, earlier in ((b, a) for b in range(len(values)) for a in range(b)):
            if _overlap(values[earlier], values[later]):
                yield Finding(
                    path=f"file_system.directories[{later}].{key}",
                    value=values[later],
                    problem=f"the same as or nested with {values[earlier]}",
                    remedy="Give every directory its own place, outside of the others",
                    depends_on=(f"file_system.directories[{earlier}].{key}",),
                )


def _overlap(one: str, other: str) -> bool:
    return one == other or one.startswith(other + "/") or other.startswith(one + "/")


def _directories_plain(file_system: StorageSection) -> Iterator[Finding]:
    for number, directory in enumerate(file_system.directories):
        path = f"file_system.directories[{number}]"
        for key, value in (("source", directory.source), ("target", directory.target)):
            if posixpath.normpath(value) != value or value.startswith(".."):
                yield Finding(
                    path=f"{path}.{key}", value=value, problem="contains . or ..", remedy="Write it out plainly"
                )
        top = directory.target.split("/")[1]
        if top in SYSTEM_DIRECTORIES or directory.target in BARE_DIRECTORIES:
            yield Finding(
                path=f"{path}.target",
                value=directory.target,
                problem="belongs to the operating system",
                remedy="Name the directory of the service itself, such as /var/lib/NAME",
            )
        elif any(_overlap(directory.target, own) for own in OWN_DIRECTORIES):
            yield Finding(
                path=f"{path}.target",
                value=directory.target,
                problem="belongs to soloist itself",
                remedy="Name the directory of the service itself, such as /var/lib/NAME",
            )


def _mount_target_per_zone(file_system: StorageSection, existing_vpc: ExistingVpc | None) -> Iterator[Finding]:
    if not isinstance(file_system, FileSystem) or file_system.existing is None:
        return
    given = file_system.existing
    if bool(given.mount_targets) != bool(given.security_group_id):
        yield Finding(
            path="file_system.existing",
            value=given.id,
            problem="mount_targets and security_group_id belong together",
            remedy="Give both for mount targets that are there, or neither, and the stack makes mount targets",
        )
        return
    if not given.mount_targets:
        return
    if existing_vpc is None:
        yield Finding(
            path="file_system.existing",
            value=file_system.existing.id,
            problem="a file system has mount targets in one VPC only, so it cannot be reached from a new one",
            remedy="Name its VPC under existing_vpc",
        )
        return
    for zone in sorted(set(existing_vpc.zones) ^ set(file_system.existing.mount_targets)):
        yield Finding(
            path="file_system.existing.mount_targets",
            value=zone,
            problem="zones of the VPC and of the mount targets differ",
            remedy=f"Give the address of the mount target of every zone of existing_vpc and of no other, see {zone}",
            depends_on=("existing_vpc",),
        )


def _transport_of_aws(file_system: StorageSection, for_lab: bool) -> Iterator[Finding]:  # noqa: FBT001
    if isinstance(file_system, FileSystem) and file_system.transport == "nfs" and not for_lab:
        yield Finding(
            path="file_system.transport",
            value="nfs",
            problem="no instance could boot: the stack's file system refuses clients without TLS",
            remedy="Remove it, or write for_lab: true into a file that only the lab deploys",
            depends_on=("for_lab",),
        )


def _one_vpc(zones: tuple[str, ...], vpc: NewVpc | None, existing_vpc: ExistingVpc | None) -> Iterator[Finding]:
    if existing_vpc is None:
        if not zones:
            yield Finding(
                path="zones",
                value="",
                problem="missing: accounts differ in the zones that they may use",
                remedy="Run ./soloist zones FILE, which looks them up and writes them, or name zones like us-east-1a",
            )
        return
    if vpc is not None:
        yield Finding(
            path="vpc", value=vpc.cidr, problem="clashes with existing_vpc", remedy="Keep only one of the two"
        )
    if zones:
        yield Finding(
            path="zones",
            value=", ".join(zones),
            problem="clashes with existing_vpc, whose zones are its own",
            remedy="Remove zones",
        )


def _private_zone_of_vpc(dns: ConnectionSection, existing_vpc: ExistingVpc | None) -> Iterator[Finding]:
    if isinstance(dns, Dns) and dns.private and dns.zone_id and existing_vpc is None:
        yield Finding(
            path="dns.zone_id",
            value=dns.zone_id,
            problem="an existing private zone is not associated with a VPC that does not exist yet",
            remedy="Use existing_vpc, or leave zone_id out and let the stack make the zone",
        )


def _known_region(region: str) -> Iterator[Finding]:
    if region not in regions():
        close = difflib.get_close_matches(region, regions())
        yield Finding(
            path="region",
            value=region,
            problem="AWS has no such Region, as far as the pinned botocore knows",
            remedy="Use one of " + ", ".join(close or regions()),
        )


def _zones_of_region(region: str, zones: tuple[str, ...], existing_vpc: ExistingVpc | None) -> Iterator[Finding]:
    named = [(f"zones[{number}]", zone) for number, zone in enumerate(zones)]
    if existing_vpc is not None:
        named = [(f"existing_vpc.zones.{zone}", zone) for zone in existing_vpc.zones]
    seen: dict[str, str] = {}
    for path, zone in named:
        if zone[:-1] != region and region in regions():
            yield Finding(
                path=path,
                value=zone,
                problem=f"not a zone of {region}",
                remedy=f"Name zones like {region}a, or change region",
                depends_on=("region",),
            )
        first = seen.setdefault(zone, path)
        if first != path:
            yield Finding(
                path=path, value=zone, problem="named twice", remedy="Name each zone once", depends_on=(first,)
            )


def _addresses_fit(
    zones: tuple[str, ...],
    vpc: NewVpc | None,
    existing_vpc: ExistingVpc | None,
    addresses: dict[str, str],
) -> Iterator[Finding]:
    plans = zone_plans(zones=zones, vpc=vpc, existing_vpc=existing_vpc, addresses=addresses)
    for zone in sorted(set(addresses) - {plan.name for plan in plans}):
        yield Finding(
            path=f"addresses.{zone}",
            value=addresses[zone],
            problem="not a zone of this service",
            remedy="Use one of " + ", ".join(plan.name for plan in plans),
            depends_on=("zones", "region", "existing_vpc"),
        )
    for plan in plans:
        yield from _address_in_subnet(plan)
    if existing_vpc is not None:
        yield from _subnets_apart(plans)


def _address_in_subnet(plan: ZonePlan) -> Iterator[Finding]:
    network, address = IPv4Network(plan.service_subnet_cidr), IPv4Address(plan.address)
    if address not in network or not RESERVED_ADDRESSES <= int(address) - int(network[0]) < network.num_addresses - 1:
        yield Finding(
            path=f"addresses.{plan.name}",
            value=plan.address,
            problem=f"not usable in the service subnet {network}",
            remedy=f"Choose between {network[RESERVED_ADDRESSES]} and {network[-2]}",
            depends_on=("existing_vpc", "vpc", "zones"),
        )


def _subnets_apart(plans: tuple[ZonePlan, ...]) -> Iterator[Finding]:
    seen: dict[str | None, str] = {}
    networks: list[IPv4Network] = []
    for plan in plans:
        path = f"existing_vpc.zones.{plan.name}"
        for key, subnet in (("instance", plan.instance_subnet_id), ("service", plan.service_subnet_id)):
            if subnet in seen:
                yield Finding(
                    path=f"{path}.{key}_subnet_id",
                    value=str(subnet),
                    problem=f"already used as {seen[subnet]}",
                    remedy="Every zone needs two subnets of its own, one for the instance and one for the service",
                    depends_on=("existing_vpc.zones",),
                )
            seen[subnet] = f"{key} subnet of {plan.name}"
        network = IPv4Network(plan.service_subnet_cidr)
        if any(network.overlaps(other) for other in networks):
            yield Finding(
                path=f"{path}.service_subnet_cidr",
                value=str(network),
                problem="overlaps the service subnet of another zone",
                remedy="Copy the CIDR of the subnet named in service_subnet_id",
                depends_on=("existing_vpc.zones",),
            )
        networks.append(network)


def _ports_once(ports: tuple[Port, ...]) -> Iterator[Finding]:
    seen: dict[tuple[str, int], int] = {}
    for number, port in enumerate(ports):
        first = seen.setdefault((port.protocol, port.port), number)
        if first != number:
            yield Finding(
                path=f"ports[{number}].port",
                value=str(port.port),
                problem=f"{port.protocol} port given twice",
                remedy="List all its networks in one allow_from",
                depends_on=(f"ports[{first}].port", f"ports[{first}].protocol"),
            )


_RULES: tuple[tuple[tuple[str, ...], Callable[..., Iterator[Finding]]], ...] = (
    (("name",), name_findings),
    (("instance",), type_findings),
    (("dns",), _record_in_zone),
    (("file_system",), _directories_apart),
    (("file_system",), _directories_plain),
    (("file_system", "existing_vpc"), _mount_target_per_zone),
    (("file_system", "for_lab"), _transport_of_aws),
    (("zones", "vpc", "existing_vpc"), _one_vpc),
    (("dns", "existing_vpc"), _private_zone_of_vpc),
    (("region",), _known_region),
    (("region", "zones", "existing_vpc"), _zones_of_region),
    (("zones", "vpc", "existing_vpc", "addresses"), _addresses_fit),
    (("ports",), _ports_once),
    (("service", "state_server"), state_server_findings),
    (("lease",), lease_findings),
    (("service", "deadlines", "lifecycle_hooks", "lease"), timing_findings),
)
