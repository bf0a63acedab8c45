"""The EFS file system: new, or an existing one; either way a mount target per zone and two access points.

Guarantees for a new one: regional, encrypted, backed up when asked, kept when the stack goes; its own policy refuses
every client without TLS, and every client but the instance's role through a mount target and an access point, whatever
the service file's transport says. Access point `data` has the root /SERVICE/data, `lease` /SERVICE/lease.
Does not: change the policy or the mount targets of an existing file system; it only opens port 2049 of their group.
Source of the policy: EFS user guide, "Resource-based policy examples" and "Using access points in IAM policies".
"""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_efs as efs
from aws_cdk import aws_iam as iam
from constructs import Construct

from bootstrap.base.names import Use, access_point_path
from services.spec import ServiceFile
from stacks.network import Network

CLIENT_ACTIONS = [
    "elasticfilesystem:ClientMount",
    "elasticfilesystem:ClientWrite",
    "elasticfilesystem:ClientRootAccess",
]
NFS_PORT = 2049
USES: tuple[Use, ...] = ("data", "lease")


class FileSystem(Construct):
    """`id`, `arn`, `access_point_ids` (by "data", "lease"), `mount_target_addresses` (by zone). May be tokens."""

    def __init__(
        self, scope: Construct, construct_id: str, *, service: ServiceFile, network: Network, role: iam.IRole
    ) -> None:
        super().__init__(scope, construct_id)
        self._stack = cdk.Stack.of(self)
        existing = service.file_system.existing
        if existing is None:
            self.id = self._new_file_system(service, role)
            self.mount_target_addresses = self._mount_targets(service, network)
        else:
            self.id = existing.id
            self.mount_target_addresses = dict(existing.mount_targets)
            ec2.CfnSecurityGroupIngress(
                self, "LetInstanceIn", group_id=existing.security_group_id, **self._nfs_from(network)
            )
        self.arn = self._arn("file-system", self.id)
        self.access_point_ids: dict[Use, str] = {use: self._access_point(service, use) for use in USES}
        self.access_point_arns = [self._arn("access-point", each) for each in self.access_point_ids.values()]

    def _new_file_system(self, service: ServiceFile, role: iam.IRole) -> str:
        file_system = efs.CfnFileSystem(
            self,
            "FileSystem",
            encrypted=True,
            performance_mode="generalPurpose",
            throughput_mode=service.file_system.throughput,
            backup_policy=efs.CfnFileSystem.BackupPolicyProperty(
                status="ENABLED" if service.file_system.backup else "DISABLED"
            ),
            file_system_policy=self._policy(role),
        )
        cdk.Tags.of(file_system).add("Name", service.stack_name)
        file_system.apply_removal_policy(cdk.RemovalPolicy.RETAIN)
        return file_system.ref

    def _policy(self, role: iam.IRole) -> dict[str, Any]:
        # The policy belongs to the file system, which its access points refer to, so it cannot name them: it demands
        # an access point of this account, and the role's own policy names the two.
        return {
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "RefuseWithoutTls",
                    "Effect": "Deny",
                    "Principal": {"AWS": "*"},
                    "Action": "*",
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
                {
                    "Sid": "InstanceThroughAccessPoint",
                    "Effect": "Allow",
                    "Principal": {"AWS": role.role_arn},
                    "Action": CLIENT_ACTIONS,
                    "Condition": {
                        "Bool": {"elasticfilesystem:AccessedViaMountTarget": "true"},
                        "StringLike": {"elasticfilesystem:AccessPointArn": self._arn("access-point", "*")},
                    },
                },
            ],
        }

    def _mount_targets(self, service: ServiceFile, network: Network) -> dict[str, str]:
        group = ec2.CfnSecurityGroup(
            self,
            "MountTargetSecurityGroup",
            vpc_id=network.vpc_id,
            group_description=f"{service.stack_name}: NFS from the instance only",
            security_group_ingress=[ec2.CfnSecurityGroup.IngressProperty(**self._nfs_from(network))],
        )
        return {
            zone.zone: efs.CfnMountTarget(
                self,
                f"MountTarget{zone.letter}",
                file_system_id=self.id,
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

    def _access_point(self, service: ServiceFile, use: Use) -> str:
        # No posixUser: the agent is root there and gives each directory its owner.
        return efs.CfnAccessPoint(
            self,
            f"{use.capitalize()}AccessPoint",
            file_system_id=self.id,
            root_directory=efs.CfnAccessPoint.RootDirectoryProperty(
                path=access_point_path(service.name, use),
                creation_info=efs.CfnAccessPoint.CreationInfoProperty(owner_uid="0", owner_gid="0", permissions="0755"),
            ),
        ).ref

    def _arn(self, resource: str, name: str) -> str:
        return self._stack.format_arn(service="elasticfilesystem", resource=resource, resource_name=name)
