"""What this instance does about EC2's notices: the settings of the service file.

For: bootstrap.base.document and run.notices. Guarantees: pure. Does not: read a notice.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from bootstrap.base.values import Limits

Course = Annotated[
    Literal["replace", "tell"], Limits(says="Replace this instance now, or tell people only", example="replace")
]


Days = Annotated[
    int,
    Limits(
        says="How many days before the deprecation date of its image people are told; 0 tells them on that day",
        example=30,
        least=0,
        most=365,
    ),
]


@dataclass(frozen=True, kw_only=True)
class NoticeSettings:
    """`replace` ends this instance in order and lets the group launch another one at once."""

    spot_interruption: Course = "replace"
    rebalance: Course = "tell"
    scheduled_maintenance: Course = "tell"
    image_deprecation_days: Days = 30
