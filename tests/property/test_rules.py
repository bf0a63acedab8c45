"""What holds for any input of the pure rules, one by one."""

import json
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from bootstrap.base.member import COUNTED_STATES, Member
from bootstrap.base.timing import LeaseTiming, findings
from bootstrap.fence.rules import (
    HURRY_S,
    TICK_S,
    FenceAction,
    FenceMemory,
    fence_step,
    hold_until,
    lost,
)
from bootstrap.lease.rules.acquire import acquire_step
from bootstrap.lease.rules.actions import Publish, Terminate
from bootstrap.lease.rules.observation import GroupAnswer, HolderAnswer, NoAnswer, Observation, Seen
from bootstrap.lease.rules.record import Applicant, LeaseRecord, new_record, parse_record, prunable, render_record
from bootstrap.lease.rules.renew import Hold, Renewal, after_renewal
from bootstrap.lease.rules.watch import AcquireMemory, remember

TIMING = LeaseTiming()
ME = Applicant(
    instance_id="i-me", zone="a", network_interface_id="eni-a", boot_id="b1", image_id="ami-1", agent_version="1"
)
OTHER = replace(ME, instance_id="i-other")

seconds = st.floats(0.0, 500.0)
members = st.builds(
    Member,
    lifecycle_state=st.sampled_from([*COUNTED_STATES, "Terminating:Wait", "Terminating", "Standby"]),
    is_healthy=st.booleans(),
)
no_answers = st.just(NoAnswer(reason="throttled"))
states = ("pending", "running", "stopping", "stopped", "shutting-down", "terminated", "gone")
records = st.builds(
    lambda generation, renewals, is_released: replace(
        new_record(OTHER, TIMING, generation=generation, nonce=f"n{generation}"),
        renewals=renewals,
        is_released=is_released,
    ),
    st.integers(1, 3),
    st.integers(0, 2),
    st.booleans(),
)
unreadable = st.integers(1, 3).map(lambda generation: (generation, None))
contents = st.one_of(records.map(lambda record: (record.generation, record)), unreadable, st.just((0, None)))
groups = st.builds(GroupAnswer, me=st.none() | members, holder=st.none() | members)
looks = st.tuples(
    st.floats(0.1, 60.0),
    st.none() | contents,
    st.builds(HolderAnswer, state=st.sampled_from(states)) | no_answers,
    groups | no_answers,
    st.sampled_from(("", "", "denied")),
)


def observed(look: tuple, now_s: float) -> Observation:  # type: ignore[type-arg]
    _, content, holder, group, refusal = look
    seen: Seen | NoAnswer = NoAnswer(reason="cut off")
    if content is not None:
        generation, record = content
        text = render_record(record) if record else "?"
        seen = Seen(generation=generation, record=record, text=text, sent_s=now_s - 0.02, returned_s=now_s - 0.01)
    return Observation(seen=seen, holder=holder, group=group, refusal=refusal)


@settings(max_examples=300, deadline=None, derandomize=True)
@given(st.lists(looks, min_size=1, max_size=25), st.sampled_from(("proof", "proof-or-lease")))
def test_a_newcomer_never_acts_without_grounds(found: list, policy: str) -> None:  # type: ignore[type-arg]
    memory, now_s, same_from_s, text = AcquireMemory(), 0.0, 0.0, ""
    for look in found:
        now_s += look[0]
        observation = observed(look, now_s)
        seen = observation.seen
        if isinstance(seen, Seen) and (seen.text, seen.generation) != text:
            text, same_from_s = (seen.text, seen.generation), now_s
        memory, action = acquire_step(memory, observation, me=ME, timing=TIMING, policy=policy, now_s=now_s)  # type: ignore[arg-type]
        assert action.sentence
        if isinstance(action, Terminate):
            assert isinstance(observation.group, GroupAnswer)
            assert observation.group.me is not None
            assert observation.group.me.is_counted
            assert action.instance_id == OTHER.instance_id
        if isinstance(action, Publish):
            assert isinstance(seen, Seen)
            assert action.generation == seen.generation + 1
            if action.ground == "lease-expired":
                assert policy == "proof-or-lease"
                assert seen.record is not None
                assert now_s - same_from_s >= TIMING.lease_duration_s - 0.02
            elif action.ground == "terminated":
                assert observation.holder == HolderAnswer(state="terminated")
            elif action.ground == "gone":
                assert observation.holder == HolderAnswer(state="gone")
                assert now_s - same_from_s >= TIMING.gone_confirm_s - 0.02
            elif action.ground == "released":
                assert seen.record is not None
                assert seen.record.is_released


@given(st.lists(st.tuples(st.floats(0.1, 30.0), st.booleans()), min_size=2, max_size=20))
def test_a_look_without_an_answer_adds_nothing_to_the_wait(found: list) -> None:  # type: ignore[type-arg]
    record = new_record(OTHER, TIMING, generation=1, nonce="n")
    memory, now_s, answered_s = AcquireMemory(), 0.0, []
    for step_s, is_answered in found:
        now_s += step_s
        content = (1, record) if is_answered else None
        memory = remember(memory, observed((0, content, None, None, ""), now_s), now_s)
        if is_answered:
            answered_s.append(now_s)
    longest_s = answered_s[-1] - answered_s[0] if answered_s else 0.0
    assert memory.unchanged_s <= longest_s


@given(deadline_s=seconds, now_s=seconds, is_empty=st.booleans(), is_gone=st.booleans())
def test_a_calm_look_of_the_fence_changes_nothing(
    *, deadline_s: float, now_s: float, is_empty: bool, is_gone: bool
) -> None:
    memory = FenceMemory(generation=1, deadline_s=deadline_s)
    step = fence_step(memory, is_cgroup_empty=is_empty, is_mount_gone=is_gone, timing=TIMING, now_s=now_s)
    if now_s < deadline_s:
        assert step.action is FenceAction.NOTHING
        assert step.memory == memory
        assert step.next_look_s <= deadline_s


@given(
    pauses=st.lists(st.floats(0.01, TICK_S), min_size=1, max_size=400), is_lost=st.booleans(), at_s=st.floats(0.0, 60.0)
)
def test_what_does_not_go_is_reset_at_the_end_of_the_ladder(*, pauses: list[float], is_lost: bool, at_s: float) -> None:
    memory, now_s = FenceMemory(generation=1, deadline_s=50.0), 0.0
    is_told = False
    for pause_s in pauses:
        now_s += pause_s
        if is_lost and not is_told and now_s >= at_s:
            memory, is_told = lost(memory, now_s=now_s), True
        step = fence_step(memory, is_cgroup_empty=False, is_mount_gone=False, timing=TIMING, now_s=now_s)
        memory = step.memory
        end_s = 50.0 + TIMING.stop_timeout_s + TIMING.kill_timeout_s
        assert (step.action is FenceAction.RESET) >= (now_s >= end_s)
        assert step.is_petting is (step.action is not FenceAction.RESET)
        if now_s >= 50.0 + TIMING.stop_timeout_s:
            assert step.action in (FenceAction.KILL, FenceAction.RESET)
        if step.action is not FenceAction.NOTHING:
            assert step.next_look_s <= now_s + HURRY_S + 1e-9


@given(seconds, seconds, st.integers(0, 3))
def test_nothing_rescues_a_generation_past_its_deadline(now_s: float, offered_s: float, generation: int) -> None:
    memory = FenceMemory(generation=2, deadline_s=40.0)
    after, _ = hold_until(memory, generation, offered_s, is_clear=False, now_s=now_s)
    if now_s >= 40.0 or generation != 2:
        assert after == memory
    assert after.deadline_s is not None
    assert after.deadline_s >= 40.0


@given(seconds, seconds, seconds)
def test_a_deadline_never_counts_from_later_than_the_send(sent_s: float, took_s: float, deadline_s: float) -> None:
    record = new_record(ME, TIMING, generation=1, nonce="n")
    hold, now_s = Hold(record=record, deadline_s=deadline_s), sent_s + took_s
    seen = Seen(generation=1, record=record, text="", sent_s=sent_s, returned_s=now_s)
    step = after_renewal(hold, seen, sent_s=sent_s, now_s=now_s, timing=TIMING)
    assert (step.action is Renewal.EXPIRED) == (now_s >= deadline_s)
    assert step.hold.deadline_s <= max(deadline_s, sent_s + TIMING.renew_deadline_s)


@given(records)
def test_a_record_is_read_back_as_written_also_by_an_older_agent(record: LeaseRecord) -> None:
    text = render_record(record)
    assert text.count("\n") == 1
    assert parse_record(text, record.generation) == record
    assert parse_record(text, record.generation + 1) is None
    newer = json.loads(text) | {"something_new": 1}
    assert parse_record(json.dumps(newer), record.generation) == record


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.text() | json_values.map(json.dumps), st.integers(0, 5))
def test_garbage_is_no_record_and_no_error(text: str, generation: int) -> None:
    assert parse_record(text, generation) is None


@given(records, st.sampled_from(sorted(LeaseRecord.__dataclass_fields__)), json_values)
def test_a_record_with_one_wrong_value_is_held_or_still_one(record: LeaseRecord, key: str, value: object) -> None:
    tree = json.loads(render_record(record)) | {key: value}
    found = parse_record(json.dumps(tree), record.generation)
    assert found is None or type(getattr(found, key)) in (type(value), float)


@given(st.sets(st.integers(1, 300)), st.integers(1, 300))
def test_pruning_keeps_the_held_one_and_the_last_fifty(numbers: set[int], held: int) -> None:
    strays = {f".new-generation-{number:06d}.1.a": number for number in numbers}
    names = [f"generation-{number:06d}" for number in numbers] + [*strays, ".generation-000001.tmp", "note"]
    gone = prunable(names, held)
    old = {f"generation-{number:06d}" for number in numbers if number <= held - 50}
    assert set(gone) == old | {name for name, number in strays.items() if number < held}


timings = st.builds(LeaseTiming, **{name: st.floats(0.5, 200.0) for name in LeaseTiming.__dataclass_fields__})


@given(timings)
def test_timings_without_findings_keep_the_two_inequalities(timing: LeaseTiming) -> None:
    is_renewable = 3 * timing.retry_period_s + timing.request_timeout_s <= timing.renew_deadline_s
    ladder_s = timing.renew_deadline_s + timing.stop_timeout_s + timing.kill_timeout_s
    is_apart = ladder_s + timing.watchdog_timeout_s + timing.clock_margin_s <= timing.lease_duration_s
    names = {finding.name for finding in findings(timing)}
    assert ("renew_deadline_s" in names) is not is_renewable
    assert ("lease_duration_s" in names) is not is_apart
