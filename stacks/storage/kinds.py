"""Which construct makes the storage of a service file. Does not: know how a kind works."""

from __future__ import annotations

from typing import Any

from constructs import Construct

from services.spec import ServiceFile
from stacks.network import Network
from stacks.storage.contract import Storage
from stacks.storage.efs import EfsFileSystem

STORAGES: dict[str, Any] = {"efs": EfsFileSystem}  # by `kind` of the section; all are made alike


def make_storage(scope: Construct, construct_id: str, *, service: ServiceFile, network: Network) -> Storage:
    """The construct of the kind that `service.file_system` asks for."""
    made: Storage = STORAGES[service.file_system.kind](
        scope, construct_id, section=service.file_system, service=service, network=network
    )
    return made
