"""EFS as its API shows it: file systems and mount targets are `creating` before they are `available`.

For: whoever makes file systems by the API. Guarantees: a file system that is not available takes no mount target
(IncorrectFileSystemLifeCycleState); an access point needs one that is there; a mount target is `deleting` before it is
gone, with its interface. What a stack makes or deletes is so at once, because CloudFormation goes on only when it is.
Does not: model replication, backup vaults, or One Zone file systems.
Source: EFS API reference CreateFileSystem ("returns immediately with the lifecycle state creating"), CreateMountTarget,
DescribeMountTargets, DeleteMountTarget ("returns while the mount target state is still deleting"), CreateAccessPoint.
"""

import json
from typing import Any

from moto.ec2.exceptions import EC2ClientError
from moto.efs.exceptions import BadRequest, FileSystemNotFound

from lab.aws.core.cloud import Cloud, under_lock
from lab.aws.core.errors import file_system_refused
from lab.aws.core.patches import original, replaces

_RESPONSE = "moto.efs.responses:EFSResponse"
_AT_ONCE = "moto's file systems and mount targets are available at once"


def _become_available(cloud: Cloud, record: Any, name: str, subject: str) -> None:
    delay_s = cloud.delay(name)
    if delay_s <= 0:
        return
    record.life_cycle_state = "creating"

    def done() -> None:
        if record.life_cycle_state != "creating":  # it is being deleted by now
            return
        record.life_cycle_state = "available"
        cloud.event("file-system", subject, "available")

    cloud.later(delay_s, done)


def _answered(answer: Any, state: str) -> Any:
    body, headers = answer
    return json.dumps(json.loads(body) | {"LifeCycleState": state}), headers


@replaces(f"{_RESPONSE}.create_file_system", reason=_AT_ONCE)
@under_lock
def create_file_system(self: Any, cloud: Cloud) -> Any:
    """CreateFileSystem: creating, later available."""
    answer = original(f"{_RESPONSE}.create_file_system")(self)
    record = self.efs_backend.file_systems_by_id[json.loads(answer[0])["FileSystemId"]]
    _become_available(cloud, record, "file_system_s", record.file_system_id)
    return _answered(answer, record.life_cycle_state)


@replaces(f"{_RESPONSE}.create_mount_target", reason=_AT_ONCE)
@under_lock
def create_mount_target(self: Any, cloud: Cloud) -> Any:
    """CreateMountTarget: only on an available file system; creating, later available."""
    file_system = self.efs_backend.file_systems_by_id.get(self._get_param("FileSystemId"))
    if file_system is not None and file_system.life_cycle_state != "available":
        raise file_system_refused(
            "IncorrectFileSystemLifeCycleState",
            f"File system '{file_system.file_system_id}' is {file_system.life_cycle_state}.",
        )
    answer = original(f"{_RESPONSE}.create_mount_target")(self)
    record = self.efs_backend.mount_targets_by_id[json.loads(answer[0])["MountTargetId"]]
    _become_available(cloud, record, "mount_target_s", record.file_system_id)
    return _answered(answer, record.life_cycle_state)


@replaces(f"{_RESPONSE}.delete_mount_target", reason="moto's mount targets are gone at once")
@under_lock
def delete_mount_target_by_api(self: Any, cloud: Cloud) -> Any:
    """DeleteMountTarget: deleting, later gone."""
    targets, target_id = self.efs_backend.mount_targets_by_id, self._get_param("MountTargetId")
    target, delay_s = targets.get(target_id), cloud.delay("mount_target_s")
    if target is None or delay_s <= 0:
        return original(f"{_RESPONSE}.delete_mount_target")(self)

    def done() -> None:
        if targets.get(target_id) is target:  # no stack was faster
            self.efs_backend.delete_mount_target(target_id)

    target.life_cycle_state = "deleting"
    cloud.later(delay_s, done)
    return "{}", {"status": 204, "Content-Type": "application/json"}


_BACKEND = "moto.efs.models:EFSBackend"
_ADDRESS = {  # EC2's refusals of an address, and EFS's
    "InvalidIPAddress.InUse": "IpAddressInUse",
    "InsufficientFreeAddressesInSubnet": "NoFreeAddressesInSubnet",
}


@replaces(
    f"{_BACKEND}.create_mount_target",
    expects="self, file_system_id, subnet_id, ip_address, security_groups",
    reason="moto's interface of a mount target is anybody's, and a refused one keeps its zone",
)
@under_lock
def make_mount_target(self: Any, cloud: Cloud, file_system_id: str, subnet_id: str, *args: Any, **kwargs: Any) -> Any:
    """CreateMountTarget, by the API or a stack: the interface is EFS's, in use, and only EFS deletes it."""
    try:
        target = original(f"{_BACKEND}.create_mount_target")(self, file_system_id, subnet_id, *args, **kwargs)
    except EC2ClientError as error:
        subnet = cloud.backend("ec2").get_subnet(subnet_id)
        self.file_systems_by_id[file_system_id].remove_mount_target(subnet)
        code = _ADDRESS.get(error.code)
        raise file_system_refused(code, error.message) if code else BadRequest(error.message) from error
    eni = cloud.backend("ec2").get_network_interface(target.network_interface_id)
    eni.requester_managed, eni.status = True, "in-use"
    eni.description = f"EFS mount target for {file_system_id} ({target.mount_target_id})"
    return target


@replaces(f"{_BACKEND}.delete_mount_target", expects="self, mount_target_id", reason="its interface is protected")
@under_lock
def delete_mount_target(self: Any, cloud: Cloud, mount_target_id: str) -> None:
    """What DeleteMountTarget comes to: it takes its interface along."""
    target = self.mount_targets_by_id.get(mount_target_id)
    if target is not None:
        cloud.backend("ec2").get_network_interface(target.network_interface_id).requester_managed = False
    original(f"{_BACKEND}.delete_mount_target")(self, mount_target_id)


@replaces(f"{_RESPONSE}.put_file_system_policy", reason="moto keeps any text")
def put_file_system_policy(self: Any) -> Any:
    """PutFileSystemPolicy: a policy is JSON."""
    try:
        json.loads(self._get_param("Policy"))
    except ValueError as error:
        raise file_system_refused("InvalidPolicyException", f"The policy is not JSON: {error}", 400) from error
    return original(f"{_RESPONSE}.put_file_system_policy")(self)


@replaces(f"{_RESPONSE}.create_access_point", reason="moto makes access points of file systems that are not")
@under_lock
def create_access_point(self: Any, _cloud: Cloud) -> Any:
    """CreateAccessPoint: on a file system that exists, once per token, at most four folders deep."""
    file_system_id, token = self._get_param("FileSystemId"), self._get_param("ClientToken")
    if file_system_id not in self.efs_backend.file_systems_by_id:
        raise FileSystemNotFound(file_system_id)
    path = (self._get_param("RootDirectory") or {}).get("Path", "/")
    if len([part for part in path.split("/") if part]) > 4 or len(path) > 100:
        raise BadRequest(f"A root directory has at most four subdirectories and 100 characters: {path}")
    if any(point.client_token == token for point in self.efs_backend.access_points.values()):
        raise file_system_refused("AccessPointAlreadyExists", f"An access point exists with client token {token}")
    return original(f"{_RESPONSE}.create_access_point")(self)
