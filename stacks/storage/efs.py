"""Storage on EFS: a file system, new or existing, with a mount target per zone and two access points.

For: stacks.storage. Guarantees for a new one: regional, encrypted, backed up when asked. It stays when the stack goes,
but not when its own creation fails. Its policy refuses every client without TLS, whatever transport the service file
names. Nobody but the instance's role gets in, and that role only through a mount target and the two access points:
`data` has the root /SERVICE/data, `lease` has /SERVICE/lease.
Does not: change the policy or the mount targets of an existing file system; it only opens port 2049 of their group.
One without mount targets gets them: a stack that is deleted leaves its file system and takes the mount targets away.
Source: EFS user guide, "Using IAM to control file system data access" (an allow in either policy is enough; the default
policy, which lets everybody in, holds only while the file system has none of its own).
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_efs as efs
from aws_cdk import aws_iam as iam
from constructs import Construct, IDependable

from bootstrap.base import document as boot
from bootstrap.base.names import Use, access_point_path
from bootstrap.base.site import EfsSite
from services.spec import ServiceFile
from services.storage import FileSystem
from stacks.network import Network
from stacks.storage.contract import Storage

CLIENT_ACTIONS = [
    "elasticfilesystem:ClientMount",
    "elasticfilesystem:ClientWrite",
    "elasticfilesystem:ClientRootAccess",
]
NFS_PORT = 2049
# It allows nothing: an allow here would hold beside the role's own policy, which names the two access points. It also
# names no role: a role that is seconds old is an invalid principal, and one that is made again would be locked out.
POLICY = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Sid": "RefuseWithoutTls",
            "Effect": "Deny",
            "Principal": {"AWS": "*"},
            "Action": "*",
            "Condition": {"Bool": {"aws:SecureTransport": "false"}},
        }
    ],
}
USES: tuple[Use, ...] = ("data", "lease")


class EfsFileSystem(Storage):
    """See contract.Storage."""

    def __init__(
        self,
        scope: Construct,
        construct_id: str,
        *,
        section: FileSystem,
        service: ServiceFile,
        network: Network,
    ) -> None:
        super().__init__(scope, construct_id)
        self._stack = cdk.Stack.of(self)
        self._section = section
        self._service = service
        self._unnamed: list[IDependable] = []
        existing = section.existing
        self._id = existing.id if existing else self._new_file_system()
        if existing and existing.security_group_id:
            self._mount_target_addresses = dict(existing.mount_targets)
            self._unnamed.append(
                ec2.CfnSecurityGroupIngress(
                    self, "LetInstanceIn", group_id=existing.security_group_id, **self._nfs_from(network)
                )
            )
        else:
            self._mount_target_addresses = self._mount_targets(network)
        self._access_point_ids: dict[Use, str] = {use: self._access_point(use) for use in USES}

    @property
    def identity(self) -> str:
        return self._id

    def unnamed(self) -> list[IDependable]:
        return self._unnamed

    def settings(self) -> boot.EfsSettings:
        return boot.EfsSettings(
            id=self._id,
            dns_name=f"{self._id}.efs.{self._service.region}.{self._stack.url_suffix}",
            transport=self._section.transport,
            data_access_point_id=self._access_point_ids["data"],
            lease_access_point_id=self._access_point_ids["lease"],
            data_path=access_point_path(self._service.name, "data"),
            lease_path=access_point_path(self._service.name, "lease"),
            mount_targets=self._mount_targets_by_zone(),
            directories=tuple(boot.Directory(**each.model_dump()) for each in self._section.directories),
        )

    def site(self) -> EfsSite:
        return EfsSite(id=self._id, mount_targets=self._mount_targets_by_zone())

    def statements(self) -> list[iam.PolicyStatement]:
        return [
            iam.PolicyStatement(
                actions=CLIENT_ACTIONS,
                resources=[self._arn("file-system", self._id)],
                conditions={
                    "Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"},
                    "StringEquals": {
                        "elasticfilesystem:AccessPointArn": [
                            self._arn("access-point", each) for each in self._access_point_ids.values()
                        ]
                    },
                },
            )
        ]

    def outputs(self) -> dict[str, str]:
        return {"FileSystemId": self._id}

    def _mount_targets_by_zone(self) -> tuple[boot.MountTarget, ...]:
        return tuple(
            boot.MountTarget(zone=zone, address=address) for zone, address in self._mount_target_addresses.items()
        )

    def _new_file_system(self) -> str:
        file_system = efs.CfnFileSystem(
            self,
            "FileSystem",
            encrypted=True,
            performance_mode="generalPurpose",
            throughput_mode=self._section.throughput,
            backup_policy=efs.CfnFileSystem.BackupPolicyProperty(
                status="ENABLED" if self._section.backup else "DISABLED"
            ),
            file_system_policy=POLICY,
        )
        cdk.Tags.of(file_system).add("Name", self._service.stack_name)
        file_system.apply_removal_policy(cdk.RemovalPolicy.RETAIN_ON_UPDATE_OR_DELETE)
        return file_system.ref

    def _mount_targets(self, network: Network) -> dict[str, str]:
        group = ec2.CfnSecurityGroup(
            self,
            "MountTargetSecurityGroup",
            vpc_id=network.vpc_id,
            group_description=f"{self._service.stack_name}: NFS from the instance only",
            security_group_ingress=[ec2.CfnSecurityGroup.IngressProperty(**self._nfs_from(network))],
        )
        return {
            zone.zone: efs.CfnMountTarget(
                self,
                f"MountTarget{zone.letter}",
                file_system_id=self._id,
                subnet_id=zone.instance_subnet_id,
                security_groups=[group.attr_group_id],
            ).attr_ip_address
            for zone in network.zones
        }

    def _nfs_from(self, network: Network) -> dict[str, Any]:
        return {
            "ip_protocol": "tcp",
            "from_port": NFS_PORT,
            "to_port": NFS_PORT,
            "source_security_group_id": network.instance_security_group_id,
        }

    def _access_point(self, use: Use) -> str:
        # No posixUser: the agent is root there and gives each directory its owner.
        return efs.CfnAccessPoint(
            self,
            f"{use.capitalize()}AccessPoint",
            file_system_id=self._id,
            root_directory=efs.CfnAccessPoint.RootDirectoryProperty(
                path=access_point_path(self._service.name, use),
                creation_info=efs.CfnAccessPoint.CreationInfoProperty(owner_uid="0", owner_gid="0", permissions="0755"),
            ),
        ).ref

    def _arn(self, resource: str, name: str) -> str:
        return self._stack.format_arn(service="elasticfilesystem", resource=resource, resource_name=name)
