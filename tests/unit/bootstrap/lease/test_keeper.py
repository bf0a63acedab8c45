"""Keeping the lease: from the send, by the fence's word, told to the fence first when it is lost, released last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.errors import NotHolder
from bootstrap.base.timing import LeaseTiming
from bootstrap.lease.keeper import Lost
from bootstrap.lease.rules.record import HISTORY, file_name, parse_record, render_record
from bootstrap.lease.rules.renew import Hold, Renewal
from tests.kit.clock import FakeClock
from tests.kit.lease import Holder

TIMING = LeaseTiming()


@pytest.fixture
def world(tmp_path: Path, clock: FakeClock) -> Holder:
    made = Holder(tmp_path, clock)
    made.keeper._hold = made.hold
    return made


def test_renewal_counts_from_before_it_was_sent(world: Holder) -> None:
    world.clock.advance(5)
    sent_s = world.clock.now_s
    step = world.keeper.renew()
    assert step.action is Renewal.CONFIRMED
    assert step.hold.deadline_s == sent_s + TIMING.renew_deadline_s == world.fence.memory.deadline_s
    record = parse_record(world.record(), 1)
    assert record is not None
    assert (record.renewals, record.nonce) == (1, "mine")


def test_slow_renewal_brings_no_longer_deadline(world: Holder) -> None:
    """Broken on purpose it would count from the reply: the answer takes eight seconds here."""
    real = world.worker.ask

    def slow(timeout_s: float, **request: object) -> object:
        world.clock.advance(4)
        return real(timeout_s, **request)

    world.worker.ask = slow  # type: ignore[method-assign, assignment]
    sent_s = world.clock.now_s
    assert world.keeper.renew().hold.deadline_s == sent_s + TIMING.renew_deadline_s


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


def test_unrenewed_it_is_over_at_its_deadline_and_not_before(world: Holder) -> None:
    world.worker.silent = "server away"
    world.run()
    assert world.hold.deadline_s <= world.clock.now_s < world.hold.deadline_s + 1
    assert world.lost == ["generation 1: the deadline passed 0.0 s ago, no renewal can rescue it"]
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


def test_release_that_cannot_be_confirmed_is_named(world: Holder) -> None:
    world.worker.silent = "server away"
    (left,) = world.keeper.release()
    assert left == "the release of generation 1 is not confirmed: server away"


def test_lost_lease_is_not_released(world: Holder) -> None:
    world.rival()
    world.run()
    assert world.keeper.release() == []
    assert '"is_released":false' in world.record()


def test_release_without_lease_is_nothing(world: Holder) -> None:
    world.keeper._hold = None
    assert world.keeper.release() == []
    assert world.fence.requests == []


def test_only_the_last_generations_are_kept(world: Holder) -> None:
    record = replace(world.hold.record, generation=HISTORY + 5)
    for generation in range(1, HISTORY + 5):
        (world.root / file_name(generation)).write_text("")
    (world.root / file_name(record.generation)).write_text(render_record(record))
    world.keeper._hold = Hold(record=record, deadline_s=world.hold.deadline_s)
    world.keeper._parts.directory.look(1)
    assert world.keeper._parts.directory.prune(record.generation, 1) == 5
    assert sorted(path.name for path in world.root.iterdir())[0] == file_name(6)
