"""The watch from outside in the service file.

For: services.spec. Guarantees: fields, defaults and meanings are those of bootstrap.base.watchdog.
Does not: watch anything.
"""

from __future__ import annotations

from bootstrap.base.watchdog import WatchdogSettings
from services.derived import with_fields_of
from services.part import Part


@with_fields_of(WatchdogSettings)
class Watchdog(Part):
    """What happens when nothing is heard of the instance, or when its image fails to boot again and again."""

    def settings(self) -> WatchdogSettings:
        """What the stack and the instance go by."""
        return WatchdogSettings(**self.model_dump())
