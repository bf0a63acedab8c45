"""The boot document: everything an instance is told, as one JSON document in its user data.

For: the stack renders it (`render_user_data`), the agent reads it (`parse_user_data`); this module is the only place
that knows its shape. The user data is at the same time valid cloud-config (a `write_files` entry), so that cloud-init,
where it is installed, does not complain and leaves a copy on disk for people.
Guarantees: unknown keys, missing keys and wrong types are all reported at once, each with its path; timings of the
lease that could let two instances write are refused, and so are values that nothing can boot with (no zone, no unit, no
check, no time).
Does not: look at AWS, at the machine or at the clock. Values that only AWS knows (ids) are plain strings here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Annotated, Literal

from bootstrap.base import timing as lease_timing
from bootstrap.base.check import Check
from bootstrap.base.codec import DecodeError, Members, decode, decode_tree
from bootstrap.base.errors import BadBootDocument
from bootstrap.base.notices import NoticeSettings
from bootstrap.base.paths import BOOT_DOCUMENT
from bootstrap.base.receivers import WebhookSettings
from bootstrap.base.state import StateServerSettings
from bootstrap.base.timing import FencePolicy, LeaseTiming
from bootstrap.base.values import (
    AbsolutePath,
    Address,
    Argv,
    BootSeconds,
    Limits,
    Mode,
    Network,
    RelativePath,
    RoundCount,
    Seconds,
    Text,
    Ttl,
)
from bootstrap.base.watchdog import HeartbeatSeconds, WatchdogSettings

DOCUMENT_VERSION = 1
SOME = Limits(says="At least one", shortest=1)
METADATA_S = 60.0  # how long an instance may ask for its boot document


@dataclass(frozen=True, kw_only=True)
class Zone:
    """What the instance needs to know about one availability zone."""

    name: Text
    network_interface_id: Text
    address: Address  # fixed private address of that network interface
    subnet_cidr: Network  # of the service subnet the network interface lives in


@dataclass(frozen=True, kw_only=True)
class Group:
    """The Auto Scaling group and its two lifecycle hooks, by name; the launch hook's heartbeat time-out."""

    name: Text
    launch_hook: Text
    launch_hook_timeout_s: Seconds
    terminate_hook: Text


@dataclass(frozen=True, kw_only=True)
class ConnectionSettings:
    """How clients reach the instance. `kind` says which subclass it is (bootstrap.run.kinds)."""

    kind: str


@dataclass(frozen=True, kw_only=True)
class Route53Settings(ConnectionSettings):
    """The A record in Route 53 that follows the instance. `name` is lower case without a trailing dot."""

    kind: Literal["route53"] = "route53"
    hosted_zone_id: Text
    name: Text
    ttl_s: Ttl


@dataclass(frozen=True, kw_only=True)
class Directory:
    """One data directory: `source` below the data root of the file system, seen by the service at `target`."""

    source: RelativePath
    target: AbsolutePath
    owner: Text
    group: Text
    mode: Mode


@dataclass(frozen=True, kw_only=True)
class StorageSettings:
    """Where the data and the lease directory are. `kind` says which subclass it is (bootstrap.run.kinds)."""

    kind: str
    directories: Annotated[tuple[Directory, ...], SOME]


@dataclass(frozen=True, kw_only=True)
class MountTarget:
    """The mount target of one zone, by name, and its address."""

    zone: Text
    address: Address


@dataclass(frozen=True, kw_only=True)
class EfsSettings(StorageSettings):
    """The EFS file system and how to mount it.

    `transport` "efs-tls": the image's mount helper, TLS and IAM, through the access points.
    `transport` "nfs": plain NFSv4.1 of `data_path` and `lease_path`, for servers without TLS (the lab's).
    """

    kind: Literal["efs"] = "efs"
    id: Text
    dns_name: Text  # zone-independent name
    transport: Literal["efs-tls", "nfs"]
    data_access_point_id: Text
    lease_access_point_id: Text
    data_path: Text  # root directory of the data access point, absolute on the file system
    lease_path: Text
    mount_targets: tuple[MountTarget, ...]  # where `dns_name` does not resolve, or leads to one that is away

    def mount_targets_from(self, zone: str) -> tuple[MountTarget, ...]:
        """All mount targets as seen from `zone`, its own first. Raises BadBootDocument where it has none."""
        found = tuple(sorted(self.mount_targets, key=lambda target: target.zone != zone))
        if found and found[0].zone == zone:
            return found
        known = ", ".join(target.zone for target in self.mount_targets)
        raise BadBootDocument(
            f"boot document: file_system.mount_targets: none is in {zone}, only in {known}",
            remedy="Give the file system a mount target in every zone of the service and deploy the stack again",
        )


@dataclass(frozen=True, kw_only=True)
class Health:
    """All checks must pass. `start_allowance_s` bounds the first time; afterwards `unhealthy_after` rounds that failed
    make the service unhealthy, and `healthy_after` in a row that passed make it healthy again."""

    checks: Annotated[tuple[Check, ...], SOME]
    start_allowance_s: Seconds
    interval_s: Seconds
    unhealthy_after: RoundCount
    healthy_after: RoundCount = 1


@dataclass(frozen=True, kw_only=True)
class Hooks:
    """Commands of the user, run as root, each within `timeout_s`; a non-zero exit fails the step they belong to."""

    before_start: tuple[Argv, ...] = ()
    after_start: tuple[Argv, ...] = ()
    before_stop: tuple[Argv, ...] = ()
    timeout_s: Seconds = 60.0


@dataclass(frozen=True, kw_only=True)
class Service:
    """The systemd units that are the service, in start order; stopped in reverse."""

    name: Text
    units: Annotated[tuple[Text, ...], SOME]
    start_timeout_s: Seconds
    stop_timeout_s: Seconds
    health: Health
    hooks: Hooks = field(default_factory=Hooks)
    may_use_instance_role: bool = False  # else the instance metadata service is closed to the units


@dataclass(frozen=True, kw_only=True)
class Deadlines:
    """How long each wait of a boot or a stop may take, in seconds."""

    boot_s: BootSeconds  # the whole boot; the launch hook's heartbeat time-out is longer
    network_interface_s: Seconds  # until the zone's network interface is attached and configured
    mount_s: Seconds  # per mount target
    release_s: Seconds  # detach and completion of the hook when stopping


@dataclass(frozen=True, kw_only=True)
class LeaseTerms:
    """Who may serve when: the policy `fence` (see bootstrap.base.timing) and the timings of lease and fence."""

    fence: FencePolicy
    timing: LeaseTiming


@dataclass(frozen=True, kw_only=True)
class BootDocument:
    """Everything known at deploy time, so that a boot needs as few API calls as possible."""

    version: int
    stack: Text
    region: Text
    service: Service
    group: Group
    zones: Annotated[tuple[Zone, ...], SOME]
    connection: ConnectionSettings
    file_system: StorageSettings
    lease: LeaseTerms
    deadlines: Deadlines
    state_parameter: Text
    topic_arn: Text
    webhooks: tuple[WebhookSettings, ...] = ()
    notices: NoticeSettings = field(default_factory=NoticeSettings)
    state_server: StateServerSettings = field(default_factory=StateServerSettings)
    heartbeat_s: HeartbeatSeconds = WatchdogSettings().heartbeat_s
    copies_log: bool = False  # to CloudWatch Logs


def render_user_data(document_json: str) -> str:
    """Cloud-config text around `document_json`, which must be one line (it may hold unresolved CDK tokens)."""
    return (
        "#cloud-config\n"
        "write_files:\n"
        f"  - path: {BOOT_DOCUMENT}\n"
        "    permissions: '0600'\n"
        "    content: |\n"
        f"      {document_json}\n"
    )


def parse_user_data(user_data: str, members: Members) -> BootDocument:
    """The boot document in `user_data`. `members`: which kinds there are (bootstrap.run.kinds).

    Raises BadBootDocument naming every path that is wrong."""
    lines = [line.strip() for line in user_data.splitlines() if line.strip().startswith("{")]
    if not user_data.startswith("#cloud-config") or len(lines) != 1:
        raise BadBootDocument(
            "user data holds no boot document", remedy="Launch this image from a soloist stack's launch template"
        )
    return _read(lambda: decode(BootDocument, lines[0], unknown_keys="refuse", members=members))


def parse_tree(tree: object, members: Members) -> BootDocument:
    """Like `parse_user_data`, from an already decoded JSON tree. Raises BadBootDocument."""
    return _read(lambda: decode_tree(BootDocument, tree, unknown_keys="refuse", members=members))


def _read(read: Callable[[], BootDocument]) -> BootDocument:
    try:
        return checked(read())
    except DecodeError as error:
        raise _bad(error.findings) from None


def checked(document: BootDocument) -> BootDocument:
    """`document`, whose values suit each other. Raises BadBootDocument."""
    if document.version != DOCUMENT_VERSION:
        raise _bad([f"version: is {document.version}, this agent reads {DOCUMENT_VERSION}"])
    # Checked when the service file was loaded, and here once more: what is wrong here costs data.
    findings = [
        *_relations(document),
        *(f"lease.timing.{each}" for each in lease_timing.findings(document.lease.timing)),
    ]
    if findings:
        raise _bad(findings)
    return document


def _relations(document: BootDocument) -> Iterator[str]:
    names = [zone.name for zone in document.zones]
    for number, zone in enumerate(document.zones):
        if IPv4Address(zone.address) not in IPv4Network(zone.subnet_cidr, strict=False):
            yield f"zones[{number}].address: {zone.address} is not in {zone.subnet_cidr}"
        if zone.name in names[:number]:
            yield f"zones[{number}].name: {zone.name} is there twice"
    for number, directory in enumerate(document.file_system.directories):
        if ".." in (*directory.source.split("/"), *directory.target.split("/")):
            yield f"file_system.directories[{number}]: leads out of the data by .."


def _bad(findings: Iterable[str]) -> BadBootDocument:
    return BadBootDocument(
        "boot document: " + "; ".join(findings), remedy="Bake the image and deploy the stack from the same release"
    )
