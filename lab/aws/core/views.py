"""What the control plane shows to the rest of the lab: plain, frozen records.

For: metadata service, DNS server, hypervisor, live display and checkers, which must not see moto's objects.
Guarantees: a view is a copy taken at one moment; it never changes afterwards. Times are seconds since the epoch on the
control plane's clock. Does not: offer any way to change AWS; that is what the HTTP API is for.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, kw_only=True)
class RoleCredentials:
    """Temporary credentials of an instance's role, as the metadata service hands them out."""

    access_key_id: str
    secret_access_key: str
    token: str
    expiration: str  # ISO 8601, UTC, e.g. "2026-11-20T18:00:00Z"
    last_updated: str


@dataclass(frozen=True, kw_only=True)
class NetworkInterfaceView:
    """A network interface and its attachment. `status` and `attachment_status` use AWS's words."""

    id: str
    mac: str
    zone: str
    subnet_id: str
    vpc_id: str
    address: str
    status: str  # available | in-use
    attachment_status: str  # "" | attaching | attached | detaching
    attachment_id: str
    instance_id: str
    device_index: int | None
    delete_on_termination: bool
    tags: dict[str, str] = field(default_factory=dict)
    metadata_lag_s: float = 0.0  # this attachment's, until IMDS shows it in full


@dataclass(frozen=True, kw_only=True)
class InstanceView:
    """An instance as EC2 knows it."""

    id: str
    image_id: str
    instance_type: str
    zone: str
    region: str
    state: str  # pending | running | shutting-down | terminated | stopping | stopped
    state_reason: str
    address: str  # primary private address; "" once terminated
    hostname: str  # e.g. ip-10-0-0-5
    subnet_id: str
    vpc_id: str
    primary: NetworkInterfaceView | None
    extra: tuple[NetworkInterfaceView, ...]
    tags: dict[str, str]
    user_data: str  # decoded text; "" when none
    launched_at: float
    status_check: str  # not-applicable | initializing | ok | impaired
    http_tokens: str  # required | optional
    instance_metadata_tags: str  # enabled | disabled
    role_name: str  # "" without an instance profile
    instance_profile_arn: str
    credentials: RoleCredentials | None


@dataclass(frozen=True, kw_only=True)
class SubnetView:
    """A subnet of a VPC that was made by a request, not of moto's default VPC."""

    id: str
    vpc_id: str
    zone: str
    cidr: str
    tags: dict[str, str]


@dataclass(frozen=True, kw_only=True)
class MountTargetView:
    """An EFS mount target: an address in one zone."""

    id: str
    file_system_id: str
    zone: str
    address: str
    subnet_id: str
    network_interface_id: str


@dataclass(frozen=True, kw_only=True)
class AccessPointView:
    """An EFS access point; the file server makes `path` with owner and mode on first use. `tags` include the name."""

    id: str
    file_system_id: str
    path: str
    owner_uid: int
    owner_gid: int
    mode: str  # octal, e.g. "0755"


@dataclass(frozen=True, kw_only=True)
class RecordView:
    """A resource record set, name in lower case without trailing dot."""

    name: str
    type: str
    ttl_s: int
    values: tuple[str, ...]
    zone_id: str
    zone_name: str
    vpc_ids: tuple[str, ...]  # VPCs a private zone answers; empty for a public zone


@dataclass(frozen=True, kw_only=True)
class MemberView:
    """An instance as its Auto Scaling group sees it."""

    instance_id: str
    zone: str
    lifecycle_state: str
    health_status: str
    launch_template_version: str


@dataclass(frozen=True, kw_only=True)
class ActivityView:
    """One scaling activity, newest first in lists."""

    id: str
    description: str
    cause: str
    status: str
    status_message: str
    started_at: float
    ended_at: float | None


@dataclass(frozen=True, kw_only=True)
class GroupView:
    """An Auto Scaling group."""

    name: str
    minimum: int
    maximum: int
    desired: int
    zones: tuple[str, ...]
    suspended: tuple[str, ...]
    launch_template_id: str
    launch_template_version: str  # as configured: number, $Default or $Latest
    members: tuple[MemberView, ...]
    activities: tuple[ActivityView, ...]


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, for the live display and the report. `kind` is one of the words in `EVENT_KINDS`."""

    at: float
    kind: str
    subject: str
    text: str


EVENT_KINDS = ("instance", "network-interface", "group", "record", "stack", "file-system", "fault", "error")
