"""The site: what CloudFormation changes at once, and a boot needs as it is now, whatever version the group launches.

For: the stack keeps it in a parameter of its own, so that it changes and is rolled back together with the resources
that it names; the agent reads it at boot. The boot document in the promoted version is as old as that version. For the
facts below the site wins; everything else (what serves, how long, from which directories) stays the promoted version's.
Guarantees: pure; keys of a newer release are ignored, and whatever cannot be taken over is a BadBootDocument with its
path. Does not: carry another file system, which holds other data: that needs a promotion.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from bootstrap.base.codec import DecodeError, Members, decode
from bootstrap.base.document import (
    SOME,
    BootDocument,
    ConnectionSettings,
    EfsSettings,
    Group,
    MountTarget,
    StorageSettings,
    Zone,
    checked,
)
from bootstrap.base.errors import BadBootDocument
from bootstrap.base.values import Text


@dataclass(frozen=True, kw_only=True)
class StorageSite(ABC):
    """Where the storage is reached now. `kind` says which subclass it is (bootstrap.run.kinds)."""

    kind: str

    @abstractmethod
    def applied(self, settings: StorageSettings) -> StorageSettings:
        """`settings` with what the site knows; unchanged where they are about another storage."""


@dataclass(frozen=True, kw_only=True)
class EfsSite(StorageSite):
    """The mount targets of the file system `id`."""

    kind: Literal["efs"] = "efs"
    id: Text
    mount_targets: tuple[MountTarget, ...]

    def applied(self, settings: StorageSettings) -> StorageSettings:
        if not isinstance(settings, EfsSettings) or settings.id != self.id:
            return settings
        return replace(settings, mount_targets=self.mount_targets)


@dataclass(frozen=True, kw_only=True)
class Site:
    """The parts of the boot document that a deployment changes at once."""

    group: Group
    zones: Annotated[tuple[Zone, ...], SOME]
    connection: ConnectionSettings
    file_system: StorageSite | None = None  # None: the kind has nothing that changes


def at_site(document: BootDocument, text: str, members: Members) -> BootDocument:
    """`document` with the site that `text` holds. Raises BadBootDocument naming every path that is wrong."""
    try:
        site = decode(Site, text, unknown_keys="ignore", members=members)
    except DecodeError as error:
        raise BadBootDocument("site: " + "; ".join(error.findings), remedy="Deploy the stack again") from None
    file_system = site.file_system.applied(document.file_system) if site.file_system else document.file_system
    return checked(
        replace(document, group=site.group, zones=site.zones, connection=site.connection, file_system=file_system)
    )
