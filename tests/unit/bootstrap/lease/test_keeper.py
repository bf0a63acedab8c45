"""Keeping the lease, from the send to the release, and the lease directory's child, which never writes over another."""

import errno
import io
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.errors import NotHolder
from bootstrap.lease import child
from bootstrap.lease.keeper import Lost
from bootstrap.lease.rules.record import (
    HISTORY,
    LARGEST_RECORD,
    SPARE,
    TEMPORARY,
    file_name,
    generation_of,
    parse_record,
    render_record,
    spares,
)
from bootstrap.lease.rules.renew import Hold, Renewal
from bootstrap.machine import data_child
from tests.kit.clock import FakeClock
from tests.kit.lease import TIMING, Holder

ONE, TWO = "generation-000001", "generation-000002"


@pytest.fixture
def world(tmp_path: Path, clock: FakeClock) -> Holder:
    made = Holder(tmp_path, clock)
    made.keeper._hold = made.hold
    return made


def test_a_renewal_counts_from_before_it_was_sent_however_long_the_answer_takes(world: Holder) -> None:
    real = world.worker.ask

    def slow(timeout_s: float, **request: object) -> object:
        world.clock.advance(4)
        return real(timeout_s, **request)

    world.worker.ask = slow  # type: ignore[method-assign, assignment]
    world.clock.advance(5)
    sent_s = world.clock.now_s
    step = world.keeper.renew()
    assert step.action is Renewal.CONFIRMED
    assert step.hold.deadline_s == sent_s + TIMING.renew_deadline_s == world.fence.memory.deadline_s
    record = parse_record(world.record(), 1)
    assert record is not None
    assert (record.renewals, record.nonce) == (1, "mine")


def test_deadline_the_fence_does_not_know_is_not_in_force(world: Holder) -> None:
    world.clock.advance(5)
    world.fence.is_dead = True
    step = world.keeper.renew()
    assert (step.action, step.hold.deadline_s) == (Renewal.RETRY, world.hold.deadline_s)
    world.fence.is_dead = False
    assert world.keeper.renew().hold.deadline_s > world.hold.deadline_s


def test_higher_generation_tells_the_fence_before_anybody_else(world: Holder) -> None:
    world.clock.at(12, world.rival)
    order: list[str] = []
    world.on_lost = lambda _sentence: order.append(f"agent, after {world.fence.verbs()[-1]}")  # type: ignore[method-assign]
    world.run()
    assert order == ["agent, after lost"]
    assert world.keeper.lost == Lost(is_taken=True, sentence="generation 1 is lost: there is generation 2")
    assert not world.fence.memory.has_grace


def test_a_directory_that_somebody_emptied_is_a_lost_lease_at_the_next_renewal(world: Holder) -> None:
    """A newcomer finds nothing there and publishes at once: until the deadline there were two holders, for 45 s."""
    world.clock.at(12, lambda: [path.unlink() for path in world.root.iterdir()])
    began_s = world.clock.now_s
    world.run()
    assert world.keeper.lost == Lost(is_taken=True, sentence="generation 1 is lost: its file is gone")
    assert world.fence.verbs()[-1] == "lost"
    assert world.clock.now_s - began_s < 12 + 2 * TIMING.retry_period_s


def test_unrenewed_it_is_over_at_its_deadline_and_not_before(world: Holder) -> None:
    world.worker.silent = "server away"
    world.run()
    assert world.hold.deadline_s <= world.clock.now_s < world.hold.deadline_s + 1
    assert world.lost == [
        "generation 1: the deadline passed 0.0 s ago, no renewal can rescue it; before that, generation 1: the lease "
        "directory does not answer: server away"
    ]
    assert world.keeper.lost is not None
    assert not world.keeper.lost.is_taken


def test_hiccup_shorter_than_the_deadline_costs_nothing(world: Holder) -> None:
    world.clock.at(3, lambda: setattr(world.worker, "silent", "server away"))
    world.clock.at(30, lambda: setattr(world.worker, "silent", ""))
    world.clock.at(60, world.keeper._ending.set)
    world.run()
    assert world.lost == []
    assert world.keeper.lost is None
    assert world.beats > 10, "a loop that cannot renew lives all the same"


def test_slept_through_the_deadline_it_says_so_and_rescues_nothing(world: Holder) -> None:
    world.clock.advance(TIMING.renew_deadline_s + 1)
    before = world.record()
    assert world.keeper.renew().action is Renewal.EXPIRED
    assert world.record() == before, "nothing is written"


def test_on_a_full_file_system_it_is_renewed_in_space_it_had_before_and_people_are_told(
    world: Holder, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        assert world.keeper.renew().action is Renewal.CONFIRMED
    known = {path.stat().st_ino for path in world.root.iterdir()}
    real = child._write_temporary

    def full(path: Path, text: str) -> Path:
        raise OSError(errno.EDQUOT, os.strerror(errno.EDQUOT))

    monkeypatch.setattr(child, "_write_temporary", full)
    for _ in range(6):
        world.clock.advance(TIMING.retry_period_s)
        step = world.keeper.renew()
        assert (step.action, step.hold.record) == (Renewal.CONFIRMED, parse_record(world.record(), 1))
        assert {path.stat().st_ino for path in world.root.iterdir()} == known, "no new file"
        # A child that was killed between link and rename leaves a name of the record itself, which is no spare.
        os.link(world.root / ONE, world.root / f".new-{ONE}.spare-{'0' * 8}")
    assert world.troubles.seen == ["file-system-full"]
    for path in world.root.glob(".new-*"):
        path.unlink()
    step = world.keeper.renew()
    assert (step.action, "Disk quota exceeded" in step.sentence) == (Renewal.RETRY, True)
    monkeypatch.setattr(child, "_write_temporary", real)
    assert world.keeper.renew().action is Renewal.CONFIRMED
    assert world.troubles.seen == ["file-system-full", "file-system-full is over"]
    assert len(spares(os.listdir(world.root), 1)) == 1, "kept again"


def test_permission_rests_on_a_fresh_look(world: Holder) -> None:
    world.keeper.permit()
    world.rival()
    with pytest.raises(NotHolder, match="there is generation 2: nothing is touched"):
        world.keeper.permit()


def test_no_permission_without_lease_without_answer_or_past_the_deadline(world: Holder) -> None:
    world.worker.silent = "server away"
    with pytest.raises(NotHolder, match="server away"):
        world.keeper.permit()
    world.worker.silent = ""
    world.clock.advance(TIMING.renew_deadline_s)
    with pytest.raises(NotHolder, match="past its deadline"):
        world.keeper.permit()
    world.keeper._hold = None
    with pytest.raises(NotHolder, match="not held"):
        world.keeper.permit()


def test_released_only_when_the_fence_has_seen_that_nothing_is_left(world: Holder) -> None:
    world.fence.mounts.is_left = True
    assert world.keeper.release() == [
        "the lease is not released: generation 1 is guarded on: a mount of the data is still there"
    ]
    assert '"is_released":false' in world.record()
    world.fence.mounts.is_left = False
    assert world.keeper.release() == []
    assert '"is_released":true' in world.record()
    assert world.fence.memory.deadline_s is None
    with pytest.raises(NotHolder):
        world.keeper.permit()


def test_a_fence_that_is_silent_once_holds_up_no_release(world: Holder) -> None:
    world.fence.silent_once = {"let-go"}
    assert world.keeper.release() == []


def test_release_that_cannot_be_confirmed_is_named(world: Holder) -> None:
    world.worker.silent = "server away"
    assert world.keeper.release() == ["the release of generation 1 is not confirmed: server away"]


def test_what_is_lost_or_not_held_is_not_released(world: Holder) -> None:
    world.rival()
    world.run()
    assert world.keeper.release() == []
    assert '"is_released":false' in world.record()
    world.keeper._hold = None
    world.fence.requests.clear()
    assert world.keeper.release() == []
    assert world.fence.requests == []


def test_only_the_last_generations_are_kept(world: Holder) -> None:
    record = replace(world.hold.record, generation=HISTORY + 5)
    for generation in range(1, HISTORY + 5):
        (world.root / file_name(generation)).write_text("")
    (world.root / file_name(record.generation)).write_text(render_record(record))
    old, last = (f".new-{file_name(number)}" for number in (5, HISTORY + 4))
    for name in (f"{old}.spare-1", f"{old}.9.a", f"{last}.spare-1", f"{last}.9.a"):
        (world.root / name).write_text("")
    world.keeper._hold = Hold(record=record, deadline_s=world.hold.deadline_s)
    world.keeper._parts.directory.look(1)
    assert world.keeper._parts.directory.prune(record.generation, 1) == 5 + 3
    assert sorted(path.name for path in world.root.iterdir())[:2] == [f"{last}.spare-1", file_name(6)]


def test_what_a_killed_renewal_leaves_is_gone_with_the_next_and_cannot_land_any_more(world: Holder) -> None:
    left = world.root / f".new-{ONE}.12.abc"
    left.write_text("late")
    assert world.keeper.renew().action is Renewal.CONFIRMED
    assert not left.exists()
    assert len(spares(os.listdir(world.root), 1)) == 1, "a spare file is none"


# ------------------------------------------------------------------ the lease directory's child


def test_look_gives_the_newest_by_number_and_ignores_everything_else(tmp_path: Path) -> None:
    for name in ("generation-000009", "generation-000010", "generation-1", ".new-generation-000011.1.a", "notes"):
        (tmp_path / name).write_text(name)
    answer = child.look(str(tmp_path))
    assert answer["text"] == "generation-000010"
    assert set(answer["names"]) >= {"generation-000009", "generation-000010"}
    (tmp_path / "empty").mkdir()
    assert child.look(str(tmp_path / "empty"))["text"] == ""


def test_published_once_and_never_over_another(tmp_path: Path) -> None:
    assert child.publish(str(tmp_path), ONE, "mine") == {"text": "mine", "error": ""}
    second = child.publish(str(tmp_path), ONE, "another's")
    assert second["text"] == "mine"
    assert "File exists" in second["error"]
    assert sorted(os.listdir(tmp_path)) == [ONE], "no temporary file is left"


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not-done"])
def test_error_of_link_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_done: bool) -> None:
    real = os.link

    def replayed(source: Path, target: Path) -> None:
        if is_done:
            real(source, target)
        raise FileExistsError("a replay of our own request")

    monkeypatch.setattr(os, "link", replayed)
    answer = child.publish(str(tmp_path), ONE, "mine")
    assert answer["text"] == ("mine" if is_done else "")


def test_rewritten_as_a_whole_but_never_created(tmp_path: Path) -> None:
    assert child.rewrite(str(tmp_path), ONE, "new") == {"text": "", "error": f"{tmp_path / ONE} is gone"}
    assert os.listdir(tmp_path) == []
    (tmp_path / ONE).write_text("old, and longer than the new one")
    assert child.rewrite(str(tmp_path), ONE, "new") == {"text": "new", "error": "", "is_full": False}
    assert spares(os.listdir(tmp_path), 1) == sorted(os.listdir(tmp_path))[:1], "a spare file, and nothing else"


def test_rename_that_fails_shows_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ONE).write_text("old")

    def fails(self: Path, target: Path) -> Path:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(Path, "rename", fails)
    answer = child.rewrite(str(tmp_path), ONE, "new")
    assert (answer["text"], "Stale" in answer["error"]) == ("old", True)
    assert [name for name in os.listdir(tmp_path) if not spares([name])] == [ONE]


@pytest.mark.parametrize("verb", [child.publish, child.rewrite])
def test_a_full_file_system_is_an_error_that_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: Callable[..., object]
) -> None:
    """A renewal fails every few seconds for as long as it is full: 61 temporary files in 45 s, before."""
    (tmp_path / ONE).write_text("old")

    def fails(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", fails)
    with pytest.raises(OSError, match="No space left"):
        verb(str(tmp_path), ONE, "new")
    assert os.listdir(tmp_path) == [ONE]


def test_a_huge_file_is_read_no_further_than_shows_that_it_is_no_record(tmp_path: Path) -> None:
    with (tmp_path / ONE).open("wb") as file:
        file.truncate(10**10)
    text = child.look(str(tmp_path))["text"]
    assert len(text) == child.LARGEST_RECORD + 1
    assert data_child.LARGEST_RECORD == LARGEST_RECORD
    assert (child.LARGEST_RECORD, child.TEMPORARY, child.SPARE) == (LARGEST_RECORD, TEMPORARY, SPARE)
    assert parse_record(text, 1) is None


def test_digits_of_other_scripts_are_no_generation(tmp_path: Path) -> None:
    name = "generation-" + "".join(chr(0x660 + int(digit)) for digit in "000099")
    (tmp_path / name).write_text("an Arabic 99")
    (tmp_path / ONE).write_text("mine")
    assert child.look(str(tmp_path))["text"] == "mine"
    assert generation_of(name) is None


@pytest.mark.parametrize("text", ["[" * 4000, "[" * 100_000, '{"a":' * 900, "\ud800", "NaN", "1e999"])
def test_hostile_text_is_no_record_and_no_other_error(text: str) -> None:
    assert parse_record(text, 1) is None


def test_prune_takes_what_it_is_told_and_nothing_else(tmp_path: Path) -> None:
    for name in (ONE, TWO, f".new-{ONE}.12.abc", f".new-{TWO}.12.abc", "notes"):
        (tmp_path / name).write_text("")
    wanted = [ONE, f".new-{ONE}.12.abc", "generation-000099"]
    assert child.prune(str(tmp_path), wanted) == {"deleted": 2}
    assert sorted(os.listdir(tmp_path)) == [f".new-{TWO}.12.abc", TWO, "notes"]


def test_served_line_by_line_with_the_numbers_of_the_questions(tmp_path: Path) -> None:
    root = str(tmp_path)
    questions = [
        {"number": 1, "verb": "publish", "root": root, "name": ONE, "text": "mine"},
        {"number": 2, "verb": "look", "root": root},
        {"number": 3, "verb": "look", "root": root + "/nowhere"},
    ]
    answers = io.StringIO()
    child.serve(io.StringIO("".join(json.dumps(each) + "\n" for each in questions)), answers)
    one, two, three = (json.loads(line) for line in answers.getvalue().splitlines())
    assert one == {"number": 1, "text": "mine", "error": ""}
    assert two == {"number": 2, "names": [ONE], "text": "mine"}
    assert three["number"] == 3
    assert "No such file" in three["failed"]
