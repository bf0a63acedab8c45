"""EC2's notices in the service file.

For: services.spec. Guarantees: fields, defaults and meanings are those of bootstrap.base.notices.
Does not: say what a notice looks like; bootstrap.cloud.notices does.
"""

from __future__ import annotations

from bootstrap.base.notices import NoticeSettings
from services.derived import with_fields_of
from services.part import Part


@with_fields_of(NoticeSettings)
class Notices(Part):
    """What the instance does when EC2 announces to interrupt, stop or reboot it."""

    def settings(self) -> NoticeSettings:
        """What the boot document says."""
        return NoticeSettings(**self.model_dump())
