"""Taking the lease: what the rules decide is done, the fence has the deadline first, and nothing is left half taken."""

import errno
import json
import os
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import AgentError, DeadlineExceeded, FenceError, FileSystemFull, LeaseRefused, StopRequested
from bootstrap.fence.client import FENCE_PATIENCE_S
from bootstrap.fence.protocol import FenceRequest
from bootstrap.lease import child
from bootstrap.lease.rules.observation import GroupAnswer, HolderAnswer, NoAnswer
from bootstrap.lease.rules.record import file_name
from tests.kit.clock import FakeClock
from tests.kit.lease import ARRIVING, IN_SERVICE, LEAVING, TIMING, Newcomer


@pytest.fixture
def world(tmp_path: Path, clock: FakeClock) -> Newcomer:
    return Newcomer(tmp_path, clock)


def test_first_generation_is_taken_and_the_fence_guards_from_before_it_was_sent(world: Newcomer) -> None:
    sent_s = world.clock.now_s
    taken = world.take()
    assert taken.sentence == "no generation yet: publish generation 1"
    assert taken.hold.record.generation == 1
    assert taken.hold.deadline_s == sent_s + TIMING.renew_deadline_s
    assert world.fence.memory.deadline_s == taken.hold.deadline_s
    assert world.clock.waits == [TIMING.settle_s], "one settle period and a second look"
    assert world.worker.asked.count("look") >= 3


def test_released_generation_is_followed_without_asking_anybody(world: Newcomer) -> None:
    world.put()
    world.put(is_released=True)
    world.evidence.holder = NoAnswer(reason="must not matter")
    taken = world.take("proof")
    assert taken.hold.record.generation == 8
    assert "is released" in taken.sentence
    assert world.evidence.terminations == []


def test_terminated_holder_is_followed_at_once(world: Newcomer) -> None:
    world.put()
    world.evidence.holder = HolderAnswer(state="terminated")
    taken = world.take("proof")
    assert taken.sentence == "generation 7 of i-other is terminated: publish generation 8"
    assert sum(world.clock.waits) == TIMING.settle_s


def test_silent_holder_is_terminated_and_awaited_and_a_stuck_one_ended_by_force(world: Newcomer) -> None:
    world.put()
    world.evidence.on_terminate = lambda _is_forced: world.evidence.say("shutting-down")
    world.clock.at(50, lambda: world.evidence.say("terminated") and None)
    assert world.take("proof").hold.record.generation == 8
    assert world.evidence.terminations == [False]
    assert sum(world.clock.waits) >= 50, "nothing before the proof"
    world.put(generation=9)
    world.evidence.say("running")
    world.evidence.on_terminate = lambda is_forced: world.evidence.say("terminated" if is_forced else "shutting-down")
    world.take("proof")
    assert world.evidence.terminations == [False, False, True]


def test_healthy_holder_is_never_shot_and_the_newcomer_ends_as_surplus(world: Newcomer) -> None:
    world.evidence.group = GroupAnswer(me=ARRIVING, holder=IN_SERVICE)
    renewals = iter(range(1, 1000))

    def renew() -> None:
        world.put(renewals=next(renewals))
        world.clock.at(5, renew)

    renew()
    with pytest.raises(LeaseRefused, match="is healthy and renews: this instance is surplus") as refused:
        world.take()
    assert refused.value.reason == "surplus"
    assert world.evidence.terminations == []
    assert world.generations() == [file_name(7)]


def test_surplus_takes_over_when_the_holder_releases(world: Newcomer) -> None:
    world.put()
    world.evidence.group = GroupAnswer(me=ARRIVING, holder=IN_SERVICE)
    world.clock.at(20, lambda: world.put(is_released=True) and None)
    assert world.take().hold.record.generation == 8


def test_refused_termination_is_asked_again_later(world: Newcomer) -> None:
    world.put()
    answers = iter(["UnauthorizedOperation", ""])

    def terminate(is_forced: bool) -> str:  # noqa: FBT001
        words = next(answers, "")
        return words or world.evidence.say("terminated")

    world.evidence.on_terminate = terminate
    assert world.take("proof").hold.record.generation == 8
    assert len(world.evidence.terminations) == 2


def test_a_fence_that_is_silent_once_ends_no_boot(world: Newcomer) -> None:
    world.fence.silent_once = {"hold"}
    assert world.take().hold.deadline_s == world.fence.memory.deadline_s
    assert world.fence.silent_once == set()


def stands_still_after_3_s(world: Newcomer, silence_s: float) -> None:
    world.put()
    world.evidence.on_terminate = lambda _is_forced: world.evidence.say("terminated")
    for after_s, is_dead in ((3.0, True), (3.0 + silence_s, False)):
        world.clock.at(after_s, partial(setattr, world.fence, "is_dead", is_dead))


def test_a_machine_that_stands_still_while_nothing_is_held_costs_only_that_time(world: Newcomer) -> None:
    stands_still_after_3_s(world, FENCE_PATIENCE_S - 5)
    assert world.take("proof").hold.record.generation == 8


def test_a_fence_that_is_silent_for_longer_fails_the_boot(world: Newcomer) -> None:
    stands_still_after_3_s(world, FENCE_PATIENCE_S + 10)
    with pytest.raises(FenceError, match="does not answer"):
        world.take("proof")


def test_own_generation_is_resumed_after_a_restart_of_the_agent_and_stopped_past_its_deadline(world: Newcomer) -> None:
    first = world.take()
    world.fence.group.is_left = world.fence.mounts.is_left = True
    assert world.take().hold == first.hold
    assert (world.stops, world.generations()) == (0, [file_name(1)])
    world.clock.advance(TIMING.renew_deadline_s + 1)
    assert world.take().hold.record.generation == 2
    assert world.stops == 1


def is_given_back(world: Newcomer) -> bool:
    record = world.read(1)
    return record is not None and record.is_released


def test_fence_that_does_not_guard_fails_the_boot_and_the_generation_is_given_back(world: Newcomer) -> None:
    world.fence.is_dead = True
    with pytest.raises(FenceError):
        world.take()
    assert world.generations() == [], "nobody to guard it, nothing is published"
    world.fence.is_dead = False
    world.fence.ask(FenceRequest(verb="hold", generation=99, deadline_s=world.clock.now_s + 40))
    world.fence.ask(FenceRequest(verb="let-go"))
    with pytest.raises(FenceError, match="older than generation 99"):
        world.take()
    assert is_given_back(world)


def test_stop_while_settling_gives_the_generation_back(world: Newcomer) -> None:
    world.clock.at(TIMING.settle_s, lambda: world.stop_request.request("SIGTERM received"))
    with pytest.raises(StopRequested):
        world.take()
    assert is_given_back(world)


def test_lost_race_starts_again_from_the_look(world: Newcomer) -> None:
    world.clock.at(TIMING.settle_s, lambda: world.put(generation=2) and None)
    world.evidence.holder = HolderAnswer(state="terminated")
    assert world.take().hold.record.generation == 3, "the second look found another holder"


def test_lease_directory_that_never_answers_is_a_named_refusal(world: Newcomer) -> None:
    world.worker.silent = "server away"
    with pytest.raises(AgentError, match="server away") as refused:
        world.take()
    assert refused.value.reason == "takeover-deadline"


def test_a_full_file_system_is_named_and_not_pestered_and_taken_over_on_once_there_is_space(
    world: Newcomer, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.put(is_released=True)
    real = child._write_temporary

    def full(path: Path, text: str) -> Path:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(child, "_write_temporary", full)
    with pytest.raises(FileSystemFull, match=r"generation 8 cannot be published: .*No space left on device.*Delete"):
        world.takeover().run(Deadline(world.clock, 120, "lease"))
    assert 5 < world.worker.asked.count("publish") < 15
    assert min(world.clock.waits) + max(world.clock.waits) > 2, "the pauses grow"
    assert world.troubles.seen == ["file-system-full"]
    # Its predecessor's spare files are space for one record.
    (world.root / f".new-{file_name(7)}.spare-00000000").touch()
    monkeypatch.setattr(
        child, "_write_temporary", lambda *given: (full if any(world.root.glob(".new-*")) else real)(*given)
    )
    assert world.take().hold.record.generation == 8
    assert world.troubles.seen[1:] == ["file-system-full is over"]


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS, errno.EIO, errno.ESTALE])
def test_a_publication_that_is_refused_at_once_is_not_repeated_twice_a_second(
    world: Newcomer, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    world.put(is_released=True)

    def refuse(*_: object) -> Path:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(child, "_write_temporary", refuse)
    with pytest.raises(DeadlineExceeded, match=rf"generation 7: .*{os.strerror(number)}"):
        world.takeover().run(Deadline(world.clock, 120, "lease"))
    assert 5 < world.worker.asked.count("publish") < 15


def test_deadline_of_the_step_ends_it_whatever_the_rules_say(world: Newcomer) -> None:
    world.put()
    world.evidence.group = GroupAnswer(me=ARRIVING, holder=IN_SERVICE)
    with pytest.raises(DeadlineExceeded, match="this instance is surplus"):
        world.takeover().run(Deadline(world.clock, 10, "lease"))


def test_unreadable_record_counts_as_held(world: Newcomer) -> None:
    (world.root / file_name(7)).write_text(json.dumps({"generation": 8}))
    began_s = world.clock.now_s
    with pytest.raises(LeaseRefused, match="generation 7 cannot be read as a record and counts as held") as refused:
        world.take()
    assert refused.value.reason == "takeover-deadline"
    assert world.clock.now_s - began_s >= TIMING.takeover_deadline_s
    assert world.evidence.terminations == []
    assert not (world.root / file_name(8)).exists()


def test_leaving_holder_may_finish_its_stop_but_one_taken_out_as_unhealthy_is_ended_at_once(world: Newcomer) -> None:
    world.put()
    world.evidence.on_terminate = lambda _is_forced: world.evidence.say("terminated")
    world.evidence.group = GroupAnswer(me=ARRIVING, holder=replace(LEAVING, is_healthy=False))
    began_s = world.clock.now_s
    assert world.take().hold.record.generation == 8
    assert world.clock.now_s - began_s < 5
    assert world.evidence.terminations == [False]

    world.put(generation=9)
    world.evidence.say("running")
    world.evidence.group = GroupAnswer(me=ARRIVING, holder=LEAVING)
    world.clock.at(10, lambda: world.put(generation=9, is_released=True) and None)
    assert world.take().hold.record.generation == 10
    assert world.evidence.terminations == [False], "shot while it stopped gracefully"
