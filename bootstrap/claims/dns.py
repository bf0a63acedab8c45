"""Moves the DNS record to this zone's address by compare-and-swap.

For: step record, in the background: Route 53's control plane is far away and no condition of the start.
Guarantees: a record that is right is left alone; any other is replaced in one atomic batch that names the old values
exactly, so that a value somebody else wrote in between is never overwritten unseen; between the read and the swap this
instance proves that it holds the lease: who took it before changed the record before, or is seen now (lease_guard).
Does not: decide who may serve (that is the lease's part), or wait until the name servers know (TTL and INSYNC).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import CloudError, NotHolder
from bootstrap.cloud.route53 import RecordSet

log = logging.getLogger(__name__)

FIRST_PAUSE_S = 1.0
LONGEST_PAUSE_S = 20.0


class RecordAction(Enum):
    """What to do about the record."""

    KEEP = "keep"
    CREATE = "create"
    SWAP = "swap"


@dataclass(frozen=True, kw_only=True)
class RecordDecision:
    action: RecordAction
    sentence: str


class RecordStore(Protocol):
    """The calls of route53.Route53 used here."""

    def address_record(self, name: str) -> RecordSet | None: ...

    def swap(self, old: RecordSet | None, new: RecordSet) -> None: ...


def decide_record(seen: RecordSet | None, wanted: RecordSet) -> RecordDecision:
    """Compare what is there with what should be. Pure."""
    address = ", ".join(wanted.values)
    if seen is None:
        return RecordDecision(action=RecordAction.CREATE, sentence=f"{wanted.name} is missing: create {address}")
    if (seen.values, seen.ttl_s) == (wanted.values, wanted.ttl_s):
        return RecordDecision(action=RecordAction.KEEP, sentence=f"{wanted.name} already is {address}")
    old = ", ".join(seen.values) or "an alias"
    return RecordDecision(action=RecordAction.SWAP, sentence=f"{wanted.name} moves from {old} to {address}")


def move_record(
    store: RecordStore, wanted: RecordSet, deadline: Deadline, attempt_s: float, permit: Callable[[], None]
) -> str:
    """Bring the record to `wanted`; how, in one sentence. Tries again until `deadline`: each attempt reads afresh.
    `permit` raises NotHolder unless this instance holds the lease now.
    Raises DeadlineExceeded, StopRequested, CloudError for an error that will not change by itself."""
    pause_s, seen = FIRST_PAUSE_S, "nothing yet"
    started_s = deadline.clock.monotonic()
    while True:
        deadline.check(seen)
        try:
            found = store.address_record(wanted.name)
            decision = decide_record(found, wanted)
            if decision.action is RecordAction.KEEP:
                return decision.sentence
            permit()
            store.swap(found, wanted)
        except NotHolder as refusal:
            seen = str(refusal)
            deadline.pause(pause_s, seen)
        except CloudError as error:
            seen = str(error)
            log.warning("record %s: %s", wanted.name, seen)
            # A role needs a while to spread; after one attempt's time a refusal is the answer.
            if not error.retryable and deadline.clock.monotonic() - started_s > attempt_s:
                raise
            deadline.pause(pause_s, seen)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        else:
            return decision.sentence
