"""What the lab keeps of Route 53: submitted changes, zones that are busy with one, and the account's request limits.

For: the modules of this room. Guarantees: all is read and written under the cloud's lock. Does not: hold records; those
are moto's.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lab.aws.core.cloud import Cloud
from lab.aws.route53.limits import Limits


@dataclass
class Change:
    """A submitted change batch."""

    id: str
    submitted_at: float
    insync_at: float

    def describe(self, now: float) -> dict[str, Any]:
        """As ChangeInfo."""
        return {
            "Id": f"/change/{self.id}",
            "Status": "INSYNC" if now >= self.insync_at else "PENDING",
            "SubmittedAt": datetime.fromtimestamp(self.submitted_at, UTC),
        }


@dataclass
class Route53:
    """Route 53 of one cloud."""

    limits: Limits
    changes: dict[str, Change] = field(default_factory=dict)  # by change id
    busy_zones: dict[str, float] = field(default_factory=dict)  # hosted zone id to when it takes the next change

    @classmethod
    def of(cls, cloud: Cloud) -> Route53:
        """The object that this cloud keeps."""
        return cloud.room(cls, lambda: cls(Limits(cloud.now)))
