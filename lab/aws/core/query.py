"""Reading the cloud: builds the views of `views` from moto's records and ours.

For: `ControlPlane` and `strict_mock_aws`, which both are a `CloudQueries`. Guarantees: each call takes the lock, so its
answer is of one moment. Does not: change anything.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from lab.aws.core import credentials
from lab.aws.core.state import Cloud
from lab.aws.core.view_records import access_point_view, group_view, tags_of
from lab.aws.core.views import (
    AccessPointView,
    Event,
    GroupView,
    InstanceView,
    MountTargetView,
    NetworkInterfaceView,
    RecordView,
    RoleCredentials,
    SubnetView,
)
from lab.aws.ec2.instance_status import status_check
from lab.aws.faults.faults import Fault, Faults
from lab.aws.faults.presets import preset
from lab.aws.route53.changes import records_of

_TARGETS = {"Pending": "InService", "InService": "InService", "Terminating": "Terminated", "Standby": "Standby"}


class CloudQueries:
    """The query API of the in-process lab. Thread-safe."""

    cloud: Cloud

    # ---------------------------------------------------------------- EC2
    def instances(self) -> list[InstanceView]:
        """All instances that EC2 still describes, terminated ones included, oldest first."""
        with self.cloud.lock:
            return [
                self._instance(one)
                for reservation in self.cloud.ec2.all_reservations()
                for one in reservation.instances
            ]

    def instance(self, instance_id: str) -> InstanceView | None:
        """One instance, or None."""
        with self.cloud.lock:
            found = self.cloud.ec2.get_instance_by_id(instance_id)
            return None if found is None else self._instance(found)

    def instance_by_address(self, ip: str) -> InstanceView | None:
        """The instance whose primary private address this is, or None."""
        with self.cloud.lock:
            for view in self.instances():
                if view.address == ip:
                    return view
            return None

    def _instance(self, record: Any) -> InstanceView:
        cloud = self.cloud
        nics = {index: self._nic(eni) for index, eni in sorted(record.nics.items())}
        profile = credentials.instance_profile(cloud, record.id)
        role_name, role_credentials = self._role(record)
        life = cloud.lives.get(record.id)
        return InstanceView(
            id=record.id,
            image_id=record.image_id,
            instance_type=record.instance_type,
            zone=record.placement.zone,
            region=cloud.region,
            state=record.state,
            state_reason=record.state_reason.message,
            address=record.private_ip or "",
            hostname=(record.private_dns_name or "").split(".")[0],
            subnet_id=record.subnet_id or "",
            vpc_id=record.vpc_id or "",
            primary=nics.get(0),
            extra=tuple(view for index, view in nics.items() if index != 0),
            tags=tags_of(record),
            user_data=record.user_data.decode() if record.user_data is not None else "",
            launched_at=record.launch_time.timestamp(),
            status_check=status_check(cloud, record),
            http_tokens=record.metadata_options.http_tokens,
            instance_metadata_tags=record.metadata_options.instance_metadata_tags,
            role_name=role_name,
            instance_profile_arn=profile.arn if profile is not None else "",
            credentials=role_credentials if life is None or life.terminated_at is None else None,
        )

    def _role(self, record: Any) -> tuple[str, RoleCredentials | None]:
        life = self.cloud.lives.get(record.id)
        if life is None:
            return "", None
        credentials.issue(self.cloud, record, life)
        return life.role_name, life.credentials

    def _nic(self, eni: Any) -> NetworkInterfaceView:
        held = self.cloud.attachments.get(eni.id)
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
            delete_on_termination=held.delete_on_termination if held is not None else False,
            tags=tags_of(eni),
            metadata_lag_s=held.metadata_lag_s if held is not None else 0.0,
        )

    def network_interfaces(self) -> list[NetworkInterfaceView]:
        """All network interfaces, primary ones included."""
        with self.cloud.lock:
            return [self._nic(eni) for eni in self.cloud.ec2.enis.values()]

    def subnets(self) -> list[SubnetView]:
        """All subnets but those of moto's default VPC."""
        with self.cloud.lock:
            default = {vpc.id for vpc in self.cloud.ec2.vpcs.values() if vpc.is_default in ("true", True)}
            return [
                SubnetView(
                    id=subnet.id,
                    vpc_id=subnet.vpc_id,
                    zone=subnet.availability_zone,
                    cidr=subnet.cidr_block,
                    tags=tags_of(subnet),
                )
                for zone in self.cloud.ec2.subnets.values()
                for subnet in zone.values()
                if subnet.vpc_id not in default
            ]

    # ---------------------------------------------------------------- EFS
    def mount_targets(self) -> list[MountTargetView]:
        """All mount targets."""
        with self.cloud.lock:
            return [
                MountTargetView(
                    id=target.mount_target_id,
                    file_system_id=target.file_system_id,
                    zone=target.availability_zone_name,
                    address=target.ip_address,
                    subnet_id=target.subnet_id,
                    network_interface_id=target.network_interface_id or "",
                )
                for target in self.cloud.efs.mount_targets_by_id.values()
            ]

    def access_points(self) -> list[AccessPointView]:
        """All access points; without CreationInfo owner and mode are AWS's defaults for an existing directory."""
        with self.cloud.lock:
            return [access_point_view(one) for one in self.cloud.efs.access_points.values()]

    # ---------------------------------------------------------------- Route 53
    def hosted_zone_records(self) -> list[RecordView]:
        """All records of all zones."""
        with self.cloud.lock:
            return [
                RecordView(
                    name=key.name.rstrip("."),
                    type=key.type,
                    ttl_s=record.ttl or 0,
                    values=record.values,
                    zone_id=zone.resource_id,
                    zone_name=zone.name.rstrip("."),
                    vpc_ids=tuple(vpc["vpc_id"] for vpc in zone.vpcs) if zone.private_zone else (),
                )
                for zone in self.cloud.route53.zones.values()
                for key, record in records_of(zone).items()
            ]

    # ---------------------------------------------------------------- Auto Scaling
    def group(self, name: str) -> GroupView | None:
        """One group, or None."""
        with self.cloud.lock:
            found = self.cloud.groups.get(name)
            return None if found is None else group_view(found)

    def groups(self) -> list[GroupView]:
        """All groups."""
        with self.cloud.lock:
            return [group_view(group) for group in self.cloud.groups.values()]

    def target_lifecycle_state(self, instance_id: str) -> str | None:
        """What IMDS says at autoscaling/target-lifecycle-state; None (404) when the instance is in no group.

        Source: reference/aws-facts.md 1.4: it is the state the instance is going to, never the one it is in.
        """
        with self.cloud.lock:
            for group in self.cloud.groups.values():
                member = group.members.get(instance_id)
                if member is not None:
                    return _TARGETS.get(member.lifecycle.partition(":")[0])
            return None

    # ---------------------------------------------------------------- the lab's own knobs
    @property
    def faults(self) -> Faults:
        """The faults in force: add, remove, clear."""
        return self.cloud.faults

    def inject(self, name: str, **overrides: Any) -> Fault:
        """Put a preset fault in force (`fault_presets.PRESETS`). Raises ValueError for one that is not."""
        return self.cloud.faults.add(preset(name, **overrides))

    def subscribe(self, callback: Callable[[Event], None]) -> None:
        """Call `callback` with every event from now on; it may ask anything here, but must be quick."""
        self.cloud.subscribe(callback)

    def set_zone_available(self, zone: str, *, available: bool) -> None:
        """Groups launch nothing in a zone that is not available; what runs there is not touched."""
        with self.cloud.call():
            self.cloud.places.unavailable.discard(zone)
            if not available:
                self.cloud.places.unavailable.add(zone)

    def no_capacity(self, zone: str, *, empty: bool = True) -> None:
        """Launches in this zone fail with InsufficientInstanceCapacity, until told otherwise."""
        with self.cloud.call():
            self.cloud.places.without_capacity.discard(zone)
            if empty:
                self.cloud.places.without_capacity.add(zone)

    def prefer_zones(self, zones: list[str]) -> None:
        """The next launches go to these zones, first one first, before any balancing. Empty: AWS's own order."""
        with self.cloud.call():
            self.cloud.places.preferred = tuple(zones)

    def register_image(self, image_id: str, name: str, tags: dict[str, str] | None = None) -> None:
        """Make an AMI with this id known. Repeating it renames the image."""
        from moto.ec2.models.amis import Ami

        with self.cloud.call():
            ec2 = self.cloud.ec2
            ec2.amis[image_id] = Ami(
                ec2,
                image_id,
                name=name,
                description=name,
                architecture="x86_64",
                virtualization_type="hvm",
                tags=tags or {},
            )

    @property
    def errors(self) -> list[str]:
        """Errors of the lab or of moto, with traceback; empty when all is well."""
        with self.cloud.lock:
            return list(self.cloud.errors)
