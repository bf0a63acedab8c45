"""Which kinds there are of everything in the boot document that may be of several kinds.

For: whoever reads a boot document passes `KINDS` to bootstrap.base.document. Guarantees: the one list; a kind that is
not in it is refused with the names of those that are. Does not: say what a kind means (its own module does).
"""

from __future__ import annotations

from bootstrap.base.codec import Members
from bootstrap.base.document import Check, ConnectionSettings, EfsSettings, FileSystem, Route53Settings
from bootstrap.machine import health

KINDS: Members = {Check: health.KINDS, ConnectionSettings: (Route53Settings,), FileSystem: (EfsSettings,)}
