"""What a holder must check right before it touches something that others use: network interface, record. Pure.

For: the steps network-interface and record, again before every request and every retry of one. Order for the record:
read the record, then look into the lease directory, then `may_touch`, then swap. A newer holder either published before
that look, which refuses, or changes the record after it was read, which makes the swap fail.
Guarantees: an instance that slept through its deadline or its successor's publication touches nothing.
Does not: help against a request already on its way; for that, `record_ttl_s` gives each generation a record that
differs from that of the last ones even where the address is the same, so that a swap that names an old one fails.
Source: Route 53 API reference ChangeResourceRecordSets (DELETE must match name, type, TTL and values; one batch is
all or nothing).
"""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap.lease.rules.observation import NoAnswer, Seen
from bootstrap.lease.rules.renew import Hold

TTL_STEPS = 8  # successive generations whose records differ


@dataclass(frozen=True, kw_only=True)
class Permission:
    is_given: bool
    sentence: str


def may_touch(hold: Hold, highest: Seen | NoAnswer, *, now_s: float) -> Permission:
    """Whether the holder of `hold` may still act on what others use, from a look fresher than what it acts upon."""
    name = f"generation {hold.record.generation}"
    if now_s >= hold.deadline_s:
        return Permission(is_given=False, sentence=f"{name} is past its deadline: nothing is touched")
    if isinstance(highest, NoAnswer):
        sentence = f"{name} cannot be verified ({highest.reason}): nothing is touched"
        return Permission(is_given=False, sentence=sentence)
    if highest.generation != hold.record.generation:
        sentence = f"{name} is not the highest, there is generation {highest.generation}: nothing is touched"
        return Permission(is_given=False, sentence=sentence)
    if highest.record is None or highest.record.nonce != hold.record.nonce:
        return Permission(is_given=False, sentence=f"{name} is somebody else's: nothing is touched")
    return Permission(is_given=True, sentence=f"{name} is mine and the highest")


def record_ttl_s(ttl_s: int, generation: int) -> int:
    """The record's TTL for `generation`: at most `ttl_s`, at least 1, different for neighbouring generations."""
    return ttl_s - generation % min(TTL_STEPS, ttl_s)
