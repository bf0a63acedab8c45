"""Where the data lives: the section `file_system` of the service file, of one of several kinds.

For: services.spec. Guarantees: a section without `kind` is EFS, as every service file today; its defaults are safe
(elastic throughput, TLS, backup). Does not: choose a transport by itself. `efs-tls` is for AWS; `nfs` is for file
servers without TLS (the lab's). The file system that a stack makes refuses clients without TLS and IAM in any case.
A newcomer adds the Part of another kind here and names it in `STORAGES`; its stack part belongs to stacks.storage, its
section of the boot document to bootstrap.base.document, and what the agent does to bootstrap.claims.storage.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from services.derived import OneOfParts
from services.fields import AccountName, Address, FileSystemId, Mode, SecurityGroupId, Source, Target, ZoneName
from services.part import Part


class Directory(Part):
    """One data directory: `source` below the data root, seen by the service at `target`."""

    source: Source
    target: Target
    owner: AccountName = "root"
    group: AccountName = "root"
    mode: Mode = "0755"


class StorageSection(Part):
    """What all kinds of storage have in common: the directories of the service."""

    kind: str
    directories: Annotated[tuple[Directory, ...], Field(min_length=1, max_length=20)]


class ExistingFileSystem(Part):
    """An EFS file system that exists already, with a mount target in every zone; its policy stays yours."""

    id: FileSystemId
    mount_targets: dict[ZoneName, Address]
    security_group_id: SecurityGroupId  # of the mount targets; the stack lets the instance in on port 2049


class FileSystem(StorageSection):
    """The EFS file system: made by the stack unless `existing` names one."""

    kind: Literal["efs"] = "efs"
    existing: ExistingFileSystem | None = None
    transport: Literal["efs-tls", "nfs"] = "efs-tls"
    throughput: Literal["elastic", "bursting"] = "elastic"
    backup: bool = True


STORAGES: tuple[type[Part], ...] = (FileSystem,)
Storage = Annotated[StorageSection, OneOfParts(STORAGES, default="efs")]
