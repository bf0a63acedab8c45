"""Storage on EFS: how its parts are mounted, and the proof that it is the right file system.

For: bootstrap.claims.storage. Two transports: `efs-tls` (the image's mount helper, TLS and IAM) and `nfs` (plain
NFSv4.1). Each is tried by the zone-independent name first, then by the address of the zone's mount target. Only while
both fail, those of other zones are tried. Guarantees: the lease directory is mounted without any cache; the mount
helper's proxy outlives the agent; the data carry a marker with file system and service, which a killable child reads,
so that a server that hangs costs an attempt and not the agent. A mount target that is being created or deleted is one
that is away; nobody asks EFS for its state, which would need a permission.
Does not: create mount targets, or move a mount back to the own zone's.
Sources: EFS user guide "Recommended NFS mount options", "Creating mount targets" (another zone's mount target costs
traffic, and fails with that zone), "Mounting on Amazon EC2 with a DNS name" (the name resolves only where the zone has
a mount target); EFS API reference, LifeCycleState, DeleteMountTarget (breaks the mounts by it); efs-utils README
(`mounttargetip`; the local proxy shows the source as 127.0.0.1; its last attempt has no time-out; "network not ready"
exits 0; its proxy stays in the control group of whoever mounts); systemd.kill(5) (KillMode=mixed ends the whole control
group); systemd-run(1); nfs(5) for `noac`, `lookupcache`.
"""

from __future__ import annotations

from bootstrap.base.clock import Deadline
from bootstrap.base.document import EfsSettings, MountTarget
from bootstrap.base.state import FileSystemState
from bootstrap.machine.file_system import FileSystems, MountPlan, difference

NFS_OPTIONS = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport"
# The helper's TLS proxy serves the mount for as long as it is there. In the agent's control group it would die with the
# agent, and everything on the file system would hang. At shutdown it outlives the agent, which still writes back.
OUTSIDE_OF_THE_AGENT = (
    *("systemd-run", "--scope", "--quiet", "--collect", "--description=proxy of an EFS mount"),
    *("--property=Before=soloist-agent.service", "--"),
)
PATIENCE_S = 20.0  # the own zone's mount target has failed for so long before another zone's is tried
LEASE_OPTIONS = "noac,lookupcache=none,nosharecache"  # a cached answer about a lease is a wrong answer


class EfsPart:
    """One part of the file system. See contract.Storage."""

    def __init__(
        self,
        file_systems: FileSystems,
        file_system: EfsSettings,
        root: str,
        mount_targets: tuple[MountTarget, ...],
        service: str = "",
    ) -> None:
        """The data of `service`; without `service` the lease directory. `mount_targets`: the own zone's first."""
        self._file_systems = file_systems
        self._file_system = file_system
        self.root = root
        self._mount_targets = mount_targets
        self._service = service

    @property
    def to_look_at(self) -> str:
        file_system, own = self._file_system, self._mount_targets[0]
        access_point = file_system.data_access_point_id if self._service else file_system.lease_access_point_id
        return (
            f"Look at the mount target of {own.zone} ({own.address}), whose state must be available and whose security "
            f"group must let port 2049 in (aws efs describe-mount-targets --file-system-id {file_system.id}), and, "
            f"where access was denied, at the access point {access_point}, the policy of the file system and the role "
            "of the instance"
        )

    def plan(self) -> list[MountPlan]:
        return plan_mounts(
            self._file_system,
            is_lease=not self._service,
            target=self.root,
            mount_targets=self._mount_targets,
        )

    def mount(self, plan: MountPlan, attempt: Deadline) -> str:
        return self._file_systems.mount(plan, attempt)

    def verify(self, attempt: Deadline) -> str:
        if not self._service:  # the lease directory carries no marker; each look at it says whether it answers
            return "no time left" if attempt.is_past else ""
        return self._file_systems.check_marker(self.root, self._file_system.id, self._service, attempt)

    def drift(self) -> str:
        return difference(self.plan()[0], self._file_systems.mount_at(self.root))  # all plans show the same

    def inspect(self, attempt: Deadline) -> str:
        if not self._service:
            return ""
        return self._file_systems.check_marker(
            self.root, self._file_system.id, self._service, attempt, is_written=False
        )

    def shown(self) -> FileSystemState:
        mount = self._file_systems.mount_at(self.root)
        total, used = self._file_systems.space or (None, None)
        options = ",".join(sorted(mount.options)) if mount is not None else ""
        return FileSystemState(id=self._file_system.id, options=options, total_bytes=total, used_bytes=used)

    def sync(self, deadline: Deadline) -> list[str]:
        if self._file_systems.mount_at(self.root) is None or self._file_systems.sync(self.root, deadline):
            return []
        return [f"{self.root} was not written back in time"]

    def unmount(self, deadline: Deadline, *, may_be_lazy: bool) -> list[str]:
        if self._file_systems.unmount(self.root, deadline, may_be_lazy=may_be_lazy):
            return []
        return [f"{self.root} could not be unmounted{' cleanly' if may_be_lazy else ''}"]


def plan_mounts(
    file_system: EfsSettings, *, is_lease: bool, target: str, mount_targets: tuple[MountTarget, ...]
) -> list[MountPlan]:
    """The ways to mount the data or the lease directory at `target`, best first. Pure."""
    own, *elsewhere = mount_targets
    # The own address last: where the name leads to it and it hangs, it would only hang once more.
    ways = [
        (file_system.dns_name, "", 0.0),
        *((other.address, f" of {other.zone}, the own zone's mount target is away", PATIENCE_S) for other in elsewhere),
        (own.address, "", 0.0),
    ]
    # /proc/self/mountinfo says "lookupcache=none" and "noac" where they are in force (Linux fs/nfs/super.c).
    required = frozenset({"hard", "noac", "lookupcache=none"} if is_lease else {"hard"})
    extra = f",{LEASE_OPTIONS}" if is_lease else ""
    path = file_system.lease_path if is_lease else file_system.data_path
    access_point = file_system.lease_access_point_id if is_lease else file_system.data_access_point_id
    is_nfs = file_system.transport == "nfs"

    def argv(name: str) -> tuple[str, ...]:
        if is_nfs:
            return ("mount", "-t", "nfs4", "-o", NFS_OPTIONS + extra, f"{name}:{path}", target)
        by = "" if name == file_system.dns_name else f",mounttargetip={name}"
        options = f"tls,iam,accesspoint={access_point},noresvport{extra}{by}"
        return (*OUTSIDE_OF_THE_AGENT, "mount", "-t", "efs", "-o", options, f"{file_system.id}:/", target)

    return [
        MountPlan(
            argv=argv(name),
            target=target,
            kind="nfs4",
            sources=frozenset({f"{name}:{path}" for name, _, _ in ways} if is_nfs else {"127.0.0.1:/"}),
            options=required,
            by=name + where,
            patience_s=patience_s,
        )
        for name, where, patience_s in ways
    ]
