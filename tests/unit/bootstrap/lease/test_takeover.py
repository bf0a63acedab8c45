"""Taking the lease: what the rules decide is done, the fence has the deadline first, and nothing is left half taken."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.errors import AgentError, DeadlineExceeded, FenceError, LeaseRefused, StopRequested
from bootstrap.base.member import Member
from bootstrap.base.threads import SystemThreads
from bootstrap.base.timing import FencePolicy, LeaseTiming
from bootstrap.lease.directory import LeaseDirectory
from bootstrap.lease.parts import LeaseParts
from bootstrap.lease.rules.observation import GroupAnswer, HolderAnswer, NoAnswer
from bootstrap.lease.rules.record import Applicant, LeaseRecord, file_name, new_record, parse_record, render_record
from bootstrap.lease.takeover import Taken, Takeover
from tests.unit.bootstrap.fakes import ME, OTHER, DirectWorker, FakeClock, FakeFence

TIMING = LeaseTiming()
IN_SERVICE = Member(lifecycle_state="InService", is_healthy=True)
ARRIVING = Member(lifecycle_state="Pending:Wait", is_healthy=True)
LEAVING = Member(lifecycle_state="Terminating:Wait", is_healthy=True)


def applicant(instance_id: str = ME, boot_id: str = "boot-1") -> Applicant:
    return Applicant(
        instance_id=instance_id,
        zone="us-east-1a",
        network_interface_id="eni-1",
        boot_id=boot_id,
        image_id="ami-1",
        agent_version="1",
    )


class FakeEvidence:
    """What EC2 and the group say; `on_terminate` is what ending the holder leads to."""

    def __init__(self) -> None:
        self.holder: HolderAnswer | NoAnswer = HolderAnswer(state="running")
        self.group: GroupAnswer | NoAnswer = GroupAnswer(me=ARRIVING, holder=None)
        self.on_terminate: Callable[[bool], str] = lambda _is_forced: ""
        self.terminations: list[bool] = []

    def gather(self, holder: str, deadline: Deadline) -> tuple[HolderAnswer | NoAnswer, GroupAnswer | NoAnswer]:
        return self.holder, self.group

    def terminate(self, holder: str, deadline: Deadline, *, is_forced: bool) -> str:
        self.terminations.append(is_forced)
        return self.on_terminate(is_forced)

    def say(self, state: str) -> str:
        self.holder = HolderAnswer(state=state)
        return ""


class World:
    def __init__(self, root: Path, clock: FakeClock) -> None:
        self.root, self.clock = root, clock
        self.worker, self.fence, self.evidence = DirectWorker(), FakeFence(clock), FakeEvidence()
        self.directory = LeaseDirectory(self.worker, str(root), clock)
        self.stops = 0
        self.stop_request = StopRequest()

    def put(self, **changes: Any) -> LeaseRecord:
        """A generation of the other instance, by its own hand."""
        plain = new_record(applicant(OTHER), TIMING, generation=7, nonce="theirs")
        record = replace(plain, **changes)
        (self.root / file_name(record.generation)).write_text(render_record(record))
        return record

    def read(self, generation: int) -> LeaseRecord | None:
        return parse_record((self.root / file_name(generation)).read_text(), generation)

    def generations(self) -> list[str]:
        return sorted(path.name for path in self.root.iterdir())

    def takeover(self, policy: FencePolicy = "proof-or-lease", boot_id: str = "boot-1") -> Takeover:
        return Takeover(
            self.parts(policy, boot_id),
            evidence=self.evidence,  # type: ignore[arg-type]
            stop_service=self.stop_service,
            nonce=lambda: "mine",
        )

    def parts(self, policy: FencePolicy = "proof-or-lease", boot_id: str = "boot-1") -> LeaseParts:
        return LeaseParts(
            directory=self.directory,
            fence=self.fence,
            clock=self.clock,
            threads=SystemThreads(),
            me=applicant(boot_id=boot_id),
            timing=TIMING,
            policy=policy,
            mounts=("/data",),
        )

    def take(self, policy: FencePolicy = "proof-or-lease", boot_id: str = "boot-1") -> Taken:
        deadline = Deadline(self.clock, TIMING.longest_wait_s + 30, "lease", self.stop_request)
        return self.takeover(policy, boot_id).run(deadline)

    def stop_service(self) -> list[str]:
        self.stops += 1
        self.fence.is_empty = self.fence.is_gone = True
        return []


@pytest.fixture
def world(tmp_path: Path, clock: FakeClock) -> World:
    return World(tmp_path, clock)


def test_first_generation_is_taken_and_the_fence_guards_from_before_it_was_sent(world: World) -> None:
    sent_s = world.clock.now_s
    taken = world.take()
    assert taken.sentence == "no generation yet: publish generation 1"
    assert taken.hold.record.generation == 1
    assert taken.hold.deadline_s == sent_s + TIMING.renew_deadline_s
    assert world.fence.memory.deadline_s == taken.hold.deadline_s
    assert world.clock.waits == [TIMING.settle_s], "one settle period and a second look"
    assert world.worker.asked.count("look") >= 3


def test_released_generation_is_followed_without_asking_anybody(world: World) -> None:
    world.put()
    world.put(is_released=True)
    world.evidence.holder = NoAnswer(reason="must not matter")
    taken = world.take("proof")
    assert taken.hold.record.generation == 8
    assert "is released" in taken.sentence
    assert world.evidence.terminations == []


def test_terminated_holder_is_followed_at_once(world: World) -> None:
    world.put()
    world.evidence.holder = HolderAnswer(state="terminated")
    taken = world.take("proof")
    assert taken.sentence == "generation 7 of i-other is terminated: publish generation 8"
    assert sum(world.clock.waits) == TIMING.settle_s


def test_silent_holder_is_terminated_and_awaited(world: World) -> None:
    world.put()
    world.evidence.on_terminate = lambda _is_forced: world.evidence.say("shutting-down")
    world.clock.at(60, lambda: world.evidence.say("terminated") and None)
    taken = world.take("proof")
    assert world.evidence.terminations == [False]
    assert taken.hold.record.generation == 8
    assert sum(world.clock.waits) >= 60, "nothing before the proof"


def test_stuck_holder_is_ended_by_force(world: World) -> None:
    world.put()
    world.evidence.on_terminate = lambda is_forced: world.evidence.say("terminated" if is_forced else "shutting-down")
    world.take("proof")
    assert world.evidence.terminations == [False, True]


def test_healthy_holder_is_never_shot_and_the_newcomer_ends_as_surplus(world: World) -> None:
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


def test_surplus_takes_over_when_the_holder_releases(world: World) -> None:
    world.put()
    world.evidence.group = GroupAnswer(me=ARRIVING, holder=IN_SERVICE)
    world.clock.at(20, lambda: world.put(is_released=True) and None)
    assert world.take().hold.record.generation == 8


def test_instance_the_group_is_ending_takes_nothing(world: World) -> None:
    world.put()
    world.evidence.group = GroupAnswer(me=LEAVING, holder=None)
    with pytest.raises(LeaseRefused, match="it is not the one to take over") as refused:
        world.take()
    assert refused.value.reason == "not-in-group"
    assert world.evidence.terminations == []


@pytest.mark.parametrize(("policy", "reason"), [("proof-or-lease", ""), ("proof", "takeover-deadline")])
def test_without_any_answer_only_the_policy_lets_time_decide(world: World, policy: FencePolicy, reason: str) -> None:
    world.put()
    world.evidence.holder = world.evidence.group = NoAnswer(reason="EndpointConnectionError")
    if reason:
        with pytest.raises(LeaseRefused, match="claims nothing without proof of death") as refused:
            world.take(policy)
        assert refused.value.reason == reason
        return
    began_s = world.clock.now_s
    assert "unchanged for 9" in world.take(policy).sentence
    assert world.clock.now_s - began_s >= TIMING.lease_duration_s


def test_refused_termination_is_asked_again_later(world: World) -> None:
    world.put()
    answers = iter(["UnauthorizedOperation", ""])

    def terminate(is_forced: bool) -> str:  # noqa: FBT001
        words = next(answers, "")
        return words or world.evidence.say("terminated")

    world.evidence.on_terminate = terminate
    assert world.take("proof").hold.record.generation == 8
    assert len(world.evidence.terminations) == 2


def test_own_generation_after_a_restart_of_the_agent_is_resumed(world: World) -> None:
    first = world.take()
    world.fence.is_empty = world.fence.is_gone = False
    second = world.take()
    assert second.hold == first.hold
    assert world.stops == 0
    assert world.generations() == [file_name(1)]


def test_own_generation_past_its_deadline_is_stopped_first(world: World) -> None:
    world.take()
    world.clock.advance(TIMING.renew_deadline_s + 1)
    world.fence.is_gone = False
    assert world.take().hold.record.generation == 2
    assert world.stops == 1


def test_own_generation_after_a_reboot_is_followed(world: World) -> None:
    world.take()
    world.fence = FakeFence(world.clock)
    taken = world.take(boot_id="boot-2")
    assert "is mine from before a reboot" in taken.sentence
    assert taken.hold.record.generation == 2


def test_nothing_is_published_while_something_of_an_earlier_run_is_left(world: World) -> None:
    world.put(is_released=True)
    world.fence.is_empty = False
    assert world.take().hold.record.generation == 8
    assert world.stops == 1


def test_fence_that_does_not_guard_fails_the_boot_and_the_generation_is_given_back(world: World) -> None:
    world.fence.memory = replace(world.fence.memory, generation=99)
    with pytest.raises(FenceError, match="older than generation 99"):
        world.take()
    record = world.read(1)
    assert record is not None
    assert record.is_released


def test_fence_that_is_not_there_fails_before_anything_is_published(world: World) -> None:
    world.fence.is_dead = True
    with pytest.raises(FenceError):
        world.take()
    assert world.generations() == []


def test_stop_while_settling_gives_the_generation_back(world: World) -> None:
    world.clock.at(TIMING.settle_s, lambda: world.stop_request.request("SIGTERM received"))
    with pytest.raises(StopRequested):
        world.take()
    record = world.read(1)
    assert record is not None
    assert record.is_released


def test_lost_race_starts_again_from_the_look(world: World) -> None:
    def rival() -> None:
        world.put(generation=2)

    world.clock.at(TIMING.settle_s, rival)
    world.evidence.holder = HolderAnswer(state="terminated")
    assert world.take().hold.record.generation == 3, "the second look found another holder"


def test_lease_directory_that_never_answers_is_a_named_refusal(world: World) -> None:
    world.worker.silent = "server away"
    with pytest.raises(AgentError, match="server away") as refused:
        world.take()
    assert refused.value.reason == "takeover-deadline"


def test_deadline_of_the_step_ends_it_whatever_the_rules_say(world: World) -> None:
    world.put()
    world.evidence.group = GroupAnswer(me=ARRIVING, holder=IN_SERVICE)
    with pytest.raises(DeadlineExceeded, match="this instance is surplus"):
        world.takeover().run(Deadline(world.clock, 10, "lease"))


def test_unreadable_record_counts_as_held(world: World) -> None:
    (world.root / file_name(7)).write_text(json.dumps({"generation": 8}))
    began_s = world.clock.now_s
    with pytest.raises(LeaseRefused, match="generation 7 cannot be read as a record and counts as held") as refused:
        world.take()
    assert refused.value.reason == "takeover-deadline"
    assert world.clock.now_s - began_s >= TIMING.takeover_deadline_s
    assert world.evidence.terminations == []
    assert not (world.root / file_name(8)).exists()


def test_leaving_holder_may_finish_its_stop_but_one_taken_out_as_unhealthy_is_ended_at_once(world: World) -> None:
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
