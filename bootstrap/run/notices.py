"""EC2's notices as parts of the upkeep: what EC2 announces is a drift, and cannot be mended here.

For: the supervisor. Guarantees: with `replace` the instance ends in order, the lease is released and the group launches
another one at once, before EC2 acts; with `tell` it is a trouble, which people hear of, and also when it is over. A
metadata service that does not answer costs `LOOK_S` and is no notice. Does not: know the time; EC2's dates are text.
"""

from __future__ import annotations

from collections.abc import Callable

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import Reason, ServiceError
from bootstrap.base.notices import NoticeSettings
from bootstrap.cloud.imds import MetadataService
from bootstrap.cloud.notices import rebalance, scheduled_events, spot_interruption
from bootstrap.run.upkeep import Part
from bootstrap.run.upkeep_rules import Terms

LOOK_S = 2.0
SPOT_LOOK_S = 5.0  # as AWS recommends
OTHER_LOOK_S = 60.0


def notice_parts(metadata: MetadataService, settings: NoticeSettings) -> list[Part]:
    """The most urgent first."""
    return [
        Notice(metadata, spot_interruption, "spot-interruption", look_s=SPOT_LOOK_S, course=settings.spot_interruption),
        Notice(metadata, rebalance, "rebalance-recommended", look_s=OTHER_LOOK_S, course=settings.rebalance),
        Notice(
            metadata,
            scheduled_events,
            "maintenance-scheduled",
            look_s=OTHER_LOOK_S,
            course=settings.scheduled_maintenance,
        ),
    ]


class Notice:
    """One kind of notice, named like its reason."""

    mend_s = 0.0
    ends_service = False

    def __init__(
        self,
        metadata: MetadataService,
        read: Callable[[MetadataService, Deadline], str],
        reason: Reason,
        *,
        look_s: float,
        course: str,
    ) -> None:
        self._metadata = metadata
        self._read = read
        self.terms = Terms(name=reason, reason=reason, look_s=look_s, is_vital=course == "replace")

    def drift(self, deadline: Deadline) -> str:
        """The notice, in words. Raises SurroundingsError, StopRequested."""
        return self._read(self._metadata, deadline.within(LOOK_S, self.terms.name))

    def mend(self, _deadline: Deadline) -> str:
        """Nobody here can. Never called, as `most_mends` is 0."""
        raise ServiceError(f"{self.terms.name} cannot be mended")
