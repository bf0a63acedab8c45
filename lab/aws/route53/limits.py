"""How often an account may call: Route 53's token buckets.

For: every door of the control plane asks before it serves. Guarantees: a call takes a token of the account's bucket and
one of its operation's, or none and is refused. Does not: limit other services (inject `throttled` faults instead), or
count record changes ("change throughput").
Source: Route 53 developer guide "Throttling for Amazon Route 53 API requests" (2026: 50 requests at once, 10 per
second; CreateHostedZone 40 and 2); before that, "Quotas": five requests per second per account.
Refused with Throttling, "Rate exceeded".
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

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
