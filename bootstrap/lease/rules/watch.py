"""What a newcomer remembers between two looks, and for how long it has seen the same.

For: rules.acquire. Guarantees: "unchanged" counts from when the first read of a content *returned* to when the last one
was *sent*, on the newcomer's own clock, so that no renewal can hide at either end; a new generation forgets all that
was known about the holder before; a look that got no answer adds nothing to any wait. Every other "since" is a spell:
it begins again after a look that did not bring the same answer, and after a gap of more than GAP_S between two such
answers, because two sightings prove nothing about the time between them.
Does not: believe any time written in a lease record.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bootstrap.lease.rules.observation import GONE, GroupAnswer, HolderAnswer, NoAnswer, Observation, Seen
from bootstrap.lease.rules.record import LeaseRecord

GAP_S = 6.0  # two answers further apart than this do not belong to one spell
RENEWALS_MISSED = 3  # a holder unchanged for this many of its periods is not renewing at the moment


@dataclass(frozen=True, kw_only=True)
class Spell:
    """The same answer from `from_s` to `until_s`, at questions never more than GAP_S apart."""

    from_s: float
    until_s: float

    @property
    def length_s(self) -> float:
        return self.until_s - self.from_s


def length_s(spell: Spell | None) -> float:
    """For how long the answer has been the same, 0 where it was not so at the last look."""
    return spell.length_s if spell else 0.0


def _answered(spell: Spell | None, asked_s: float, now_s: float) -> Spell:
    """`spell` with one more answer of the same kind, given at some moment between `asked_s` and `now_s`: it counts from
    when the first one was there to when the last one was asked for."""
    if spell is None or now_s - spell.until_s > GAP_S:
        return Spell(from_s=now_s, until_s=now_s)
    return replace(spell, until_s=max(spell.from_s, asked_s))


def _unanswered(spell: Spell | None, asked_s: float, now_s: float) -> Spell:
    """`spell` with one more question that had no answer from `asked_s` to `now_s`."""
    if spell is None or asked_s - spell.until_s > GAP_S:
        return Spell(from_s=asked_s, until_s=now_s)
    return replace(spell, until_s=now_s)


@dataclass(frozen=True, kw_only=True)
class AcquireMemory:
    """All times on the newcomer's monotonic clock; None: not so at the last look."""

    generation: int = -1
    text: str = ""
    same_from_s: float = 0.0
    same_until_s: float = 0.0
    looked_s: float = 0.0  # when the last look was sent: its answer may be as old as that
    gone: Spell | None = None  # EC2 does not know the holder, and the group does not list it
    silent: Spell | None = None  # EC2 or the group gives no answer
    unlisted: Spell | None = None  # the group does not list this instance
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
    asked_s = observation.asked_s if observation.asked_s is not None else now_s
    is_silent = isinstance(holder, NoAnswer) or isinstance(group, NoAnswer)
    is_unlisted = isinstance(group, GroupAnswer) and group.me is None
    is_plain = not (memory.gone or memory.silent or memory.unlisted)
    if is_plain and not (is_silent or is_unlisted or is_gone(holder, group)):
        return memory
    return replace(
        memory,
        gone=_answered(memory.gone, asked_s, now_s) if is_gone(holder, group) else None,
        silent=_unanswered(memory.silent, asked_s, now_s) if is_silent else None,
        unlisted=_answered(memory.unlisted, asked_s, now_s) if is_unlisted else None,
    )


def is_gone(holder: HolderAnswer | NoAnswer | None, group: GroupAnswer | NoAnswer | None) -> bool:
    """EC2 does not know the holder and, as a second witness, the group does not list it."""
    is_unknown = isinstance(holder, HolderAnswer) and holder.state == GONE
    return is_unknown and isinstance(group, GroupAnswer) and group.holder is None


def _remember_record(memory: AcquireMemory, seen: Seen) -> AcquireMemory:
    if seen.generation != memory.generation:
        return AcquireMemory(
            generation=seen.generation,
            text=seen.text,
            same_from_s=seen.returned_s,
            same_until_s=seen.returned_s,
            looked_s=seen.sent_s,
            unlisted=memory.unlisted,
            waiting_from_s=memory.waiting_from_s,
            surplus_from_s=memory.surplus_from_s,
        )
    if seen.text != memory.text:
        returned_s = seen.returned_s
        return replace(memory, text=seen.text, same_from_s=returned_s, same_until_s=returned_s, looked_s=seen.sent_s)
    return replace(memory, same_until_s=max(memory.same_until_s, seen.sent_s), looked_s=seen.sent_s)


def is_renewing(memory: AcquireMemory, record: LeaseRecord) -> bool:
    """Whether the holder may still be at work. Before the first change it gets the benefit of the doubt as long."""
    return memory.unchanged_s < RENEWALS_MISSED * record.retry_period_s
