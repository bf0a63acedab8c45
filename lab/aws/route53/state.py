"""What the lab keeps of Route 53: submitted changes, zones that are busy with one, and the account's token buckets.

For: the modules of this room; every door of the control plane asks the limits before it serves. Guarantees: all is read
and written under the cloud's lock; a call takes a token of the account's bucket and one of its operation's, or none and
is refused (Throttling, "Rate exceeded"). Does not: hold records, which are moto's; limit other services (inject
`throttled` faults instead), or count record changes ("change throughput").
Source: Route 53 developer guide "Throttling for Amazon Route 53 API requests" (2026: 50 requests at once, 10 per
second; CreateHostedZone 40 and 2); before that, "Quotas": five requests per second per account.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lab.aws.core.cloud import Cloud
from lab.aws.core.timing import Timing
from lab.aws.faults.faults import ApiCall

_OWN_BUCKETS = {"CreateHostedZone": (40.0, 2.0)}


@dataclass
class Bucket:
    """Tokens that come back at `rate_per_s` up to `size`."""

    size: float
    rate_per_s: float
    tokens: float
    at: float

    def fill(self, now: float) -> None:
        """What has come back since the last look."""
        self.tokens = min(self.size, self.tokens + (now - self.at) * self.rate_per_s)
        self.at = now


class Limits:
    """The buckets of one account. Not thread-safe: call under the cloud's lock."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._buckets: dict[str, Bucket] = {}

    def refuses(self, call: ApiCall, timing: Timing) -> bool:
        """True when the call is one too many; otherwise its tokens are taken. No limit where the rate is 0."""
        if call.service != "route53" or not timing.route53_rate_per_s:
            return False
        ours = (timing.route53_burst, timing.route53_rate_per_s)
        own = _OWN_BUCKETS.get(call.action, ours)
        used = [self._bucket("account", ours), self._bucket(call.action, (min(own[0], ours[0]), min(own[1], ours[1])))]
        if any(bucket.tokens < 1.0 for bucket in used):
            return True
        for bucket in used:
            bucket.tokens -= 1.0
        return False

    def _bucket(self, name: str, shape: tuple[float, float]) -> Bucket:
        bucket = self._buckets.setdefault(name, Bucket(shape[0], shape[1], shape[0], self._now()))
        bucket.fill(self._now())
        return bucket


@dataclass
class Change:
    """A submitted change batch."""

    id: str
    submitted_at: float
    insync_at: float
    comment: str | None = None

    def describe(self, now: float) -> dict[str, Any]:
        return {
            "Id": f"/change/{self.id}",
            "Status": "INSYNC" if now >= self.insync_at else "PENDING",
            "SubmittedAt": datetime.fromtimestamp(self.submitted_at, UTC),
            "Comment": self.comment,
        }


@dataclass
class Route53:
    limits: Limits
    changes: dict[str, Change] = field(default_factory=dict)  # by change id
    busy_zones: dict[str, float] = field(default_factory=dict)  # hosted zone id to when it takes the next change

    @classmethod
    def of(cls, cloud: Cloud) -> Route53:
        """The object that this cloud keeps."""
        return cloud.room(cls, lambda: cls(Limits(cloud.now)))
