"""The verdict over lost writes: rules as data, and broken checkers that must be caught by them."""

import json
from collections.abc import Callable

import pytest

from lab.client.check import CheckFailed, Numbers, Verdict, compare, parse_counts
from lab.client.ledger import Ledger

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
def test_compare(acknowledged: Numbers, stored: Numbers, expected: tuple[object, ...]) -> None:
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


def test_a_point_in_doubt_is_not_lost_when_it_is_not_stored() -> None:
    ledger = Ledger()
    for seq, result in ((1, "acknowledged"), (2, "unknown"), (3, "refused")):
        ledger.add({"writer": "w1", "seq": seq, "outcome": result, "ago_s": 0}, 1.0)
    assert compare(ledger.acknowledged(), {"w1": {1}}).lost == ()
    assert compare(ledger.acknowledged(), {}).lost == (("w1", 1),)


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
