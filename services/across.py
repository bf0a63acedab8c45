"""What clashes between several services, each of which is good alone.

For: `python -m services validate`, services.load and services.rules. Guarantees: pure; each
clash is told once, with the files in it. Does not: know services that have no file here, but for the names of their
stacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from ipaddress import IPv4Network
from itertools import combinations

from bootstrap.base.names import WATCH_SUFFIX
from services.connection import Dns
from services.findings import Finding
from services.spec import ServiceFile

Loaded = Sequence[tuple[str, ServiceFile]]  # where each file is, and what it says


def clashes(loaded: Loaded) -> list[Finding]:
    """Why these services cannot exist beside each other."""
    return [
        _placed(finding, first, second)
        for (first, one), (second, other) in combinations(loaded, 2)
        for finding in (*_names(one, other), *_records(one, other), *_addresses(one, other))
    ]


def oddities(loaded: Loaded) -> list[Finding]:
    """What is possible and probably not meant."""
    return [
        _placed(finding, first, second)
        for (first, one), (second, other) in combinations(loaded, 2)
        for finding in (*_twin_records(one, other), *_networks(one, other))
    ]


def name_findings(name: str) -> Iterator[Finding]:
    """Why a service of this name could not exist beside another one, whatever their files say."""
    if name.endswith(WATCH_SUFFIX):
        yield Finding(
            path="name",
            value=name,
            problem=f"the stack of the service {name.removesuffix(WATCH_SUFFIX)} that holds its alarms is called so",
            remedy=f"Choose a name that does not end in {WATCH_SUFFIX}",
        )


def _placed(finding: Finding, first: str, second: str) -> Finding:
    return Finding(
        path=f"{first} and {second}: {finding.path}",
        value=finding.value,
        problem=finding.problem,
        remedy=finding.remedy,
    )


def _names(one: ServiceFile, other: ServiceFile) -> Iterator[Finding]:
    if one.name == other.name:
        problem = "used by two service files"
        yield Finding(path="name", value=one.name, problem=problem, remedy="Give every service its own name")


def _records(one: ServiceFile, other: ServiceFile) -> Iterator[Finding]:
    if _share_name(one, other) and _share_zone(one, other):
        yield Finding(
            path="dns.record",
            value=one.dns.name,
            problem="both services would move the same record",
            remedy="Give every service its own record",
        )


def _twin_records(one: ServiceFile, other: ServiceFile) -> Iterator[Finding]:
    if _share_name(one, other) and not _share_zone(one, other):
        yield Finding(
            path="dns.record",
            value=one.dns.name,
            problem="the same name in two zones, so it depends on the VPC which of the services a client reaches",
            remedy="Give every service its own record, unless you mean it",
        )


def _share_name(one: ServiceFile, other: ServiceFile) -> bool:
    return one.dns.name == other.dns.name


def _share_zone(one: ServiceFile, other: ServiceFile) -> bool:
    """Whether both records are in one zone for sure. Private zones that the stacks make are two zones of one name."""
    mine, theirs = one.dns, other.dns
    if not isinstance(mine, Dns) or not isinstance(theirs, Dns):
        return mine.kind == theirs.kind
    if mine.zone_id or theirs.zone_id:
        return mine.zone_id == theirs.zone_id
    return not mine.private and not theirs.private


def _addresses(one: ServiceFile, other: ServiceFile) -> Iterator[Finding]:
    theirs = {(plan.service_subnet_id, plan.address) for plan in other.zone_plans() if plan.service_subnet_id}
    for plan in one.zone_plans():
        if (plan.service_subnet_id, plan.address) in theirs:
            yield Finding(
                path=f"addresses.{plan.name}",
                value=plan.address,
                problem=f"both services want this address in {plan.service_subnet_id}",
                remedy="Give one of them another address, or a subnet of its own",
            )


def _networks(one: ServiceFile, other: ServiceFile) -> Iterator[Finding]:
    if one.existing_vpc or other.existing_vpc:
        return
    if IPv4Network(one.vpc_cidr).overlaps(IPv4Network(other.vpc_cidr)):
        yield Finding(
            path="vpc.cidr",
            value=one.vpc_cidr,
            problem="both services make a VPC of this network, and such VPCs cannot be connected",
            remedy="Give one of them another network under vpc.cidr",
        )
