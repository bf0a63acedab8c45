"""Schedules: the same from a seed, bounded, of every kind, and JSON."""

import json

import pytest

from lab.chaos import actor
from lab.chaos.schedule import Fault, Kind, LeaseTimings, Schedule, generate, schedule_from_json
from lab.chaos.shrink import shrink, smaller

TIMINGS = LeaseTimings(renew_deadline_s=6.0, lease_duration_s=18.0)
MANY = [generate(seed, TIMINGS) for seed in range(600)]


def test_a_seed_always_gives_the_same_schedule_and_another_seed_another_one() -> None:
    assert generate(7, TIMINGS) == generate(7, TIMINGS)
    assert len({schedule.faults for schedule in MANY}) > 500


def test_a_schedule_survives_json() -> None:
    assert [schedule_from_json(json.loads(json.dumps(schedule.as_json()))) for schedule in MANY] == MANY


def test_every_kind_comes_up_and_can_be_carried_out() -> None:
    assert {fault.kind for schedule in MANY for fault in schedule.faults} == set(Kind) == set(actor._ACTS)


def test_every_fault_ends_and_can_be_told() -> None:
    for schedule in MANY:
        assert 1 <= len(schedule.faults) <= 3
        assert schedule.duration_s < 60.0
        assert all(fault.sentence in schedule.story for fault in schedule.faults)


@pytest.mark.parametrize("kind", ["freeze", "cut-efs", "agent-stop"])
def test_lasting_faults_are_both_shorter_than_the_renew_deadline_and_longer_than_the_lease(kind: str) -> None:
    lasting = [fault.for_s for schedule in MANY for fault in schedule.faults if fault.kind == kind]
    assert any(for_s < TIMINGS.renew_deadline_s for for_s in lasting)
    assert any(for_s > TIMINGS.lease_duration_s for for_s in lasting)
    assert not any(TIMINGS.renew_deadline_s < for_s < TIMINGS.lease_duration_s for for_s in lasting)


@pytest.mark.parametrize(
    "wrong",
    [{}, {"seed": 1, "faults": [{"kind": "flood", "at_s": 1.0}]}, {"seed": 1, "faults": [{"at": 1}]}],
)
def test_what_is_no_schedule_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="not a"):
        schedule_from_json(wrong)


FAILING = Schedule(
    seed=3,
    faults=(
        Fault(kind="crash", at_s=4.0),
        Fault(kind="freeze", at_s=6.0, for_s=20.0, is_replaced=True),
        Fault(kind="efs-restart", at_s=9.0, for_s=2.0),
    ),
)


def has_a_long_freeze(schedule: Schedule) -> bool:
    return any(fault.kind == "freeze" and fault.for_s > 6.0 and fault.is_replaced for fault in schedule.faults)


def test_shrinking_keeps_only_what_is_needed_for_the_failure() -> None:
    found = shrink(FAILING, has_a_long_freeze, reruns=50).schedule
    assert found.faults == (Fault(kind="freeze", at_s=1.0, for_s=10.0, is_replaced=True),)


def test_shrinking_stops_at_its_number_of_runs_with_a_schedule_that_failed() -> None:
    tried: list[Schedule] = []

    def fails(schedule: Schedule) -> bool:
        tried.append(schedule)
        return has_a_long_freeze(schedule)

    found = shrink(FAILING, fails, reruns=2)
    assert len(tried) == found.reruns == 2
    assert has_a_long_freeze(found.schedule)


def test_a_schedule_that_passes_when_repeated_stays_as_it_is() -> None:
    assert shrink(FAILING, lambda _schedule: False, reruns=50).schedule == FAILING


def test_smaller_schedules_are_never_empty_or_equal() -> None:
    for schedule in MANY:
        assert all(one.faults and one != schedule for one in smaller(schedule))
