"""Which kind of storage a boot document asks for. Does not: know how a kind works.

A newcomer adds one line to `MAKERS`, and one to `SITES` where a deployment changes how the kind is reached; boot
document and site then accept the kind (bootstrap.run.kinds).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from bootstrap.base.document import EfsSettings, StorageSettings
from bootstrap.base.site import EfsSite, StorageSite
from bootstrap.claims.storage.contract import Storage
from bootstrap.claims.storage.efs import EfsPart
from bootstrap.machine.file_system import FileSystems


def storage_of(
    settings: StorageSettings, file_systems: FileSystems, zone: str, root: str, service: str = ""
) -> Storage:
    """The data of `service`, or without `service` the lease directory, to be mounted at `root` in the zone `zone`.

    Raises BadBootDocument where the settings say nothing about the zone."""
    return MAKERS[type(settings)](settings, file_systems, zone, root, service)


def _efs(settings: EfsSettings, file_systems: FileSystems, zone: str, root: str, service: str) -> Storage:
    return EfsPart(file_systems, settings, root, settings.mount_targets_from(zone), service)


MAKERS: dict[type[StorageSettings], Callable[[Any, FileSystems, str, str, str], Storage]] = {EfsSettings: _efs}
SITES: tuple[type[StorageSite], ...] = (EfsSite,)
