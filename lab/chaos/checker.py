"""Finds every violation in a history. Pure.

For: `lab.chaos.runs` and the tests. Guarantees: every rule of docs/chaos.md is one function here and has a test that
breaks it on purpose; a history that could not have shown a violation (nothing acknowledged, nothing seen at the server,
frames lost) is a violation itself. Does not: explain; `Violation.sentence` says what was seen.

One writer, exactly: order all data WRITEs by their arrival at the server and cut them into stretches of one machine.
The stretches must carry strictly increasing generations: each takes the smallest generation that its machine had begun
to publish when the stretch began and that is higher than that of the stretch before. Two machines writing in turns run
out of generations at once. Besides, no machine may write after a higher generation of another machine was seen in the
lease directory, whether or not that one has written yet. Both need no agreement of clocks: there is one, the lab's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from lab.chaos.history import Generation, History, ServerWrite

NAMED = 5  # how many examples a sentence gives


@dataclass(frozen=True, kw_only=True)
class Violation:
    """`rule` is a word to compare runs by, `sentence` is for people."""

    rule: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Consecutive writes of one machine."""

    machine: str
    first_s: float
    last_s: float
    writes: int


def check(history: History) -> tuple[Violation, ...]:
    """All violations; empty if no rule was broken."""
    return tuple(violation for rule in RULES for violation in rule(history))


def stretches(writes: Iterable[ServerWrite]) -> tuple[Stretch, ...]:
    """The writes in the order of arrival, cut where the machine changes."""
    found: list[Stretch] = []
    for write in sorted(writes, key=lambda one: one.at_s):
        if found and found[-1].machine == write.machine:
            last = found.pop()
            found.append(Stretch(machine=last.machine, first_s=last.first_s, last_s=write.at_s, writes=last.writes + 1))
        else:
            found.append(Stretch(machine=write.machine, first_s=write.at_s, last_s=write.at_s, writes=1))
    return tuple(found)


def _lost(history: History) -> list[Violation]:
    if history.stored is None:
        return [_violation("unread", "the service could not be asked at the end what it has stored")]
    lost = [
        f"{writer} #{seq}"
        for writer in sorted(history.acknowledged)
        for seq in sorted(history.acknowledged[writer])
        if not history.stored.get(writer, {}).get(seq)
    ]
    return [_violation("lost", f"{len(lost)} acknowledged writes are not stored: {_some(lost)}")] if lost else []


def _duplicated(history: History) -> list[Violation]:
    twice = [
        f"{writer} #{seq} ({count} times)"
        for writer, numbers in sorted((history.stored or {}).items())
        for seq, count in sorted(numbers.items())
        if count > 1
    ]
    return [_violation("duplicated", f"{len(twice)} writes are stored more than once: {_some(twice)}")] if twice else []


def _overlap(history: History) -> list[Violation]:
    found = stretches(history.writes)
    carried: int | None = None
    for stretch in found:
        mine = _held(history.generations, stretch.machine, stretch.first_s)
        higher = [number for number in mine if carried is None or number > carried]
        if not higher:
            return [_violation("overlap", _two_writers(found, stretch, carried))]
        carried = min(higher)
    return []


def _two_writers(found: Sequence[Stretch], guilty: Stretch, carried: int | None) -> str:
    others = [stretch for stretch in found if stretch.machine != guilty.machine and stretch.first_s < guilty.first_s]
    lease = "" if carried is None else f" and held no generation above {carried}"
    before = f" after {others[-1].machine} had written from {others[-1].first_s:.2f} s on" if others else ""
    return f"{guilty.machine} wrote {guilty.writes} times at {guilty.first_s:.2f} s{before}{lease}"


def _late(history: History) -> list[Violation]:
    """Writes of a machine after another machine's higher generation was seen."""
    found = []
    for newer in history.generations:
        late = [
            write
            for write in history.writes
            if write.at_s > newer.seen_s
            and max(_held(history.generations, write.machine, write.at_s), default=-1) < newer.number
        ]
        if late:
            found.append(
                _violation(
                    "late-write",
                    f"{late[0].machine} wrote {len(late)} times after generation {newer.number} of {newer.holder} "
                    f"was published, the last time {late[-1].at_s - newer.seen_s:.2f} s later",
                )
            )
    return found


def _held(generations: Sequence[Generation], machine: str, at_s: float) -> list[int]:
    """The generations that a machine can have held at that moment or before."""
    return [one.number for one in generations if one.holder == machine and one.offered_s <= at_s]


def _generation_back(history: History) -> list[Violation]:
    found = []
    ordered = sorted(history.generations, key=lambda one: one.seen_s)
    for before, after in pairwise(ordered):
        if after.number <= before.number:
            found.append(
                _violation(
                    "generation",
                    f"generation {after.number} of {after.holder} was published at {after.seen_s:.2f} s, "
                    f"after generation {before.number} of {before.holder}",
                )
            )
    owners: dict[int, str] = {}
    for one in ordered:
        if owners.setdefault(one.number, one.holder) != one.holder:
            found.append(
                _violation(
                    "generation", f"both {owners[one.number]} and {one.holder} published generation {one.number}"
                )
            )
    return found


def _reported_back(history: History) -> list[Violation]:
    for before, after in pairwise(sorted(history.reported, key=lambda one: one.seen_s)):
        if after.number < before.number:
            return [
                _violation(
                    "generation",
                    f"the state parameter said generation {after.number} ({after.instance_id}) "
                    f"at {after.seen_s:.2f} s, after {before.number} ({before.instance_id})",
                )
            ]
    return []


def _unreachable(history: History) -> list[Violation]:
    if history.reachable_s is None:
        return [
            _violation(
                "unreachable",
                f"the service did not answer by name within {history.bound_s:.0f} s after the faults: "
                f"{history.trouble or 'nothing is known'}",
            )
        ]
    took_s = history.reachable_s - history.faults_end_s
    if took_s > history.bound_s:
        return [
            _violation(
                "unreachable",
                f"the service answered by name {took_s:.1f} s after the faults, later than {history.bound_s:.0f} s",
            )
        ]
    return []


def _misreported(history: History) -> list[Violation]:
    """The service answers, but what the product says of itself is wrong and stays so."""
    if history.reachable_s is None or history.told_s is not None:
        return []
    return [_violation("misreported", f"the service serves, but what is reported of it stays wrong: {history.trouble}")]


def _blind(history: History) -> list[Violation]:
    """A recorder that saw nothing proves nothing."""
    acknowledged = sum(len(numbers) for numbers in history.acknowledged.values())
    found = []
    if not acknowledged:
        found.append(_violation("blind", "no write was acknowledged in the whole run"))
    if acknowledged and not history.writes:
        found.append(_violation("blind", f"{acknowledged} writes were acknowledged, none was seen at the file server"))
    if not history.generations:
        found.append(_violation("blind", "no generation of the lease was seen"))
    if history.frames_lost:
        found.append(_violation("blind", f"the capture at the file server lost {history.frames_lost} frames"))
    if history.reports_lost:
        found.append(_violation("blind", f"the writers dropped {history.reports_lost} reports"))
    return found


RULES: tuple[Callable[[History], list[Violation]], ...] = (
    _lost,
    _duplicated,
    _overlap,
    _late,
    _generation_back,
    _reported_back,
    _unreachable,
    _misreported,
    _blind,
)


def _violation(rule: str, sentence: str) -> Violation:
    return Violation(rule=rule, sentence=sentence)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
