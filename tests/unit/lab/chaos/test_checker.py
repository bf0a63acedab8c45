"""The recorder's notes, and the checker, which sees each violation planted in an otherwise good history."""

import json
from dataclasses import replace

import pytest

from lab.chaos.checker import check, stretches
from lab.chaos.history import Generation, History, Reported, ServerWrite
from lab.chaos.nfs_wire import WriteSeen
from lab.chaos.notes import Notes


def record(generation: int, instance_id: str) -> str:
    return json.dumps({"generation": generation, "instance_id": instance_id}) + "\n"


def seen(at_s: float, client: str, text: str = "probe,writer=w1") -> WriteSeen:
    return WriteSeen(at_s=at_s, client=client, handle=b"h", size=len(text), beginning=text.encode())


@pytest.fixture
def notes() -> Notes:
    return Notes()


def test_writes_are_put_to_the_instance_that_has_the_address_at_that_time(notes: Notes) -> None:
    notes.machine("10.0.0.5", "i-a")
    notes.write(seen(1.0, "10.0.0.5"))
    notes.machine("10.0.0.5", "i-b")
    notes.write(seen(2.0, "10.0.0.5"))
    notes.write(seen(3.0, "10.0.0.9"))
    assert notes.writes == (
        ServerWrite(at_s=1.0, machine="i-a"),
        ServerWrite(at_s=2.0, machine="i-b"),
        ServerWrite(at_s=3.0, machine="10.0.0.9"),
    )


def test_lease_records_are_no_data_and_date_the_offer_of_their_generation(notes: Notes) -> None:
    notes.write(seen(4.0, "10.0.0.5", record(7, "i-a")))
    notes.write(seen(6.0, "10.0.0.5", record(7, "i-a")))
    notes.lease_record(record(7, "i-a"), 6.5)
    notes.lease_record(record(7, "i-a"), 7.5)
    assert notes.writes == ()
    assert notes.lease_writes == 2
    assert notes.generations == (Generation(number=7, holder="i-a", seen_s=6.5, offered_s=4.0),)


def test_a_generation_from_before_the_run_was_offered_before_it(notes: Notes) -> None:
    notes.lease_record(record(3, "i-a"), 1.0, is_old=True)
    notes.lease_record(record(4, "i-b"), 9.0)
    assert [(one.number, one.offered_s) for one in notes.generations] == [(3, 0.0), (4, 9.0)]


def test_reported_generations_are_noted_when_they_change_and_none_is_no_generation(notes: Notes) -> None:
    for at_s, generation, instance_id in ((1.0, 1, "i-a"), (2.0, 1, "i-a"), (3.0, 0, "i-b"), (4.0, 2, "i-b")):
        notes.state(record(generation, instance_id), at_s)
    assert notes.reported == (
        Reported(number=1, instance_id="i-a", seen_s=1.0),
        Reported(number=2, instance_id="i-b", seen_s=4.0),
    )


@pytest.mark.parametrize("text", ["", "{", "[]", '{"generation": 1}', '{"generation": "x", "instance_id": "i"}'])
def test_what_is_not_understood_is_left_out(notes: Notes, text: str) -> None:
    notes.lease_record(text, 1.0)
    notes.state(text, 1.0)
    assert notes.generations == ()
    assert notes.reported == ()


# ------------------------------------------------------------------ the checker
def writes(machine: str, *seconds: float) -> tuple[ServerWrite, ...]:
    return tuple(ServerWrite(at_s=at_s, machine=machine) for at_s in seconds)


def generation(number: int, holder: str, seen_s: float) -> Generation:
    return Generation(number=number, holder=holder, seen_s=seen_s, offered_s=seen_s - 0.4)


GOOD = History(
    acknowledged={"w1": frozenset({1, 2, 3}), "w2": frozenset({1})},
    stored={"w1": {1: 1, 2: 1, 3: 1, 4: 1}, "w2": {1: 1}},
    writes=writes("i-a", 1.0, 2.0, 3.0) + writes("i-b", 10.0, 11.0),
    generations=(generation(1, "i-a", 0.5), generation(2, "i-b", 9.5)),
    reported=(Reported(number=1, instance_id="i-a", seen_s=1.0), Reported(number=2, instance_id="i-b", seen_s=10.0)),
    faults_end_s=8.0,
    reachable_s=10.0,
    told_s=10.5,
    bound_s=30.0,
)

PLANTED = [
    pytest.param({"stored": {"w1": {1: 1, 3: 1}, "w2": {1: 1}}}, "lost", "w1 #2", id="a lost write"),
    pytest.param({"stored": {"w1": {1: 1, 2: 1, 3: 1}}}, "lost", "w2 #1", id="a writer lost as a whole"),
    pytest.param({"stored": None}, "unread", "could not be asked", id="nobody could ask"),
    pytest.param({"stored": {}}, "lost", "4 acknowledged", id="nothing stored"),
    pytest.param({"stored": {"w1": {1: 1, 2: 2, 3: 1}, "w2": {1: 1}}}, "duplicated", "w1 #2 (2 times)", id="twice"),
    pytest.param({"writes": writes("i-a", 1.0, 10.5) + writes("i-b", 10.0, 11.0)}, "overlap", "i-a wrote 1", id="two"),
    pytest.param({"writes": writes("i-b", 9.6) + writes("i-a", 9.8)}, "overlap", "i-a wrote", id="in the wrong order"),
    pytest.param({"writes": writes("i-a", 1.0) + writes("10.0.0.9", 2.0)}, "overlap", "10.0.0.9", id="a stranger"),
    pytest.param(
        {"writes": writes("i-a", 1.0, 9.7)}, "late-write", "generation 2 of i-b", id="late, unnoticed by data"
    ),
    pytest.param({"writes": writes("i-a", 1.0) + writes("i-b", 9.0)}, "overlap", "i-b wrote", id="before its lease"),
    pytest.param(
        {"writes": writes("i-a", 1.0, 9.7), "generations": (*GOOD.generations, generation(3, "i-a", 12.0))},
        "late-write",
        "i-a wrote 1 times after generation 2",
        id="late, though it gets a newer lease afterwards",
    ),
    pytest.param(
        {"generations": (generation(2, "i-a", 0.5), generation(1, "i-b", 9.5))}, "generation", "after", id="gen back"
    ),
    pytest.param(
        {"generations": (*GOOD.generations, generation(2, "i-a", 12.0))}, "generation", "2", id="a number used again"
    ),
    pytest.param(
        {"reported": tuple(reversed([replace(one, seen_s=3.0 - one.number) for one in GOOD.reported]))},
        "generation",
        "the state parameter said generation 1",
        id="reported generation going back",
    ),
    pytest.param({"reachable_s": None, "trouble": "no ENI"}, "unreachable", "no ENI", id="never reachable"),
    pytest.param({"told_s": None, "trouble": "i-a is stopped"}, "misreported", "i-a is stopped", id="a wrong state"),
    pytest.param({"reachable_s": 38.1}, "unreachable", " 30.1 s after the faults", id="reachable too late"),
    pytest.param({"acknowledged": {"w1": frozenset()}}, "blind", "no write", id="nothing acknowledged"),
    pytest.param({"writes": ()}, "blind", "none was seen", id="a log that saw nothing"),
    pytest.param({"generations": (), "writes": ()}, "blind", "no generation", id="no generation seen"),
    pytest.param({"frames_lost": 1}, "blind", "lost 1 frames", id="frames lost"),
    pytest.param({"reports_lost": 2}, "blind", "2 reports", id="reports lost"),
]


def test_a_good_history_has_no_violation() -> None:
    assert check(GOOD) == ()


@pytest.mark.parametrize(("change", "rule", "said"), PLANTED)
def test_a_planted_violation_is_seen(change: dict[str, object], rule: str, said: str) -> None:
    found = check(replace(GOOD, **change))
    assert rule in {violation.rule for violation in found}
    assert any(said in violation.sentence for violation in found if violation.rule == rule), found


def test_a_machine_may_write_again_with_a_newer_generation_of_its_own() -> None:
    history = replace(
        GOOD,
        writes=writes("i-a", 1.0) + writes("i-b", 10.0) + writes("i-a", 20.0),
        generations=(*GOOD.generations, generation(3, "i-a", 19.0)),
    )
    assert check(history) == ()


def test_stretches_follow_the_order_of_arrival() -> None:
    found = stretches(writes("i-b", 2.0) + writes("i-a", 1.0, 3.0))
    assert [(one.machine, one.first_s, one.writes) for one in found] == [
        ("i-a", 1.0, 1),
        ("i-b", 2.0, 1),
        ("i-a", 3.0, 1),
    ]
