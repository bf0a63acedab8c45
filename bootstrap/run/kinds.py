"""Which kinds there are of everything in the boot document that may be of several kinds.

For: whoever reads a boot document passes `KINDS` to bootstrap.base.document. Guarantees: the one list, made of what the
rooms of the kinds offer; another kind is refused with the names of those in the list. Does not: say what a kind means.
"""

from __future__ import annotations

from bootstrap.base.check import Check
from bootstrap.base.codec import Members
from bootstrap.base.document import ConnectionSettings, StorageSettings
from bootstrap.base.site import StorageSite
from bootstrap.claims.connection import kinds as connections
from bootstrap.claims.storage import kinds as storages
from bootstrap.machine import health

KINDS: Members = {
    Check: health.KINDS,
    ConnectionSettings: tuple(connections.MAKERS),
    StorageSettings: tuple(storages.MAKERS),
    StorageSite: storages.SITES,
}
