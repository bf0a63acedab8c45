"""The recorder's bookkeeping: who wrote, which generation was offered when, what was reported."""

import json

import pytest

from lab.chaos.history import Generation, Reported, ServerWrite
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
