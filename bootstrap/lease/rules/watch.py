"""What a newcomer remembers between two looks, and how long it has seen the same.

For: lease_acquire. Guarantees: "unchanged" counts from when the first read of a content *returned* to when the last one
was *sent*, on the newcomer's own clock, so that no renewal can hide at either end; a new generation forgets all that
was known about the holder before; a look that got no answer adds nothing to any wait.
Does not: believe any time written in a record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bootstrap.lease.rules.observation import GONE, GroupAnswer, HolderAnswer, NoAnswer, Observation, Seen
from bootstrap.lease.rules.record import LeaseRecord

RENEWALS_MISSED = 3  # a holder unchanged for this many of its periods is not renewing at the moment


@dataclass(frozen=True, kw_only=True)
class AcquireMemory:
    """All times on the newcomer's monotonic clock; None: not so at the last look."""

    generation: int = -1
    text: str = ""
    same_from_s: float = 0.0
    same_until_s: float = 0.0
    looked_s: float = 0.0  # when the last look returned
    gone_from_s: float | None = None
    silent_from_s: float | None = None  # EC2 or the group give no answer
    unlisted_from_s: float | None = None  # the group does not know me
    asked_s: float | None = None  # first request to terminate this holder
    surplus_from_s: float | None = None
    drain_from_s: float | None = None  # the holder is leaving and renews
    waiting_from_s: float | None = None  # towards the takeover deadline; not while surplus or while the holder drains

    @property
    def unchanged_s(self) -> float:
        """For how long the record is known not to have changed."""
        return max(0.0, self.same_until_s - self.same_from_s)


def remember(memory: AcquireMemory, observation: Observation, now_s: float) -> AcquireMemory:
    """`memory` with what this look adds."""
    seen = observation.seen
    if not isinstance(seen, NoAnswer):
        memory = _remember_record(memory, seen)
    holder, group = observation.holder, observation.group
    is_silent = isinstance(holder, NoAnswer) or isinstance(group, NoAnswer)
    gone_s, unlisted_s = memory.gone_from_s, memory.unlisted_from_s
    if isinstance(holder, HolderAnswer):
        gone_s = _since(gone_s, now_s) if holder.state == GONE else None
    if isinstance(group, GroupAnswer):
        unlisted_s = _since(unlisted_s, now_s) if group.me is None else None
    silent_s = _since(memory.silent_from_s, now_s) if is_silent else None
    if (gone_s, unlisted_s, silent_s) == (memory.gone_from_s, memory.unlisted_from_s, memory.silent_from_s):
        return memory
    return replace(memory, gone_from_s=gone_s, unlisted_from_s=unlisted_s, silent_from_s=silent_s)


def _remember_record(memory: AcquireMemory, seen: Seen) -> AcquireMemory:
    if seen.generation != memory.generation:
        return AcquireMemory(
            generation=seen.generation,
            text=seen.text,
            same_from_s=seen.returned_s,
            same_until_s=seen.returned_s,
            looked_s=seen.returned_s,
            unlisted_from_s=memory.unlisted_from_s,
            waiting_from_s=memory.waiting_from_s,
            surplus_from_s=memory.surplus_from_s,
        )
    if seen.text != memory.text:
        returned_s = seen.returned_s
        return replace(memory, text=seen.text, same_from_s=returned_s, same_until_s=returned_s, looked_s=returned_s)
    return replace(memory, same_until_s=max(memory.same_until_s, seen.sent_s), looked_s=seen.returned_s)


def _since(earlier_s: float | None, now_s: float) -> float:
    return now_s if earlier_s is None else earlier_s


def is_renewing(memory: AcquireMemory, record: LeaseRecord) -> bool:
    """Whether the holder may still be at work. Before the first change it gets the benefit of the doubt as long."""
    return memory.unchanged_s < RENEWALS_MISSED * record.retry_period_s
