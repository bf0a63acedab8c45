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

    source: Annotated[Source, Field(title="Where it is on the file system")]
    target: Annotated[Target, Field(title="Where the service sees it; a directory of the image")]
    owner: Annotated[AccountName, Field(title="The owner that it is given")] = "root"
    group: Annotated[AccountName, Field(title="The group that it is given")] = "root"
    mode: Annotated[Mode, Field(title="The permissions that it is given")] = "0755"


class StorageSection(Part):
    """What all kinds of storage have in common: the directories of the service."""

    kind: str
    directories: Annotated[tuple[Directory, ...], Field(title="What outlives an instance", min_length=1, max_length=20)]


class ExistingFileSystem(Part):
    """An EFS file system that exists already; its policy stays yours. Give its mount targets, one in every zone, with
    their security group, in which the stack opens port 2049 for the instance. Give neither for one that has no mount
    target, as one that a deleted stack left: the stack makes them."""

    id: FileSystemId
    mount_targets: Annotated[dict[ZoneName, Address], Field(title="The address of the mount target of each zone")] = {}
    security_group_id: Annotated[SecurityGroupId | None, Field(title="The security group of the mount targets")] = None


class FileSystem(StorageSection):
    """The EFS file system: made by the stack unless `existing` names one."""

    kind: Annotated[Literal["efs"], Field(title="The kind of storage")] = "efs"
    existing: ExistingFileSystem | None = None
    transport: Annotated[
        Literal["efs-tls", "nfs"], Field(title="On AWS efs-tls; nfs is for a file server without TLS, as the lab has")
    ] = "efs-tls"
    throughput: Annotated[Literal["elastic", "bursting"], Field(title="The throughput mode of a new file system")] = (
        "elastic"
    )
    backup: Annotated[bool, Field(title="Whether AWS Backup copies a new file system every day")] = True


STORAGES: tuple[type[Part], ...] = (FileSystem,)
Storage = Annotated[StorageSection, OneOfParts(STORAGES, default="efs")]
