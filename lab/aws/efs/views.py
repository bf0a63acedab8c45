"""EFS as the rest of the lab sees it: frozen records of mount targets and access points.

For: the lab's file server and DNS. Guarantees: a view is a copy taken under the lock at one moment and never changes.
Does not: change AWS; the API does.
"""

from dataclasses import dataclass
from typing import Any

from lab.aws.core.cloud import Cloud


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
    """An EFS access point; the file server makes `path` with owner and mode on first use."""

    id: str
    file_system_id: str
    path: str
    owner_uid: int
    owner_gid: int
    mode: str  # octal, e.g. "0755"


class EfsQueries:
    """Queries about EFS. Thread-safe."""

    cloud: Cloud

    def mount_targets(self) -> list[MountTargetView]:
        """Those that can be mounted: one that is not available has no name and answers nobody."""
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
                for target in self.cloud.backend("efs").mount_targets_by_id.values()
                if _serves(target)
            ]

    def access_points(self) -> list[AccessPointView]:
        """All access points; without CreationInfo owner and mode are AWS's defaults for an existing directory."""
        with self.cloud.lock:
            return [_access_point(one) for one in self.cloud.backend("efs").access_points.values()]


def _serves(target: Any) -> bool:
    return bool(target.life_cycle_state == "available")


def _access_point(point: Any) -> AccessPointView:
    directory = point.root_directory or {}
    creation = directory.get("CreationInfo") or {}
    return AccessPointView(
        id=point.access_point_id,
        file_system_id=point.file_system_id,
        path=directory.get("Path", "/"),
        owner_uid=int(creation.get("OwnerUid", 0)),
        owner_gid=int(creation.get("OwnerGid", 0)),
        mode=str(creation.get("Permissions", "0755")),
    )
