"""Which construct makes the storage of a service file. Does not: know how a kind works."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from services.spec import ServiceFile
from stacks.network import Network
from stacks.storage.contract import Storage, Watched
from stacks.storage.efs import EfsFileSystem
from stacks.storage.efs_watch import watch_efs

STORAGES: dict[str, Any] = {"efs": EfsFileSystem}  # by `kind` of the section; all are made alike
WATCHES: dict[str, Any] = {"efs": watch_efs}  # by the same; all are called alike


def make_storage(scope: Construct, construct_id: str, *, service: ServiceFile, network: Network) -> Storage:
    """The construct of the kind that `service.file_system` asks for."""
    made: Storage = STORAGES[service.file_system.kind](
        scope, construct_id, section=service.file_system, service=service, network=network
    )
    return made


def watch_storage(*, service: ServiceFile, file_system_id: str) -> Watched:
    """What is watched of the kind that `service.file_system` asks for."""
    watched: Watched = WATCHES[service.file_system.kind](
        section=service.file_system, service=service, file_system_id=file_system_id
    )
    return watched
