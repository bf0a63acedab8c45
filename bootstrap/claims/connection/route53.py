"""The connection by a DNS record in Route 53, moved to this zone's address by compare-and-swap.

For: bootstrap.claims.connection. Guarantees: a record that is right is left alone; any other is replaced in one atomic
batch that names the old values exactly, so that a value written in between is never overwritten unseen; a record of
another kind (an alias, a CNAME, one of a set) is nobody's to replace, and an error that says so; between the
read and the swap this instance proves that it holds the lease. So a newer holder either published before that proof,
which then fails, or changes the record after it was read, which makes the swap fail. A request that is still on its way
when the lease is lost fails, too: each generation's record has another TTL, so that a swap that names an older
generation's record no longer matches, even where the address is the same.
Does not: wait until the name servers have the change (TTL and INSYNC), or remove the record: the successor moves it.
Source: Route 53 API reference ChangeResourceRecordSets (DELETE must match name, type, TTL and values; a batch is all or
nothing).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import AgentError, NotHolder, RecordOfAnotherKind
from bootstrap.base.retry import NotYet
from bootstrap.cloud.clients import passes_with_time
from bootstrap.cloud.route53 import RecordSet

TTL_STEPS = 8  # successive generations whose records differ

Permit = Callable[[], None]  # raises NotHolder unless this instance holds the lease now


class RecordAction(Enum):
    """What to do about the DNS record."""

    KEEP = "keep"
    CREATE = "create"
    SWAP = "swap"
    REFUSE = "refuse"


@dataclass(frozen=True, kw_only=True)
class RecordDecision:
    action: RecordAction
    sentence: str


class RecordStore(Protocol):
    """The calls of cloud.route53.Route53 used here."""

    def address_record(self, name: str) -> RecordSet | None: ...

    def swap(self, old: RecordSet | None, new: RecordSet) -> None: ...


class Route53Connection:
    """The A record `name`, leading to `address`. See contract.Connection."""

    def __init__(self, records: RecordStore, *, name: str, address: str, ttl_s: int, permit: Permit) -> None:
        """`ttl_s`: the longest TTL the record may have."""
        self._records = records
        self.name = name
        self._address = address
        self._ttl_s = ttl_s
        self._permit = permit

    def claim(self, generation: int) -> str:
        wanted = self._wanted(generation)
        found = self._records.address_record(self.name)
        decision = _decided(found, wanted)
        if decision.action is not RecordAction.KEEP:
            try:
                self._permit()  # after the read and right before the swap
            except NotHolder as refusal:
                raise NotYet(str(refusal)) from None
            self._records.swap(found, wanted)
        return decision.sentence

    def verify(self, generation: int) -> str:
        found = self._records.address_record(self.name)
        decision = _decided(found, self._wanted(generation))
        return "" if decision.action is RecordAction.KEEP else decision.sentence

    def release(self, _deadline: Deadline) -> list[str]:
        """Nothing to do: without the record clients would get no answer at all until the successor has moved it."""
        return []

    def passes(self, error: AgentError, elapsed_s: float) -> bool:
        return passes_with_time(error, elapsed_s)

    def _wanted(self, generation: int) -> RecordSet:
        return RecordSet(name=self.name, values=(self._address,), ttl_s=record_ttl_s(self._ttl_s, generation))


def decide_record(seen: RecordSet | None, wanted: RecordSet) -> RecordDecision:
    """Compare what is there with what should be. Pure."""
    address = ", ".join(wanted.values)
    if seen is None:
        return RecordDecision(action=RecordAction.CREATE, sentence=f"{wanted.name} is missing: create {address}")
    if seen.other_kind:
        return RecordDecision(action=RecordAction.REFUSE, sentence=f"{wanted.name} is {seen.other_kind}")
    if (seen.values, seen.ttl_s) == (wanted.values, wanted.ttl_s):
        return RecordDecision(action=RecordAction.KEEP, sentence=f"{wanted.name} already is {address}")
    sentence = f"{wanted.name} moves from {', '.join(seen.values)} to {address}"
    return RecordDecision(action=RecordAction.SWAP, sentence=sentence)


def _decided(seen: RecordSet | None, wanted: RecordSet) -> RecordDecision:
    """Raises RecordOfAnotherKind where there is nothing that this instance may change."""
    decision = decide_record(seen, wanted)
    if decision.action is RecordAction.REFUSE:
        raise RecordOfAnotherKind(f"{decision.sentence}, so clients do not find this instance")
    return decision


def record_ttl_s(ttl_s: int, generation: int) -> int:
    """The TTL for `generation`: at most `ttl_s`, at least 1, different for neighbouring generations. Pure."""
    return ttl_s - generation % min(TTL_STEPS, ttl_s)
