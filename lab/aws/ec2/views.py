"""EC2 as the rest of the lab sees it: frozen records of instances, network interfaces and subnets.

For: metadata service, hypervisor, live display and checkers, which must not see moto's objects. Guarantees: a view is a
copy taken under the lock at one moment and never changes; times are seconds of the control plane's clock.
Does not: change AWS; the API does.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lab.aws.core.cloud import Cloud
from lab.aws.core.credentials import RoleCredentials
from lab.aws.ec2.interruptions import interrupt
from lab.aws.ec2.launch_rules import issue, profile_of
from lab.aws.ec2.state import Ec2


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
    tags: dict[str, str] = field(default_factory=dict)
    metadata_lag_s: float = 0.0  # this attachment's, until IMDS shows it in full


@dataclass(frozen=True, kw_only=True)
class InstanceView:
    id: str
    image_id: str
    instance_type: str
    zone: str
    region: str
    state: str  # pending | running | shutting-down | terminated | stopping | stopped
    address: str  # primary private address; "" once terminated
    hostname: str  # e.g. ip-10-0-0-5
    subnet_id: str
    vpc_id: str
    primary: NetworkInterfaceView | None
    extra: tuple[NetworkInterfaceView, ...]
    tags: dict[str, str]
    user_data: str  # decoded text; "" when none
    launched_at: float
    http_tokens: str  # required | optional
    instance_metadata_tags: str  # enabled | disabled
    role_name: str  # "" without an instance profile
    instance_profile_arn: str
    credentials: RoleCredentials | None
    interrupted_at: float | None = None  # when EC2 takes it back, as announced to it


@dataclass(frozen=True, kw_only=True)
class SubnetView:
    """A subnet of a VPC that was made by a request, not of moto's default VPC."""

    id: str
    vpc_id: str
    zone: str
    cidr: str
    tags: dict[str, str]


def tags_of(record: Any) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in record.get_tags()}


class Ec2Queries:
    """Queries about EC2. Thread-safe."""

    cloud: Cloud

    def instances(self) -> list[InstanceView]:
        """All instances that EC2 still describes, terminated ones included, oldest first."""
        with self.cloud.lock:
            reservations = self.cloud.backend("ec2").all_reservations()
            return [_instance(self.cloud, one) for reservation in reservations for one in reservation.instances]

    def instance(self, instance_id: str) -> InstanceView | None:
        with self.cloud.lock:
            found = self.cloud.backend("ec2").get_instance_by_id(instance_id)
            return None if found is None else _instance(self.cloud, found)

    def instance_by_address(self, ip: str) -> InstanceView | None:
        """The instance whose primary private address this is, or None."""
        return next((view for view in self.instances() if view.address == ip), None)

    def interrupt(self, instance_id: str) -> None:
        """EC2 announces to the instance that it takes it back, and does so."""
        interrupt(self.cloud, instance_id)

    def network_interfaces(self) -> list[NetworkInterfaceView]:
        with self.cloud.lock:
            return [_network_interface(self.cloud, eni) for eni in self.cloud.backend("ec2").enis.values()]

    def subnets(self) -> list[SubnetView]:
        """All subnets but those of moto's default VPC."""
        with self.cloud.lock:
            return list(_subnets(self.cloud.backend("ec2")))

    def register_image(
        self, image_id: str, name: str, tags: dict[str, str] | None = None, *, architecture: str = "x86_64"
    ) -> None:
        """Make an AMI with this id known. Repeating it renames the image."""
        from moto.ec2.models.amis import Ami

        with self.cloud.call():
            ec2 = self.cloud.backend("ec2")
            ec2.amis[image_id] = Ami(
                ec2,
                image_id,
                name=name,
                description=name,
                architecture=architecture,
                virtualization_type="hvm",
                tags=tags or {},
            )


def _instance(cloud: Cloud, record: Any) -> InstanceView:
    nics = {index: _network_interface(cloud, eni) for index, eni in sorted(record.nics.items())}
    profile = profile_of(cloud, record.id)
    life = Ec2.of(cloud).lives.get(record.id)
    if life is not None:
        issue(cloud, record, life)
    return InstanceView(
        id=record.id,
        image_id=record.image_id,
        instance_type=record.instance_type,
        zone=record.placement.zone,
        region=cloud.region,
        state=record.state,
        address=record.private_ip or "",
        hostname=(record.private_dns_name or "").split(".")[0],
        subnet_id=record.subnet_id or "",
        vpc_id=record.vpc_id or "",
        primary=nics.get(0),
        extra=tuple(view for index, view in nics.items() if index != 0),
        tags=tags_of(record),
        user_data=record.user_data.decode() if record.user_data is not None else "",
        launched_at=record.launch_time.timestamp(),
        http_tokens=record.metadata_options.http_tokens,
        instance_metadata_tags=record.metadata_options.instance_metadata_tags,
        role_name=life.role_name if life is not None else "",
        instance_profile_arn=profile.arn if profile is not None else "",
        credentials=life.credentials if life is not None and life.terminated_at is None else None,
        interrupted_at=life.interrupted_at if life is not None else None,
    )


def _network_interface(cloud: Cloud, eni: Any) -> NetworkInterfaceView:
    held = Ec2.of(cloud).attachments.get(eni.id)
    return NetworkInterfaceView(
        id=eni.id,
        mac=eni.mac_address,
        zone=eni.subnet.availability_zone,
        subnet_id=eni.subnet.id,
        vpc_id=eni.subnet.vpc_id,
        address=eni.private_ip_address,
        status=eni.status,
        attachment_status=held.status if held is not None else "",
        attachment_id=held.attachment_id if held is not None else "",
        instance_id=held.instance_id if held is not None else "",
        device_index=held.device_index if held is not None else None,
        tags=tags_of(eni),
        metadata_lag_s=held.metadata_lag_s if held is not None else 0.0,
    )


def _subnets(ec2: Any) -> Iterator[SubnetView]:
    default = {vpc.id for vpc in ec2.vpcs.values() if vpc.is_default in ("true", True)}
    for zone in ec2.subnets.values():
        for subnet in zone.values():
            if subnet.vpc_id not in default:
                yield SubnetView(
                    id=subnet.id,
                    vpc_id=subnet.vpc_id,
                    zone=subnet.availability_zone,
                    cidr=subnet.cidr_block,
                    tags=tags_of(subnet),
                )
