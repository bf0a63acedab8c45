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

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise

from lab.chaos.history import Generation, History, ServerWrite

NAMED = 5  # how many examples a sentence gives


@dataclass(frozen=True)
class Violation:
    """`rule` is a word to compare runs by, `sentence` is for people."""

    rule: str
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Stretch:
    """Consecutive writes of one machine."""

    machine: str
    first_s: float
    writes: int


def check(history: History) -> tuple[Violation, ...]:
    """All violations; empty if no rule was broken."""
    return tuple(Violation(rule, sentence) for rule, found in RULES for sentence in found(history))


def stretches(writes: Iterable[ServerWrite]) -> tuple[Stretch, ...]:
    """The writes in the order of arrival, cut where the machine changes."""
    ordered = sorted(writes, key=lambda one: one.at_s)
    found = ((machine, list(run)) for machine, run in groupby(ordered, key=lambda one: one.machine))
    return tuple(Stretch(machine=machine, first_s=run[0].at_s, writes=len(run)) for machine, run in found)


def _unread(history: History) -> Iterator[str]:
    if history.stored is None:
        yield "the service could not be asked at the end what it has stored"


def _lost(history: History) -> Iterator[str]:
    stored = history.stored
    lost = [
        f"{writer} #{seq}"
        for writer in sorted(history.acknowledged)
        for seq in sorted(history.acknowledged[writer])
        if stored is not None and not stored.get(writer, {}).get(seq)
    ]
    if lost:
        yield f"{len(lost)} acknowledged writes are not stored: {_some(lost)}"


def _duplicated(history: History) -> Iterator[str]:
    twice = [
        f"{writer} #{seq} ({count} times)"
        for writer, numbers in sorted((history.stored or {}).items())
        for seq, count in sorted(numbers.items())
        if count > 1
    ]
    if twice:
        yield f"{len(twice)} writes are stored more than once: {_some(twice)}"


def _overlap(history: History) -> Iterator[str]:
    found = stretches(history.writes)
    carried: int | None = None
    for stretch in found:
        mine = _held(history.generations, stretch.machine, stretch.first_s)
        higher = [number for number in mine if carried is None or number > carried]
        if not higher:
            yield _two_writers(found, stretch, carried)
            return
        carried = min(higher)


def _two_writers(found: Sequence[Stretch], guilty: Stretch, carried: int | None) -> str:
    others = [stretch for stretch in found if stretch.machine != guilty.machine and stretch.first_s < guilty.first_s]
    lease = "" if carried is None else f" and held no generation above {carried}"
    before = f" after {others[-1].machine} had written from {others[-1].first_s:.2f} s on" if others else ""
    return f"{guilty.machine} wrote {guilty.writes} times at {guilty.first_s:.2f} s{before}{lease}"


def _late(history: History) -> Iterator[str]:
    """Writes of a machine after another machine's higher generation was seen."""
    for newer in history.generations:
        late = [
            write
            for write in history.writes
            if write.at_s > newer.seen_s
            and max(_held(history.generations, write.machine, write.at_s), default=-1) < newer.number
        ]
        if late:
            yield (
                f"{late[0].machine} wrote {len(late)} times after generation {newer.number} of {newer.holder} "
                f"was published, the last time {late[-1].at_s - newer.seen_s:.2f} s later"
            )


def _held(generations: Sequence[Generation], machine: str, at_s: float) -> list[int]:
    """The generations that a machine can have held at that moment or before."""
    return [one.number for one in generations if one.holder == machine and one.offered_s <= at_s]


def _generation_back(history: History) -> Iterator[str]:
    ordered = sorted(history.generations, key=lambda one: one.seen_s)
    for before, after in pairwise(ordered):
        if after.number <= before.number:
            yield (
                f"generation {after.number} of {after.holder} was published at {after.seen_s:.2f} s, "
                f"after generation {before.number} of {before.holder}"
            )
    owners: dict[int, str] = {}
    for one in ordered:
        if owners.setdefault(one.number, one.holder) != one.holder:
            yield f"both {owners[one.number]} and {one.holder} published generation {one.number}"


def _reported_back(history: History) -> Iterator[str]:
    for before, after in pairwise(sorted(history.reported, key=lambda one: one.seen_s)):
        if after.number < before.number:
            yield (
                f"the state parameter said generation {after.number} ({after.instance_id}) "
                f"at {after.seen_s:.2f} s, after {before.number} ({before.instance_id})"
            )
            return


def _unreachable(history: History) -> Iterator[str]:
    if history.reachable_s is None:
        why = history.trouble or "nothing is known"
        yield f"the service did not answer by name within {history.bound_s:.0f} s after the faults: {why}"
    elif (took_s := history.reachable_s - history.faults_end_s) > history.bound_s:
        yield f"the service answered by name {took_s:.1f} s after the faults, later than {history.bound_s:.0f} s"


def _misreported(history: History) -> Iterator[str]:
    """The service answers, but what the product says of itself is wrong and stays so."""
    if history.reachable_s is not None and history.told_s is None:
        yield f"the service serves, but what is reported of it stays wrong: {history.trouble}"


def _blind(history: History) -> Iterator[str]:
    """A recorder that saw nothing proves nothing."""
    acknowledged = sum(len(numbers) for numbers in history.acknowledged.values())
    if not acknowledged:
        yield "no write was acknowledged in the whole run"
    if acknowledged and not history.writes:
        yield f"{acknowledged} writes were acknowledged, none was seen at the file server"
    if not history.generations:
        yield "no generation of the lease was seen"
    if history.frames_lost:
        yield f"the capture at the file server lost {history.frames_lost} frames"
    if history.reports_lost:
        yield f"the writers dropped {history.reports_lost} reports"


# The word of each rule, and what finds the sentences about it.
RULES: tuple[tuple[str, Callable[[History], Iterator[str]]], ...] = (
    ("unread", _unread),
    ("lost", _lost),
    ("duplicated", _duplicated),
    ("overlap", _overlap),
    ("late-write", _late),
    ("generation", _generation_back),
    ("generation", _reported_back),
    ("unreachable", _unreachable),
    ("misreported", _misreported),
    ("blind", _blind),
)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", ..." if len(names) > NAMED else "")
