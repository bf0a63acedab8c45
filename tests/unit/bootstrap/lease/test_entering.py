"""The way to the data: only the proven successor of the last writer goes it, and the others put a floor."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.errors import DeadlineExceeded, LeaseBehind
from bootstrap.lease.rules.last_writer import Descent, descent, floor, is_before
from bootstrap.lease.rules.observation import HolderAnswer
from bootstrap.lease.rules.record import HISTORY, LeaseRecord, file_name, new_record, parse_record, render_record
from tests.kit.clock import FakeClock
from tests.kit.fake_os import FakeOs
from tests.kit.lease import OTHER, TIMING, applicant
from tests.kit.wired import Wired


def record(generation: int, nonce: str, follows: str = "") -> LeaseRecord:
    return new_record(applicant(OTHER), TIMING, generation=generation, nonce=nonce, follows=follows)


LAST = record(5, "five", "four")


@pytest.mark.parametrize(
    ("own", "last", "seen"),
    [
        (record(1, "one"), None, Descent.PROVEN),
        (record(5, "five"), LAST, Descent.PROVEN),
        (record(6, "six", "five"), LAST, Descent.PROVEN),
        (record(9, "floor", "five"), LAST, Descent.PROVEN),
        (record(7, "seven", "six"), LAST, Descent.FURTHER),
        (record(6, "six", "other"), LAST, Descent.FURTHER),
        (record(5, "other", "four"), LAST, Descent.BROKEN),
        (record(1, "one"), LAST, Descent.BROKEN),
    ],
)
def test_what_a_record_says_about_the_way_from_the_last_writer(
    own: LeaseRecord, last: LeaseRecord | None, seen: Descent
) -> None:
    assert descent(own, last) is seen


def test_a_record_names_the_one_before_it_unless_an_older_agent_wrote_it() -> None:
    assert is_before(record(6, "six", "five"), LAST)
    assert is_before(record(6, "six"), LAST)
    assert not is_before(record(6, "six", "other"), LAST)
    assert not is_before(record(6, "six"), None)


@pytest.mark.parametrize(("highest", "generation"), [(1, 6), (5, 6), (8, 9)])
def test_a_floor_is_the_last_writer_above_every_number(highest: int, generation: int) -> None:
    put = floor(replace(LAST, is_released=True), highest, nonce="new")
    assert (put.generation, put.instance_id, put.is_released, put.follows) == (generation, OTHER, False, "five")


@pytest.fixture
def world(machine: FakeOs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Wired:
    made = Wired(machine, clock, monkeypatch)
    for directory in (made.target, machine.paths.data_root):
        directory.mkdir(parents=True, exist_ok=True)
    made.boot.mount_lease(clock.deadline())
    return made


def wrote(world: Wired, last: LeaseRecord) -> None:
    (world.machine.paths.data_root / f".soloist-writer-fs-1-{last.generation:06d}").write_text(render_record(last))


def wrote_just_before_it_enters(world: Wired, other: LeaseRecord) -> None:
    writers = world.instance.service.writers
    enter = writers.enter

    def late(*given: object) -> tuple[int, str]:
        wrote(world, other)
        return enter(*given)  # type: ignore[arg-type]

    writers.enter = late  # type: ignore[method-assign]


def published(world: Wired, generation: int) -> LeaseRecord | None:
    path: Path = world.machine.paths.lease_root / file_name(generation)
    return parse_record(path.read_text(), generation) if path.exists() else None


def put(world: Wired, *records: LeaseRecord) -> None:
    for one in records:
        (world.machine.paths.lease_root / file_name(one.generation)).write_text(render_record(one))


def mount_data(world: Wired, seconds: float = 60.0) -> None:
    world.boot.mount_data(world.clock.deadline(seconds))


def terminated(world: Wired) -> None:
    world.evidence.holder = HolderAnswer(state="terminated")


def emptied(world: Wired) -> None:
    """Nothing is left in the lease directory."""


def restored(world: Wired) -> None:
    put(world, replace(record(3, "three"), is_released=True))


def restored_just_below(world: Wired) -> None:
    """The newcomer has the very number of the last writer."""
    put(world, replace(record(4, "four"), is_released=True))


def used_again_by_somebody_who_never_wrote(world: Wired) -> None:
    put(world, record(4, "four"), replace(record(5, "again", "four"), is_released=True))


@pytest.mark.parametrize(
    "change",
    [emptied, restored, restored_just_below, used_again_by_somebody_who_never_wrote],
    ids=lambda one: one.__name__,
)
def test_whoever_does_not_follow_the_last_writer_starts_nothing_and_puts_it_back(
    world: Wired, change: Callable[[Wired], None]
) -> None:
    change(world)
    wrote(world, LAST)
    world.take()
    own = world.instance.lease.keeper.generation
    with pytest.raises(LeaseBehind, match=rf"generation {own} does not follow generation 5 of {OTHER}, who wrote") as e:
        mount_data(world)
    assert e.value.reason == "lease-behind"
    put_back = published(world, max(own, 5) + 1)
    assert put_back is not None
    assert (put_back.instance_id, put_back.is_released, put_back.follows) == (OTHER, False, "five")
    assert len(list(world.machine.paths.data_root.glob(".soloist-writer-*"))) == 1

    terminated(world)
    world.machine.unmount(str(world.machine.paths.data_root), is_lazy=False)
    world.build()
    world.take()
    mount_data(world)
    assert world.instance.lease.keeper.generation == max(own, 5) + 2


def test_takeovers_of_which_none_wrote_lead_back_to_the_last_writer(world: Wired) -> None:
    put(world, LAST, record(6, "six", "five"), record(7, "seven", "six"))
    wrote(world, LAST)
    terminated(world)
    world.take()
    mount_data(world)
    assert (world.machine.paths.data_root / ".soloist-writer-fs-1-000008").exists()
    mount_data(world)  # a restart of the agent


def test_a_number_that_somebody_else_entered_meanwhile_is_not_shared(world: Wired) -> None:
    world.take()
    wrote_just_before_it_enters(world, record(1, "theirs"))
    with pytest.raises(LeaseBehind):
        mount_data(world)
    put_back = published(world, 2)
    assert put_back is not None
    assert put_back.follows == "theirs"


def test_of_two_that_enter_at_once_one_sees_the_other(world: Wired) -> None:
    """The other one's file was not there at the first look, and has a lower number."""
    put(world, replace(record(6, "six"), is_released=True))
    world.take()
    wrote_just_before_it_enters(world, LAST)
    with pytest.raises(LeaseBehind, match="generation 7 does not follow generation 5"):
        mount_data(world)
    put_back = published(world, 8)
    assert put_back is not None
    assert put_back.follows == "five"


def test_data_of_long_ago_whose_writer_is_in_no_record_any_more_are_entered_by_the_second_newcomer(
    world: Wired,
) -> None:
    """The data were restored from a backup that is older than the oldest record that is kept."""
    kept = [record(number, f"n{number}", f"n{number - 1}") for number in range(56, 56 + HISTORY)]
    put(world, *kept[:-1], replace(kept[-1], is_released=True))
    wrote(world, LAST)
    world.take()
    own = world.instance.lease.keeper.generation
    with pytest.raises(LeaseBehind, match=rf"generation {own} does not follow generation 5"):
        mount_data(world)
    terminated(world)
    world.machine.unmount(str(world.machine.paths.data_root), is_lazy=False)
    world.build()
    world.take()
    mount_data(world)
    assert world.instance.lease.keeper.generation == own + 2


def test_a_holder_that_was_replaced_puts_no_floor_over_its_successor(world: Wired) -> None:
    put(world, replace(record(3, "three"), is_released=True))
    world.take()
    put(world, LAST)
    wrote(world, LAST)
    with pytest.raises(LeaseBehind):
        mount_data(world)
    assert published(world, 6) is None


def test_a_writer_that_cannot_be_read_needs_a_person(world: Wired) -> None:
    (world.machine.paths.data_root / ".soloist-writer-fs-1-000005").write_text("{")
    world.take()
    with pytest.raises(
        LeaseBehind, match=r"generation 5 wrote to them, and its record cannot be read.*delete that file"
    ):
        mount_data(world)


def test_a_lease_directory_that_does_not_answer_is_asked_again_and_puts_nothing(world: Wired) -> None:
    wrote(world, LAST)
    world.take()
    world.worker.silent = "server away"
    with pytest.raises(DeadlineExceeded, match="server away"):
        mount_data(world)
