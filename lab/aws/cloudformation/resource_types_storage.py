"""CloudFormation's EFS resource types.

For: `resource_types`. Guarantees: the file system keeps its policy and has an ARN, access points have ids, mount
targets have addresses. Does not: check the policy. Source: CloudFormation resource reference AWS::EFS::*.
"""

from __future__ import annotations

import json

from lab.aws.cloudformation.stack_resources import (
    Deployed,
    MotoType,
    Properties,
    ResourceType,
    StackContext,
    physical_name,
    refuse_changes,
)
from lab.aws.cloudformation.stack_tags import EFS_TAGS


class FileSystemType(MotoType):
    """AWS::EFS::FileSystem: moto has no GetAtt Arn and drops the policy."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """With its policy."""
        deployed = super().create(context, logical_id, type_name, properties)
        record = deployed.record
        deployed.attributes = {"Arn": lambda: record.file_system_arn, "FileSystemId": lambda: record.file_system_id}
        self._write_policy(deployed, properties)
        context.cloud.event("file-system", deployed.physical_resource_id, "created")
        return deployed

    def _write_policy(self, deployed: Deployed, properties: Properties) -> None:
        policy = properties.get("FileSystemPolicy")
        deployed.record.file_system_policy = json.dumps(policy) if policy else None

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """Policy, tags, throughput and backup change in place."""
        refuse_changes(
            deployed,
            changed,
            ("FileSystemPolicy", "FileSystemTags", "ThroughputMode", "BackupPolicy", "LifecyclePolicies"),
        )
        with context.cloud.call():
            self._write_policy(deployed, new)
            self._erase_tags(context, deployed, new)
            self._write_tags(context, deployed, new)
            deployed.record.throughput_mode = new.get("ThroughputMode", "bursting")
            deployed.record._backup = new.get("BackupPolicy", {}).get("Status") == "ENABLED"
            deployed.record.lifecycle_policies = new.get("LifecyclePolicies", [])


class AccessPointType(MotoType):
    """AWS::EFS::AccessPoint: moto's Ref is a Python repr."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Ref is the id."""
        cloud = context.cloud
        with cloud.call():
            point = cloud.backend("efs").create_access_point(
                physical_name(context, logical_id, type_name, properties),
                file_system_id=properties["FileSystemId"],
                posix_user=properties.get("PosixUser", {}),
                root_directory=properties.get("RootDirectory", {}),
                tags=properties.get("AccessPointTags", []),
            )
        cloud.event("file-system", point.file_system_id, f"access point {point.access_point_id} created")
        deployed = Deployed(logical_id, type_name, point.access_point_id, record=point)
        deployed.attributes = {"Arn": lambda: point.access_point_arn, "AccessPointId": lambda: point.access_point_id}
        with cloud.call():
            self._write_tags(context, deployed, properties)
        return deployed


class MountTargetType(MotoType):
    """AWS::EFS::MountTarget: GetAtt IpAddress and Id."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """With its network interface."""
        deployed = super().create(context, logical_id, type_name, properties)
        record = deployed.record
        context.cloud.backend("ec2").get_network_interface(record.network_interface_id).status = "in-use"
        deployed.attributes = {"IpAddress": lambda: record.ip_address, "Id": lambda: record.mount_target_id}
        context.cloud.event("file-system", record.file_system_id, f"mount target {record.ip_address} created")
        return deployed


STORAGE_TYPES: dict[str, ResourceType] = {
    "AWS::EFS::FileSystem": FileSystemType("moto.efs.models:FileSystem", "FileSystemTags", tags=EFS_TAGS),
    "AWS::EFS::AccessPoint": AccessPointType("moto.efs.models:AccessPoint", "AccessPointTags", tags=EFS_TAGS),
    "AWS::EFS::MountTarget": MountTargetType("moto.efs.models:MountTarget"),
}
