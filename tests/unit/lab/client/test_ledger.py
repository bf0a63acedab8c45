"""The ledger of writes, its outage and the verdict over lost writes, with planted defects that must be seen."""

import json
from collections.abc import Callable, Sequence

import pytest

from lab.client.check import CheckFailed, Numbers, Verdict, compare, parse_counts
from lab.client.ledger import Ledger, Outage, outage, per_second


def report(seq: int, outcome: str = "acknowledged", *, writer: str = "w1", ago_s: float = 0.0) -> dict[str, object]:
    return {"writer": writer, "seq": seq, "outcome": outcome, "ago_s": ago_s, "address": "10.0.100.10", "detail": "why"}


def test_only_acknowledged_writes_count_as_acknowledged() -> None:
    ledger = Ledger()
    for seq, outcome in enumerate(("acknowledged", "refused", "unknown", "unreachable", "unresolved"), 1):
        ledger.add(report(seq, outcome), 100.0)
    assert ledger.acknowledged() == {"w1": frozenset({1})}
    seen = ledger.snapshot(100.0)
    assert (seen.attempts, seen.acknowledged) == (5, 1)
    assert seen.last_trouble == "unresolved at 10.0.100.10: why"


def test_a_report_sent_again_after_a_reconnect_counts_once() -> None:
    ledger = Ledger()
    for now_s in (100.0, 103.0):
        ledger.add(report(1), now_s)
    assert ledger.times_s() == (100.0,)


def test_a_late_report_is_dated_back() -> None:
    ledger = Ledger()
    ledger.add(report(2), 105.0)
    ledger.add(report(1, ago_s=4.0), 105.0)
    assert ledger.times_s() == (101.0, 105.0)


def test_the_snapshot_tells_rate_and_gap() -> None:
    ledger = Ledger()
    for n in range(20):
        ledger.add(report(n), 100.0 + n / 10)
    ledger.add({"dropped": 3}, 102.0)
    seen = ledger.snapshot(104.5, window_s=6)
    assert seen.per_second == (0, 0, 10, 10, 0, 0)
    assert seen.last_acknowledged_s == pytest.approx(101.9)
    assert seen.current_gap_s == pytest.approx(2.6)
    assert seen.dropped == 3


def test_acknowledged_writes_can_be_asked_for_by_time() -> None:
    ledger = Ledger()
    for n in range(5):
        ledger.add(report(n, writer=f"w{n % 2}"), 100.0 + n)
    assert ledger.acknowledged(101.0, 103.0) == {"w0": frozenset({2}), "w1": frozenset({1})}


@pytest.mark.parametrize(
    "line",
    [
        {},
        {"writer": "w1", "seq": "x", "outcome": "acknowledged", "ago_s": 0},
        {"writer": "w1", "seq": 1, "outcome": "probably", "ago_s": 0},
        {"writer": "w1", "seq": 1, "outcome": "acknowledged", "ago_s": "nan"},
        {"dropped": "many"},
    ],
)
def test_what_is_no_report_is_refused(line: dict[str, object]) -> None:
    ledger = Ledger()
    with pytest.raises(ValueError):  # noqa: PT011 - the collector counts every kind alike
        ledger.add(line, 100.0)
    assert ledger.snapshot(100.0).attempts == 0


def test_per_second_cuts_the_last_second_short() -> None:
    assert per_second([0.5, 1.0, 1.9, 2.2, 2.7], 0.0, 2.5) == (1, 2, 1)
    assert per_second([], 5.0, 5.0) == ()


OUTAGES = [
    pytest.param((1, 2, 9, 10), 2.5, 10.0, Outage(start_s=2, end_s=9, duration_s=7, silent_at_end_s=0), id="plain"),
    pytest.param((1, 2, 3, 9, 10), 2.5, 10.0, Outage(start_s=3, end_s=9, duration_s=6, silent_at_end_s=0),
                 id="service stops some time after the event"),
    pytest.param((1, 8, 9, 12), 8.5, 12.0, Outage(start_s=9, end_s=12, duration_s=3, silent_at_end_s=0),
                 id="an older and longer gap is not this scene's"),
    pytest.param((1, 5, 6, 20), 2.0, 7.0, Outage(start_s=1, end_s=5, duration_s=4, silent_at_end_s=1),
                 id="a later gap is not this scene's"),
    pytest.param((12, 13), 4.0, 13.0, Outage(start_s=4, end_s=12, duration_s=8, silent_at_end_s=0), id="first boot"),
    pytest.param((1, 2), 2.5, 30.0, Outage(start_s=2, end_s=None, duration_s=28, silent_at_end_s=28), id="never back"),
    pytest.param((), 2.5, 30.0, Outage(start_s=2.5, end_s=None, duration_s=27.5, silent_at_end_s=27.5), id="no writes"),
    pytest.param((1, 2, 9, 9.5), 2.5, 14.0, Outage(start_s=2, end_s=9, duration_s=7, silent_at_end_s=4.5),
                 id="back, but away again at the end"),
]  # fmt: skip

Compute = Callable[[Sequence[float], float, float], Outage]


@pytest.mark.parametrize(("times_s", "event_s", "end_s", "expected"), OUTAGES)
def test_the_outage_is_measured(times_s: tuple[float, ...], event_s: float, end_s: float, expected: Outage) -> None:
    assert outage(times_s, event_s, end_s) == expected


def from_the_event(times_s: Sequence[float], event_s: float, end_s: float) -> Outage:
    """Defect: measures from the event instead of from the last acknowledged write."""
    after_s = next((at_s for at_s in times_s if at_s > event_s), None)
    stop_s = end_s if after_s is None else after_s
    return Outage(start_s=event_s, end_s=after_s, duration_s=stop_s - event_s, silent_at_end_s=0)


def closed_only(times_s: Sequence[float], event_s: float, end_s: float) -> Outage:
    """Defect: takes the longest interval between two writes, so a service that never came back looks fine."""
    right = outage(times_s, event_s, max((*times_s, event_s)))
    return right if right.end_s is not None else Outage(start_s=0, end_s=0, duration_s=0, silent_at_end_s=0)


def of_all_time(times_s: Sequence[float], event_s: float, end_s: float) -> Outage:
    """Defect: finds the longest gap ever, whatever the scene."""
    return outage(times_s, min((*times_s, event_s)) - 0.001, max((*times_s, end_s)))


@pytest.mark.parametrize("broken", [from_the_event, closed_only, of_all_time])
def test_a_broken_outage_computation_is_seen_by_the_cases(broken: Compute) -> None:
    wrong = [case.id for case in OUTAGES if broken(*case.values[:3]) != case.values[3]]
    assert wrong, f"no case tells {broken.__name__} from the right one"


# ------------------------------------------------------------------ the verdict
CASES = [
    pytest.param({"w1": {1, 2, 3}}, {"w1": {1, 2, 3}}, (3, (), 0), id="all there"),
    pytest.param({"w1": {1, 2, 3}}, {"w1": {1, 3}}, (3, (("w1", 2),), 0), id="one lost in the middle"),
    pytest.param({"w1": {1, 2, 3}}, {"w1": {1, 2}}, (3, (("w1", 3),), 0), id="the last one lost"),
    pytest.param({"w1": {1}, "w2": {1}}, {"w1": {1}}, (2, (("w2", 1),), 0), id="a whole writer lost"),
    pytest.param({"w1": {1}, "w2": {2}}, {"w1": {2}, "w2": {1}}, (2, (("w1", 1), ("w2", 2)), 2), id="of other writers"),
    pytest.param({"w1": {1}}, {"w1": {1, 2}}, (1, (), 1), id="one in doubt is stored"),
    pytest.param({"w1": {1, 2}}, {"w1": {1, 7}}, (2, (("w1", 2),), 1), id="as many as expected, but not the same"),
    pytest.param({}, {}, (0, (), 0), id="nothing"),
]

Checker = Callable[[Numbers, Numbers], Verdict]


def outcome(checker: Checker, acknowledged: Numbers, stored: Numbers) -> tuple[int, tuple[tuple[str, int], ...], int]:
    verdict = checker(acknowledged, stored)
    return verdict.acknowledged, verdict.lost, verdict.unacknowledged


@pytest.mark.parametrize(("acknowledged", "stored", "expected"), CASES)
def test_each_pair_has_its_verdict(acknowledged: Numbers, stored: Numbers, expected: tuple[object, ...]) -> None:
    assert outcome(compare, acknowledged, stored) == expected


def counts_what_is_stored(acknowledged: Numbers, stored: Numbers) -> Verdict:
    """Defect: takes what is stored, also without acknowledgement, as acknowledged."""
    return compare(stored, stored)


def compares_totals(acknowledged: Numbers, stored: Numbers) -> Verdict:
    """Defect: blind for a lost point that one in doubt makes up for."""
    right = compare(acknowledged, stored)
    missing = right.acknowledged - right.stored
    return right if missing > 0 else Verdict(acknowledged=right.acknowledged, stored=right.stored, lost=(),
                                             unacknowledged=right.unacknowledged)  # fmt: skip


def trusts_the_highest(acknowledged: Numbers, stored: Numbers) -> Verdict:
    """Defect: takes everything below the highest stored number as stored."""
    filled = {writer: set(range(max(seqs, default=0) + 1)) for writer, seqs in stored.items()}
    return compare(acknowledged, filled)


def mixes_writers(acknowledged: Numbers, stored: Numbers) -> Verdict:
    """Defect: forgets who wrote what."""
    everything = {seq for seqs in stored.values() for seq in seqs}
    return compare(acknowledged, dict.fromkeys(acknowledged, everything))


@pytest.mark.parametrize("broken", [counts_what_is_stored, compares_totals, trusts_the_highest, mixes_writers])
def test_a_broken_checker_is_seen_by_the_cases(broken: Checker) -> None:
    wrong = [case.id for case in CASES if outcome(broken, *case.values[:2]) != case.values[2]]
    assert wrong, f"no case tells {broken.__name__} from the right one"


@pytest.mark.parametrize(
    ("lost", "text"),
    [
        (set(), "0 of 1,200 acknowledged writes lost"),
        ({7}, "1 of 1,200 acknowledged writes lost: w1 #7"),
        (set(range(1, 8)), "7 of 1,200 acknowledged writes lost: w1 #1, w1 #2, w1 #3, w1 #4, w1 #5, ..."),
    ],
)
def test_the_verdict_is_a_sentence(lost: set[int], text: str) -> None:
    written = set(range(1, 1201))
    assert compare({"w1": written}, {"w1": written - lost}).sentence == text


def series(writer: str, *seqs: int, **more: object) -> dict[str, object]:
    rows = [[f"2026-11-20T18:50:{n:02}Z", seq] for n, seq in enumerate(seqs)]
    return {"name": "probe", "tags": {"writer": writer}, "columns": ["time", "seq"], "values": rows, **more}


def body(**result: object) -> bytes:
    return json.dumps({"results": [{"statement_id": 0, **result}]}).encode()


def test_the_answer_of_the_service_is_read_by_writer() -> None:
    assert parse_counts(body(series=[series("w1", 1, 2), series("w2", 5)])) == {"w1": {1: 1, 2: 1}, "w2": {5: 1}}
    assert parse_counts(body()) == {}


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(body(error="database not found: lab"), id="error"),
        pytest.param(body(series=[series("w1", 1)], partial=True), id="partial result"),
        pytest.param(body(series=[series("w1", 1, partial=True)]), id="partial series"),
        pytest.param(body(series=[{"columns": ["time", "seq"], "values": [["t", 1]]}]), id="no writer"),
        pytest.param(body(series=[series("w1") | {"values": [["t", None]]}]), id="no number"),
        pytest.param(b"{}", id="other JSON"),
        pytest.param(b"[]", id="a list"),
        pytest.param(b"not JSON", id="not JSON"),
    ],
)
def test_an_answer_that_cannot_be_trusted_is_an_error_not_a_loss(answer: bytes) -> None:
    with pytest.raises(CheckFailed, match="the service's answer"):
        parse_counts(answer)
