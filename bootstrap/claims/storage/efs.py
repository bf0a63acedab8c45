"""Storage on EFS: how its parts are mounted, and the proof that it is the right file system.

For: bootstrap.claims.storage. Two transports: `efs-tls` (the image's mount helper, TLS and IAM) and `nfs` (plain
NFSv4.1). Each is tried by the zone-independent name first, then by the mount target's address. Guarantees: the lease
directory is mounted without any cache; the data carry a marker with file system and service, which a killable child
reads, so that a server that hangs costs an attempt and not the agent. Does not: create mount targets.
Sources: EFS user guide "Recommended NFS mount options"; efs-utils README (`mounttargetip`; the local proxy shows the
source as 127.0.0.1; its last attempt has no time-out; "network not ready" exits 0); nfs(5) for `noac`, `lookupcache`.
"""

from __future__ import annotations

from bootstrap.base.clock import Deadline
from bootstrap.base.document import EfsSettings
from bootstrap.machine.file_system import FileSystems, MountPlan

NFS_OPTIONS = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport"
LEASE_OPTIONS = "noac,lookupcache=none,nosharecache"  # a cached answer about a lease is a wrong answer


class EfsPart:
    """One part of the file system. See contract.Storage."""

    def __init__(
        self,
        file_systems: FileSystems,
        file_system: EfsSettings,
        root: str,
        mount_target_address: str,
        service: str = "",
    ) -> None:
        """The data of `service`; without `service` the lease directory."""
        self._file_systems = file_systems
        self._file_system = file_system
        self.root = root
        self._mount_target_address = mount_target_address
        self._service = service

    def plan(self) -> list[MountPlan]:
        return plan_mounts(
            self._file_system,
            is_lease=not self._service,
            target=self.root,
            mount_target_address=self._mount_target_address,
        )

    def mount(self, plan: MountPlan, attempt: Deadline) -> str:
        return self._file_systems.mount(plan, attempt)

    def verify(self, attempt: Deadline) -> str:
        if not self._service:  # the lease directory carries no marker; each look at it says whether it answers
            return "no time left" if attempt.is_past else ""
        return self._file_systems.check_marker(self.root, self._file_system.id, self._service, attempt)

    def sync(self, deadline: Deadline) -> list[str]:
        if self._file_systems.mount_at(self.root) is None or self._file_systems.sync(self.root, deadline):
            return []
        return [f"{self.root} was not written back in time"]

    def unmount(self, deadline: Deadline, *, may_be_lazy: bool) -> list[str]:
        if self._file_systems.unmount(self.root, deadline, may_be_lazy=may_be_lazy):
            return []
        return [f"{self.root} could not be unmounted{' cleanly' if may_be_lazy else ''}"]


def plan_mounts(file_system: EfsSettings, *, is_lease: bool, target: str, mount_target_address: str) -> list[MountPlan]:
    """The ways to mount the data or the lease directory at `target`, best first. Pure."""
    names = [file_system.dns_name, mount_target_address]
    # /proc/self/mountinfo says "lookupcache=none" and "noac" where they are in force (Linux fs/nfs/super.c).
    required = frozenset({"hard", "noac", "lookupcache=none"} if is_lease else {"hard"})
    extra = f",{LEASE_OPTIONS}" if is_lease else ""
    if file_system.transport == "nfs":
        path = file_system.lease_path if is_lease else file_system.data_path
        return [
            MountPlan(
                argv=("mount", "-t", "nfs4", "-o", NFS_OPTIONS + extra, f"{name}:{path}", target),
                target=target,
                kind="nfs4",
                sources=frozenset({f"{name}:{path}" for name in names}),
                options=required,
                by=name,
            )
            for name in names
        ]
    access_point = file_system.lease_access_point_id if is_lease else file_system.data_access_point_id
    options = f"tls,iam,accesspoint={access_point},noresvport{extra}"
    return [
        MountPlan(
            argv=("mount", "-t", "efs", "-o", options + by, f"{file_system.id}:/", target),
            target=target,
            kind="nfs4",
            sources=frozenset({"127.0.0.1:/"}),
            options=required,
            by=name,
        )
        for name, by in zip(names, ("", f",mounttargetip={mount_target_address}"), strict=True)
    ]
