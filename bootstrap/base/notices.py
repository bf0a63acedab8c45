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


@dataclass(frozen=True, kw_only=True)
class NoticeSettings:
    """`replace` ends this instance in order and lets the group launch another one at once."""

    spot_interruption: Course = "replace"
    rebalance: Course = "tell"
    scheduled_maintenance: Course = "tell"
