"""Faults of the API: errors, delays, lost connections, and work done whose answer is lost.

For: tests, chaos runs and the demo say `control_plane.faults.add(...)`, over HTTP `POST /_lab/faults`
(`endpoint`); ready-made ones are in `presets`. The same book serves `strict_mock_aws`.
Guarantees: a fault hits only calls that match all it says, at most `count` of them, only inside its time window; of
several that match, the oldest one applies; each hit is counted and told as an event; `clear` also releases calls that a
fault is holding back. Does not: delay or hang up, which each door does in its own way; touch a machine's network
(`lab.hardware.network_cuts` does), or the answers of IMDS and DNS.
"""

from __future__ import annotations

import itertools
import random
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.aws.core.cloud import Cloud
from lab.aws.faults.codes import KINDS, Refusal, words

_SERVICES = {"efs": "elasticfilesystem", "monitoring": "cloudwatch"}


@dataclass(frozen=True, kw_only=True)
class ApiCall:
    """What faults and limits look at in a request."""

    service: str  # IAM's prefix, e.g. "ec2", "elasticfilesystem", "cloudwatch"
    action: str  # operation name, e.g. "AttachNetworkInterface"
    caller: str = ""  # ARN, or the access key where it is nobody's
    caller_zone: str = ""  # where the calling instance is; "" for callers that are no instances
    zones: frozenset[str] = frozenset()  # zones of the resources that the request names
    is_internal: bool = False  # made by AWS itself: only faults that mean it by caller or zone apply


@dataclass(kw_only=True)
class Fault:
    """What happens to calls that match. All times in seconds.

    Whom it hits: `service` (IAM's prefix or boto3's name), `action` (regular expression of the whole operation name),
    `caller` (part of the ARN: instance id, role name...), `from_zone` (the caller's zone), `zone` (of a resource that
    the call names); empty matches any. After `skip` matching calls, the next `count` (None: all) are hit, or of those a
    `share`, drawn with `seed`. In force from `starts_in_s` after `add`, for `lasts_s` (None: until removed).

    What happens: the answer waits `delay_s`; then an error - `code` as given, or `kind` (`codes.KINDS`) in the
    service's own words - or the connection is closed (`drop`), or the work is done and then the connection is closed
    (`lose_answer`). Raises ValueError for one that says nothing or contradicts itself.
    """

    name: str = ""
    service: str = ""
    action: str = ".*"
    caller: str = ""
    from_zone: str = ""
    zone: str = ""
    skip: int = 0
    count: int | None = 1
    share: float = 1.0
    seed: int = 1
    starts_in_s: float = 0.0
    lasts_s: float | None = None
    code: str = ""
    kind: str = ""
    message: str = "injected by the lab"
    status: int = 400
    delay_s: float = 0.0
    drop: bool = False
    lose_answer: bool = False
    id: str = field(default="", init=False)
    hits: int = field(default=0, init=False)
    over: threading.Event = field(default_factory=threading.Event, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.service = _SERVICES.get(self.service, self.service)
        outcomes = [bool(self.code), bool(self.kind), self.drop, self.lose_answer]
        if sum(outcomes) > 1:
            raise ValueError("a fault has one outcome: give one of code, kind, drop, lose_answer")
        if not any(outcomes) and not self.delay_s:
            raise ValueError("a fault that does nothing: give code, kind, drop, lose_answer or delay_s")
        if self.kind and self.kind not in KINDS:
            raise ValueError(f"kind {self.kind!r} is unknown: choose from {', '.join(KINDS)}")
        if not 0.0 < self.share <= 1.0:
            raise ValueError(f"share {self.share} must be above 0 and at most 1")
        if self.count is not None and self.count < 1:
            raise ValueError(f"count {self.count} must be at least 1, or null for no limit")
        try:
            re.compile(self.action)
        except re.error as error:
            raise ValueError(f"action {self.action!r} is no regular expression: {error}") from error
        self._random = random.Random(self.seed)
        self._added_at = 0.0
        self._seen = 0

    def begin(self, fault_id: str, now: float) -> None:
        """In force from now on (with `starts_in_s`)."""
        self.id, self._added_at = fault_id, now

    def is_over(self, now: float) -> bool:
        """True when it cannot hit any further call."""
        used_up = self.count is not None and self.hits >= self.count
        late = self.lasts_s is not None and now >= self._added_at + self.starts_in_s + self.lasts_s
        return used_up or late or self.over.is_set()

    def takes(self, call: ApiCall, now: float) -> bool:
        """True when this call is hit; counts it."""
        if self.is_over(now) or now < self._added_at + self.starts_in_s or not self.matches(call):
            return False
        self._seen += 1
        if self._seen <= self.skip or (self.share < 1.0 and self._random.random() >= self.share):
            return False
        self.hits += 1
        return True

    def matches(self, call: ApiCall) -> bool:
        """True when this fault is meant for the call, whatever has been hit already."""
        if call.is_internal and not (self.zone or self.caller):
            return False
        return (
            self.service in ("", call.service)
            and self.caller in call.caller
            and self.from_zone in ("", call.caller_zone)
            and (not self.zone or self.zone in call.zones)
            and re.fullmatch(self.action, call.action) is not None
        )

    @property
    def outcome(self) -> str:
        """The outcome in a word or two, for events and displays."""
        return self.code or self.kind or ("drop" if self.drop else "answer lost" if self.lose_answer else "delay")


class Faults:
    """The faults in force, on the control plane's clock (seconds). Thread-safe."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._lock = threading.Lock()
        self._faults: list[Fault] = []
        self._numbers = itertools.count(1)

    @classmethod
    def of(cls, cloud: Cloud) -> Faults:
        """The object that this cloud keeps."""
        return cloud.room(cls, lambda: cls(cloud.now))

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force; returns it, so that its `hits` can be read."""
        with self._lock:
            fault.begin(f"f-{next(self._numbers)}", self._now())
            self._faults.append(fault)
        return fault

    def remove(self, fault_id: str) -> bool:
        """End one fault; False when there is none of that id."""
        with self._lock:
            found = [fault for fault in self._faults if fault.id == fault_id]
            self._faults = [fault for fault in self._faults if fault.id != fault_id]
        for fault in found:
            fault.over.set()
        return bool(found)

    def clear(self) -> None:
        """Remove all faults; calls that a fault delays continue at once."""
        with self._lock:
            ended, self._faults = self._faults, []
        for fault in ended:
            fault.over.set()

    def in_force(self) -> list[Fault]:
        """All faults that were added and not removed, oldest first, the used-up ones included (for their hits)."""
        with self._lock:
            return list(self._faults)

    def take(self, call: ApiCall) -> Fault | None:
        """The fault for this call, counted; None when there is none."""
        now = self._now()
        with self._lock:
            return next((fault for fault in self._faults if fault.takes(call, now)), None)


def strike(cloud: Cloud, call: ApiCall) -> Fault | None:
    """The fault that hits this call, counted and told as an event, or None."""
    fault = Faults.of(cloud).take(call)
    if fault is not None:
        who = f" from {call.caller}" if call.caller else ""
        cloud.event("fault", f"{call.service}:{call.action}", f"{fault.outcome}{who}")
    return fault


def refusal(fault: Fault, call: ApiCall) -> Refusal | None:
    """The error answer that a fault gives, or None when it gives none."""
    if fault.kind:
        return words(fault.kind, call.service, call.action, call.caller)
    return Refusal(fault.code, fault.status, fault.message) if fault.code else None
