"""Each observation of a newcomer, the action that follows and the sentence that says why."""

from dataclasses import replace
from typing import Any

import pytest

from bootstrap.base.member import Member
from bootstrap.base.timing import FencePolicy
from bootstrap.lease.rules.acquire import FRESH_S, acquire_step, must_ask
from bootstrap.lease.rules.actions import Action, GiveUp, Publish, Resume, StopOwnService, Terminate, Wait
from bootstrap.lease.rules.observation import GroupAnswer, HolderAnswer, NoAnswer, Observation, OwnRemains, Seen
from bootstrap.lease.rules.record import LeaseRecord, new_record, released, renewed
from bootstrap.lease.rules.watch import GAP_S, AcquireMemory
from tests.kit.lease import ARRIVING, IN_SERVICE, LEAVING, TIMING, applicant

ME = applicant("i-new")
RECORD = new_record(applicant("i-old"), TIMING, generation=41, nonce="old")
MINE = replace(RECORD, instance_id="i-new", boot_id="boot-1", nonce="mine")
UNHEALTHY = replace(IN_SERVICE, is_healthy=False)
SILENT = NoAnswer(reason="throttled")
RUNNING, SHUTTING_DOWN, GONE = (HolderAnswer(state=state) for state in ("running", "shutting-down", "gone"))
NOTHING = OwnRemains()
COUNTED = ["Pending", "Pending:Wait", "Pending:Proceed", "InService"]  # states in which the group counts an instance


def seen(record: LeaseRecord | None, now_s: float, generation: int = 41) -> Seen:
    text = f"{record.renewals} {record.is_released}" if record else "?"
    return Seen(generation=generation, record=record, text=text, sent_s=now_s, returned_s=now_s)


def group(me: Member | None = ARRIVING, holder: Member | None = None) -> GroupAnswer:
    return GroupAnswer(me=me, holder=holder)


def said(action: Action, kind: type) -> str:
    """The sentence of an action that must be of this kind."""
    assert isinstance(action, kind), action.sentence
    return action.sentence


class Newcomer:
    """Runs steps one after the other and keeps the memory."""

    def __init__(self, policy: FencePolicy = "proof-or-lease") -> None:
        self.memory, self.policy, self.record = AcquireMemory(), policy, RECORD

    def step(
        self,
        now_s: float,
        record: LeaseRecord | None = RECORD,
        holder: HolderAnswer | NoAnswer | None = RUNNING,
        members: GroupAnswer | NoAnswer | None = None,
        **more: Any,
    ) -> Action:
        members = members if members is not None else group()
        return self.see(now_s, Observation(seen=seen(record, now_s), holder=holder, group=members, **more))

    def watch(self, from_s: float, to_s: float, *arguments: Any, **observed: Any) -> Action:
        """Look every two seconds and see the same; the action at `to_s`. All before it are waits."""
        now_s = from_s
        while now_s < to_s:
            said(self.step(now_s, *arguments, **observed), Wait)
            now_s += 2.0
        return self.step(to_s, *arguments, **observed)

    def watch_renewals(self, from_s: int, to_s: int, **observed: Any) -> list[Action]:
        """Look every five seconds, at `to_s` for the last time, and see one renewal more each time."""
        actions = []
        for now_s in range(from_s, to_s + 1, 5):
            self.record = renewed(self.record)
            actions.append(self.step(float(now_s), self.record, **observed))
        return actions

    def see(self, now_s: float, observation: Observation) -> Action:
        self.memory, action = acquire_step(
            self.memory, observation, me=ME, timing=TIMING, policy=self.policy, now_s=now_s
        )
        return action


def test_an_empty_directory_gives_generation_1() -> None:
    empty = Seen(generation=0, record=None, text="", sent_s=0.0, returned_s=0.0)
    action = Newcomer().see(0.0, Observation(seen=empty))
    assert action == Publish(generation=1, ground="first", sentence="no generation yet: publish generation 1")
    assert not must_ask(empty, ME)


@pytest.mark.parametrize(
    ("record", "holder", "why"),
    [
        (released(RECORD), None, "of i-old is released"),
        (replace(MINE, boot_id="boot-0"), None, "of i-new is mine from before a reboot"),
        (RECORD, HolderAnswer(state="terminated"), "of i-old is terminated"),
    ],
    ids=["released", "mine before a reboot", "terminated"],
)
def test_proof_is_enough_at_once(record: LeaseRecord, holder: HolderAnswer | None, why: str) -> None:
    action = Newcomer("proof").step(0.0, record, holder=holder)
    assert said(action, Publish) == f"generation 41 {why}: publish generation 42"
    assert isinstance(action, Publish)
    assert (action.generation, action.ground == "own-reboot") == (42, "reboot" in why)
    assert must_ask(seen(record, 0.0), ME) == (record == RECORD)


def test_a_restarted_agent_resumes_what_the_fence_still_guards() -> None:
    action = Newcomer().step(10.0, MINE, remains=OwnRemains(nonce="mine", fence_deadline_s=30.0))
    assert action == Resume(
        generation=41, deadline_s=30.0, sentence="generation 41 is mine and guarded for 20 s more: resume it"
    )


@pytest.mark.parametrize(("nonce", "deadline_s"), [("mine", 10.0), ("mine", None), ("another", 30.0)])
def test_a_restarted_agent_stops_what_nobody_guards_before_the_next_generation(
    nonce: str, deadline_s: float | None
) -> None:
    newcomer = Newcomer()
    remains = OwnRemains(nonce=nonce, fence_deadline_s=deadline_s, is_service_stopped=False)
    action = newcomer.step(10.0, MINE, remains=remains)
    assert said(action, StopOwnService) == (
        "generation 41 is mine but its deadline is not guarded: stop the service first"
    )
    action = newcomer.step(12.0, MINE, remains=replace(remains, fence_deadline_s=None, is_service_stopped=True))
    assert isinstance(action, Publish)
    assert (action.ground, action.generation) == ("own-restart", 42)


def test_what_is_left_of_an_earlier_generation_is_stopped_before_anything_else() -> None:
    left = OwnRemains(nonce="mine", fence_deadline_s=30.0, is_service_stopped=False)
    for record in (RECORD, released(RECORD), None, released(MINE), replace(MINE, boot_id="boot-0")):
        action = Newcomer().step(10.0, record, remains=left)
        assert action == StopOwnService(
            sentence="something of an earlier generation is left here, the highest is 41: stop it first"
        )
        assert not must_ask(seen(record, 10.0), ME, left), "asking may take long, and the service goes on meanwhile"


@pytest.mark.parametrize("policy", ["proof", "proof-or-lease"])
def test_a_holder_unknown_to_ec2_and_to_the_group_is_dead_after_its_own_lease(policy: FencePolicy) -> None:
    newcomer = Newcomer(policy)
    assert said(newcomer.watch(0.0, 89.0, holder=GONE), Wait) == (
        "generation 41 of i-old is unknown to EC2 and not in the group for 89 of 10 s, unchanged for 89 of 90 s: "
        "ask again"
    )
    assert newcomer.step(90.0, holder=GONE) == Publish(
        generation=42,
        ground="gone",
        sentence="generation 41 of i-old is unknown to EC2 and not in the group for 90 s, unchanged for 90 s: "
        "publish generation 42",
    )


def test_two_short_spells_in_which_ec2_forgets_the_holder_are_not_one() -> None:
    """Seen in the simulation (two writers for 5.6 s): nothing was asked between the two spells."""
    newcomer = Newcomer("proof")
    newcomer.watch(0.0, 88.0, members=group(holder=IN_SERVICE))
    newcomer.step(92.0, holder=GONE)
    newcomer.see(94.0, Observation(seen=NoAnswer(reason="time-out")))
    assert isinstance(newcomer.watch(103.0, 112.0, holder=GONE), Wait)
    assert isinstance(newcomer.step(114.0, holder=GONE), Publish)


@pytest.mark.parametrize("between", [RUNNING, SILENT])
def test_one_other_answer_begins_the_spell_anew(between: HolderAnswer | NoAnswer) -> None:
    newcomer = Newcomer("proof")
    newcomer.step(0.0, members=group(holder=IN_SERVICE))
    newcomer.watch(80.0, 89.0, holder=GONE)
    newcomer.step(90.0, holder=between, members=group(holder=LEAVING))
    assert isinstance(newcomer.watch(92.0, 100.0, holder=GONE), Wait)
    assert isinstance(newcomer.step(102.0, holder=GONE), Publish)


def test_a_gap_without_questions_begins_the_spell_anew() -> None:
    newcomer = Newcomer("proof")
    newcomer.watch(0.0, 89.0, holder=GONE)
    assert isinstance(newcomer.step(89.0 + GAP_S + 0.1, holder=GONE), Wait)


def test_a_holder_that_the_group_lists_or_that_renews_is_not_gone() -> None:
    action = Newcomer("proof").watch(0.0, 200.0, holder=GONE, members=group(holder=IN_SERVICE))
    assert said(action, Wait) == "generation 41 of i-old is unknown to EC2, but listed by the group: ask again"
    assert all(isinstance(action, Wait) for action in Newcomer("proof").watch_renewals(0, 195, holder=GONE))


def test_a_holder_that_recovers_after_a_refused_request_to_terminate_it_is_spared() -> None:
    newcomer, record = Newcomer(), renewed(RECORD)
    assert isinstance(newcomer.watch(0.0, 90.0, members=group(holder=IN_SERVICE)), Terminate)
    action = newcomer.step(92.0, record, members=group(holder=IN_SERVICE))
    assert isinstance(action, Wait)
    assert action.is_surplus
    assert isinstance(newcomer.step(120.0, renewed(record), members=group(holder=IN_SERVICE)), Wait)


def test_an_old_answer_does_not_count_as_a_request_to_terminate() -> None:
    """Seen in the simulation: the newcomer woke with old answers, waited for new ones, and shot all the same."""
    newcomer = Newcomer()
    newcomer.watch(0.0, 88.0, members=group(holder=IN_SERVICE))
    stale = Observation(seen=seen(RECORD, 92.0), holder=RUNNING, group=group(holder=IN_SERVICE), asked_s=90.0)
    assert isinstance(newcomer.see(130.0, stale), Wait)
    assert newcomer.step(131.0, renewed(RECORD), members=group(holder=IN_SERVICE)).is_surplus  # type: ignore[union-attr]


def test_nobody_is_terminated_on_an_old_answer() -> None:
    """Seen in the simulation: an instance that was paused woke and shot the holder, which had recovered."""
    newcomer = Newcomer()
    stale = Observation(seen=seen(RECORD, 100.0), holder=RUNNING, group=group(holder=UNHEALTHY), asked_s=80.0)
    assert said(newcomer.see(100.0, stale), Wait) == (
        "generation 41 of i-old is running; look once more before it is terminated"
    )
    assert isinstance(newcomer.see(101.0, replace(stale, seen=seen(RECORD, 101.0), asked_s=100.5)), Terminate)
    old_look = replace(stale, seen=seen(RECORD, 101.0), asked_s=103.0)
    assert isinstance(newcomer.see(101.0 + FRESH_S + 0.1, old_look), Wait)


@pytest.mark.parametrize("state", COUNTED)
def test_a_holder_that_renews_makes_the_newcomer_surplus_and_is_never_shot(state: str) -> None:
    """A newcomer may meet a holder that is itself still arriving: it serves, its launch hook is not yet answered."""
    members = group(holder=Member(lifecycle_state=state, is_healthy=True))
    *waits, last = Newcomer().watch_renewals(0, 300, members=members)
    surplus = "generation 41 of i-old is healthy and renews: this instance is surplus"
    assert waits == [Wait(pause_s=1.5, is_surplus=True, sentence=f"{surplus} and waits for a release")] * 60
    assert last == GiveUp(reason="surplus", sentence=f"{surplus}, and was not needed for 300 s")


@pytest.mark.parametrize("state", COUNTED)
def test_a_counted_holder_is_spared_by_its_renewals_and_not_by_its_state(state: str) -> None:
    newcomer = Newcomer()
    members = group(holder=Member(lifecycle_state=state, is_healthy=True))
    for now_s in (0.0, 45.0, 89.0):
        assert isinstance(newcomer.step(now_s, members=members), Wait)
    action = newcomer.step(90.0, members=members)
    assert isinstance(action, Terminate)
    assert (action.instance_id, action.is_forced) == ("i-old", False)
    assert action.sentence == (
        "generation 41 of i-old is running and neither renews nor drains: terminate it without the shutdown of its "
        "system"
    )


@pytest.mark.parametrize(("me", "holder"), [(ARRIVING, ARRIVING), (IN_SERVICE, ARRIVING), (ARRIVING, IN_SERVICE)])
def test_two_that_arrive_and_both_renew_shoot_neither(me: Member, holder: Member) -> None:
    """Launched before the other ended: whichever holds is Pending:Wait for the other as well."""
    actions = Newcomer().watch_renewals(0, 290, members=group(me=me, holder=holder))
    assert all(isinstance(action, Wait) for action in actions)


def test_a_holder_that_is_leaving_gets_time_to_stop_gracefully() -> None:
    *waits, last = Newcomer().watch_renewals(0, 150, members=group(holder=LEAVING))
    assert {said(action, Wait) for action in waits[1:]} == {
        "generation 41 of i-old is Terminating:Wait and still renews: wait for its release while it stops"
    }
    assert isinstance(waits[0], Wait)
    assert isinstance(last, Terminate)


def test_a_holder_that_is_leaving_and_does_not_renew_is_ended_after_three_periods_an_unhealthy_one_at_once() -> None:
    newcomer = Newcomer()
    assert isinstance(newcomer.step(0.0, members=group(holder=LEAVING)), Wait)
    assert isinstance(newcomer.step(14.0, members=group(holder=LEAVING)), Wait)
    assert isinstance(newcomer.step(15.0, members=group(holder=LEAVING)), Terminate)
    assert isinstance(Newcomer().step(0.0, members=group(holder=UNHEALTHY)), Terminate)


def test_shutting_down_is_waited_for_then_forced_then_left_to_the_lease() -> None:
    newcomer = Newcomer()
    action = newcomer.step(0.0, holder=SHUTTING_DOWN)
    assert said(action, Wait) == "generation 41 of i-old is shutting-down: wait until it is terminated"
    action = newcomer.step(60.0, holder=SHUTTING_DOWN)
    assert isinstance(action, Terminate)
    assert action.is_forced
    assert action.sentence.endswith("terminate it by force")
    assert newcomer.step(120.0, holder=SHUTTING_DOWN) == Publish(
        generation=42,
        ground="lease-expired",
        sentence="generation 41 of i-old is shutting-down, 120 s after the first request to terminate it; unchanged "
        "for 120 s: publish generation 42",
    )


def test_with_fence_proof_a_stuck_holder_is_waited_for_to_the_deadline() -> None:
    newcomer = Newcomer("proof")
    newcomer.step(0.0, holder=SHUTTING_DOWN)
    action = newcomer.step(299.0, holder=SHUTTING_DOWN)
    assert said(action, Wait).endswith("fence: proof claims nothing without proof of death")
    action = newcomer.step(300.0, holder=SHUTTING_DOWN)
    assert isinstance(action, GiveUp)
    assert action.reason == "takeover-deadline"


def test_a_refused_termination_leaves_the_lease() -> None:
    newcomer = Newcomer()
    newcomer.step(0.0, members=group(holder=None))
    assert said(newcomer.step(20.0, refusal="OperationNotPermitted"), Wait) == (
        "generation 41 of i-old is running and EC2 refuses to terminate it (OperationNotPermitted); "
        "unchanged for 20 of 90 s"
    )
    assert isinstance(newcomer.step(90.0, refusal="OperationNotPermitted"), Publish)


@pytest.mark.parametrize("state", ["Terminating", "Terminating:Wait", "Standby"])
def test_an_instance_the_group_is_ending_shoots_nobody(state: str) -> None:
    action = Newcomer().step(0.0, members=group(me=Member(lifecycle_state=state, is_healthy=True)))
    sentence = f"the group has this instance as {state}: it is not the one to take over"
    assert action == GiveUp(reason="not-in-group", sentence=sentence)


def test_an_instance_the_group_has_never_heard_of_asks_again_and_then_gives_up() -> None:
    action = Newcomer().watch(0.0, 30.0, members=group(me=None))
    assert said(action, GiveUp) == ("the group has not listed this instance for 30 s: it is not the one to take over")


def test_without_the_groups_word_nobody_is_shot() -> None:
    assert said(Newcomer().step(0.0, members=SILENT), Wait) == (
        "generation 41 of i-old: the group does not answer (throttled), so nobody may be terminated; "
        "unchanged for 0 of 90 s"
    )


def test_without_any_answer_the_holders_own_lease_decides() -> None:
    record = replace(RECORD, lease_duration_s=120.0)
    assert said(Newcomer().watch(0.0, 120.0, record, holder=SILENT), Publish) == (
        "generation 41 of i-old: EC2 does not answer (throttled); unchanged for 120 s: publish generation 42"
    )


def test_any_change_begins_the_wait_anew() -> None:
    newcomer = Newcomer()
    newcomer.watch(0.0, 78.0, holder=SILENT)
    assert isinstance(newcomer.watch(80.0, 168.0, renewed(RECORD), holder=SILENT), Wait)
    assert isinstance(newcomer.step(170.0, renewed(RECORD), holder=SILENT), Publish)


def test_a_hiccup_of_ec2_is_not_silence() -> None:
    newcomer = Newcomer()
    newcomer.step(0.0, members=group(holder=IN_SERVICE))
    assert isinstance(newcomer.watch(95.0, 124.0, holder=SILENT), Wait)
    assert isinstance(newcomer.step(125.0, holder=SILENT), Publish)


def test_a_question_without_an_answer_counts_from_when_it_was_asked() -> None:
    newcomer = Newcomer()
    newcomer.step(0.0, members=group(holder=IN_SERVICE))
    for asked_s in (90.0, 102.0):
        now_s = asked_s + 10.0
        silent = Observation(seen=seen(RECORD, now_s), holder=SILENT, group=group(), asked_s=asked_s)
        assert isinstance(newcomer.see(now_s, silent), Wait)
    silent = Observation(seen=seen(RECORD, 120.0), holder=SILENT, group=group(), asked_s=114.0)
    assert isinstance(newcomer.see(120.0, silent), Publish)


def test_an_expired_lease_is_judged_by_a_fresh_look_only() -> None:
    newcomer = Newcomer()
    newcomer.watch(0.0, 89.0, holder=SILENT)
    stale = Observation(seen=seen(RECORD, 91.0), holder=SILENT, group=group())
    action = newcomer.see(91.0 + FRESH_S + 0.1, stale)
    assert said(action, Wait).endswith("look once more before it is claimed")


@pytest.mark.parametrize("policy", ["proof", "proof-or-lease"])
def test_an_unreadable_record_is_held_to_the_deadline(policy: FencePolicy) -> None:
    newcomer = Newcomer(policy)
    for now_s in (0.0, 100.0, 299.0):
        action = newcomer.step(now_s, None, holder=None)
        assert action == Wait(pause_s=1.5, sentence="generation 41 cannot be read as a record and counts as held")
    action = newcomer.step(300.0, None, holder=None)
    assert action == GiveUp(
        reason="takeover-deadline",
        sentence="not taken over within 300 s: generation 41 cannot be read as a record and counts as held",
    )
    assert must_ask(seen(None, 0.0), ME)


def test_a_silent_lease_directory_has_a_deadline() -> None:
    newcomer = Newcomer()
    away = Observation(seen=NoAnswer(reason="time-out"))
    assert newcomer.see(0.0, away) == Wait(pause_s=1.5, sentence="the lease directory does not answer: time-out")
    action = newcomer.see(300.0, away)
    assert action == GiveUp(
        reason="takeover-deadline",
        sentence="not taken over within 300 s: the lease directory does not answer: time-out",
    )
