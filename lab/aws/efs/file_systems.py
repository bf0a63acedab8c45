"""EFS as its API shows it: file systems and mount targets are `creating` before they are `available`.

For: whoever makes file systems by the API. Guarantees: a file system that is not available takes no mount target
(IncorrectFileSystemLifeCycleState); an access point needs one that is there. What a stack makes is available at once,
because CloudFormation goes on only when it is. Does not: model replication, backup vaults, or One Zone file systems.
Source: EFS API reference CreateFileSystem ("returns immediately with the lifecycle state creating"), CreateMountTarget,
DescribeMountTargets, CreateAccessPoint.
"""

from __future__ import annotations

import json
from typing import Any

from moto.efs.exceptions import FileSystemNotFound

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
        record.life_cycle_state = "available"
        cloud.event("file-system", subject, "available")

    cloud.later(delay_s, done)


def _answered(answer: Any, state: str) -> Any:
    body, headers = answer
    return json.dumps(json.loads(body) | {"LifeCycleState": state}), headers


@replaces(f"{_RESPONSE}.create_file_system", expects=("self",), reason=_AT_ONCE)
@under_lock
def create_file_system(self: Any, cloud: Cloud) -> Any:
    """CreateFileSystem: creating, later available."""
    answer = original(f"{_RESPONSE}.create_file_system")(self)
    record = self.efs_backend.file_systems_by_id[json.loads(answer[0])["FileSystemId"]]
    _become_available(cloud, record, "file_system_s", record.file_system_id)
    return _answered(answer, record.life_cycle_state)


@replaces(f"{_RESPONSE}.create_mount_target", expects=("self",), reason=_AT_ONCE)
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


@replaces(
    f"{_RESPONSE}.create_access_point",
    expects=("self",),
    reason="moto makes access points of file systems that are not",
)
@under_lock
def create_access_point(self: Any, _cloud: Cloud) -> Any:
    """CreateAccessPoint: on a file system that exists."""
    file_system_id = self._get_param("FileSystemId")
    if file_system_id not in self.efs_backend.file_systems_by_id:
        raise FileSystemNotFound(file_system_id)
    return original(f"{_RESPONSE}.create_access_point")(self)
