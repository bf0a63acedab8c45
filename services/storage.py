"""Where the data lives: the file system and the directories the service sees.

For: services.spec. Guarantees: typed values with safe defaults (elastic throughput, TLS, backup).
Does not: choose a transport by itself. `efs-tls` is for AWS; `nfs` is for file servers without TLS (the lab's).
The file system a stack makes refuses clients without TLS and IAM whatever the transport says.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.fields import AccountName, Address, FileSystemId, Mode, SecurityGroupId, Source, Target, ZoneName
from services.part import Part


class Directory(Part):
    """One data directory: `source` below the data root, seen by the service at `target`."""

    source: Source
    target: Target
    owner: AccountName = "root"
    group: AccountName = "root"
    mode: Mode = "0755"


class ExistingFileSystem(Part):
    """An EFS file system that is there already, with a mount target in every zone; its policy stays yours."""

    id: FileSystemId
    mount_targets: dict[ZoneName, Address]
    security_group_id: SecurityGroupId  # of the mount targets; the stack lets the instance in on port 2049


class FileSystem(Part):
    """The file system: made by the stack unless `existing` names one."""

    directories: Annotated[tuple[Directory, ...], Field(min_length=1, max_length=20)]
    existing: ExistingFileSystem | None = None
    transport: Literal["efs-tls", "nfs"] = "efs-tls"
    throughput: Literal["elastic", "bursting"] = "elastic"
    backup: bool = True
