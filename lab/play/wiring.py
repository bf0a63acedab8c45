"""The look-ups through which the metadata service and the DNS server see the control plane.

For: `lab.edges` decides its answers from these. Guarantees: every answer is the present state of the control plane;
only the moment when an attachment was first seen is remembered. Does not: decide what is answered.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import asdict
from ipaddress import ip_address, ip_network

from lab.aws import ControlPlane, InstanceView, NetworkInterfaceView, SubnetView
from lab.edges.metadata import InstanceMetadata, InterfaceMetadata, RoleCredentials
from lab.edges.names import HostedZone, Record

ACCOUNT_ID = "123456789012"
ZONE_ID_PREFIX = {"us-east-1": "use1", "us-west-2": "usw2", "eu-west-1": "euw1", "eu-central-1": "euc1"}


class Wiring:
    """The look-ups of one control plane. Safe to call from many threads."""

    def __init__(self, control_plane: ControlPlane, clock: Callable[[], float] = time.time) -> None:
        """`clock`: epoch seconds, the same as the metadata server's."""
        self._cloud = control_plane
        self._clock = clock
        self._first_seen: dict[str, float] = {}

    def instance_metadata(self, address: str) -> InstanceMetadata | None:
        """What the instance with this primary address is told about itself; None for any other caller."""
        instance = self._cloud.instance_by_address(address)
        if instance is None or instance.primary is None:
            return None
        subnets = {subnet.id: subnet for subnet in self._cloud.subnets()}
        interfaces = tuple(self._interface(nic, subnets) for nic in (instance.primary, *instance.extra))
        return InstanceMetadata(
            instance_id=instance.id,
            image_id=instance.image_id,
            instance_type=instance.instance_type,
            account_id=ACCOUNT_ID,
            region=instance.region,
            zone=instance.zone,
            zone_id=_zone_id(instance),
            vpc_id=instance.vpc_id,
            address=instance.address,
            hostname=f"{instance.hostname}.ec2.internal",
            launched_at_s=instance.launched_at,
            interfaces=interfaces,
            tags=instance.tags if instance.instance_metadata_tags == "enabled" else None,
            user_data=instance.user_data.encode() if instance.user_data else None,
            target_lifecycle_state=self._cloud.target_lifecycle_state(instance.id),
            role_name=instance.role_name or None,
            credentials=RoleCredentials(**asdict(instance.credentials)) if instance.credentials else None,
            profile_arn=instance.instance_profile_arn,
            interrupted_at_s=instance.interrupted_at,
        )

    def zones(self) -> list[HostedZone]:
        """Route 53's private zones with all their records."""
        records = defaultdict(list)
        for view in self._cloud.hosted_zone_records():
            record = Record(name=view.name, type=view.type, ttl_s=view.ttl_s, values=view.values)
            records[view.zone_name].append(record)
        return [HostedZone(name=name, records=tuple(found)) for name, found in records.items()]

    def mount_targets(self, file_system_id: str) -> Mapping[str, str] | None:
        """Zone to mount target address; None for a file system that does not exist."""
        found = {t.zone: t.address for t in self._cloud.mount_targets() if t.file_system_id == file_system_id}
        return found or None

    def zone_of(self, address: str) -> str | None:
        """The availability zone whose subnets hold `address`."""
        asked = ip_address(address)
        for subnet in self._cloud.subnets():
            if asked in ip_network(subnet.cidr):
                return subnet.zone
        return None

    def _interface(self, nic: NetworkInterfaceView, subnets: Mapping[str, SubnetView]) -> InterfaceMetadata:
        return InterfaceMetadata(
            id=nic.id,
            mac=nic.mac,
            device_index=nic.device_index or 0,
            subnet_id=nic.subnet_id,
            subnet_cidr=subnets[nic.subnet_id].cidr,
            vpc_id=nic.vpc_id,
            addresses=(nic.address,),
            attached_at_s=self._first_seen.setdefault(nic.attachment_id, self._clock()),
            lag_s=nic.metadata_lag_s,
        )


def _zone_id(instance: InstanceView) -> str:
    letter = instance.zone[-1]
    return f"{ZONE_ID_PREFIX.get(instance.region, instance.region)}-az{ord(letter) - ord('a') + 1}"
