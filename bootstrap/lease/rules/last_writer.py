"""Whether a holder may write to the data, by what the data say of who wrote to them last. Pure.

For: lease.entering. The lease directory may have been emptied, or restored from an older backup, while the data stayed:
then a generation was published whose number says nothing about the last writer, who may still be at work. Guarantees: a
holder is the successor of the last writer only if every takeover in between is there to be seen, each record naming the
one before it; a higher number alone proves nothing. A floor puts the last writer back into the lease directory, above
every number used, and not released: whoever takes over from there has to prove by the ordinary rules that it is gone.
Does not: read or write anything.
"""

from __future__ import annotations

from dataclasses import replace
from enum import Enum

from bootstrap.lease.rules.record import LeaseRecord

FLOOR = "floor"  # the ground of such a record


class Descent(Enum):
    """What one record says about the way from the last writer to it."""

    PROVEN = "proven"
    BROKEN = "broken"
    FURTHER = "further"  # the record before it has to say


def descent(record: LeaseRecord, last: LeaseRecord | None) -> Descent:
    """Whether `record` is that of the last writer, or was taken over from it. `last` None: nobody has written yet."""
    if last is None or last.nonce in (record.nonce, record.follows):
        return Descent.PROVEN
    return Descent.FURTHER if record.generation > last.generation else Descent.BROKEN


def is_before(record: LeaseRecord, before: LeaseRecord | None) -> bool:
    """Whether `before` is the record that `record` was taken over from. An older agent did not say which that was."""
    return before is not None and record.follows in ("", before.nonce)


def floor(last: LeaseRecord, highest: int, *, nonce: str, at: str = "") -> LeaseRecord:
    """The record to publish so that `last` counts as the holder, above it and above `highest`."""
    return replace(
        last,
        generation=max(last.generation, highest) + 1,
        nonce=nonce,
        follows=last.nonce,
        is_released=False,
        ground=FLOOR,
        written_at=at,
    )
