"""Schedules and their runs: the same from a seed, made smaller when they fail, told, with the command's exit code."""

import json
from pathlib import Path
from typing import cast

import pytest

from lab.base.errors import LabPreconditionError, LabTimeout
from lab.chaos import actor
from lab.chaos.__main__ import OUT, chosen, play_all
from lab.chaos.checker import Violation
from lab.chaos.history import Generation, History, ServerWrite
from lab.chaos.runs import ChaosLab, Run, steady_since
from lab.chaos.schedule import Fault, Kind, LeaseTimings, Schedule, generate, schedule_from_json
from lab.chaos.service_file import TIMINGS, write_service_file
from lab.chaos.shrink import shrink, smaller
from lab.chaos.story import summary, tell
from lab.image.images import SERVICE
from lab.report.model import Event
from services.load import load_service

LEASE = LeaseTimings(renew_deadline_s=6.0, lease_duration_s=18.0)
MANY = [generate(seed, LEASE) for seed in range(600)]


def test_a_seed_always_gives_the_same_schedule_and_another_seed_another_one() -> None:
    assert generate(7, LEASE) == generate(7, LEASE)
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
    assert any(for_s < LEASE.renew_deadline_s for for_s in lasting)
    assert any(for_s > LEASE.lease_duration_s for for_s in lasting)
    assert not any(LEASE.renew_deadline_s < for_s < LEASE.lease_duration_s for for_s in lasting)


@pytest.mark.parametrize(
    "wrong", [{}, {"seed": 1, "faults": [{"kind": "flood", "at_s": 1.0}]}, {"seed": 1, "faults": [{"at": 1}]}]
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


# ------------------------------------------------------------------ runs
HISTORY = History(
    acknowledged={"w1": frozenset({1, 2})},
    stored={"w1": {1: 1, 2: 1}},
    writes=(ServerWrite(at_s=1.0, machine="i-a"), ServerWrite(at_s=2.0, machine="i-b")),
    generations=(Generation(number=1, holder="i-a", seen_s=0.0), Generation(number=2, holder="i-b", seen_s=1.5)),
)
OVERLAP = Violation(rule="overlap", sentence="i-a wrote")


def run(schedule: Schedule, *violations: Violation) -> Run:
    events = (Event(at_s=100.0, sentence="fault: crash"), Event(at_s=103.5, sentence="i-b serves"))
    return Run(schedule=schedule, history=HISTORY, violations=violations, events=events, duration_s=31.0)


class FakeLab:
    """Plays nothing; a schedule with a fault of one of the kinds in `bad` has a violation."""

    def __init__(self, out: Path, *bad: str, breaks_after: int = 1000) -> None:
        self.out = out
        self.bad = bad
        self.played: list[Schedule] = []
        self._breaks_after = breaks_after

    def play(self, schedule: Schedule) -> Run:
        if len(self.played) >= self._breaks_after:
            raise LabTimeout("a service that serves: not within 150 s")
        self.played.append(schedule)
        is_bad = any(fault.kind in self.bad for fault in schedule.faults)
        return run(schedule, *([OVERLAP] if is_bad else []))


def play(lab: FakeLab, *, runs: int, seed: int = 1, reruns: int | None = 6) -> int:
    return play_all(cast(ChaosLab, lab), chosen(None, runs, seed)[0], reruns, lab.out)


@pytest.mark.parametrize(
    ("times_s", "now_s", "expected"),
    [((1.0, 1.5, 2.0), 2.5, 1.0), ((1.0, 5.0, 5.5), 6.0, 5.0), ((1.0, 1.5), 6.0, None), ((), 6.0, None)],
)
def test_steady_is_since_the_last_gap(times_s: tuple[float, ...], now_s: float, expected: float | None) -> None:
    assert steady_since(times_s, now_s) == expected


def test_a_good_run_is_one_line_a_bad_one_names_rule_events_and_how_to_play_it_again() -> None:
    schedule = Schedule(seed=7, faults=())
    assert tell(run(schedule)) == "good: 2 acknowledged, written by i-a -> i-b, 31 s"
    text = tell(run(schedule, OVERLAP), with_events=True)
    assert text.startswith("VIOLATED: overlap: i-a wrote")
    assert "3.5 s  i-b serves" in text
    assert text.endswith("play it again: make chaos RUNS=1 SEED=7")


def test_all_schedules_good_is_exit_code_0_with_consecutive_seeds(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lab = FakeLab(tmp_path)
    assert play(lab, runs=4, seed=11) == 0
    assert [schedule.seed for schedule in lab.played] == [11, 12, 13, 14]
    assert "4 schedules played, 0 with violations" in capsys.readouterr().out


def test_a_violation_is_exit_code_1_and_is_made_smaller(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    lab = FakeLab(tmp_path, "freeze", "crash", "cut-efs")
    assert play(lab, runs=30) == 1
    said = capsys.readouterr().out
    assert "VIOLATED: overlap" in said
    assert "the smallest schedule that failed" in said
    assert len(lab.played[-1].faults) <= len(next(s for s in lab.played if s.seed == lab.played[-1].seed).faults)


def test_keeping_going_plays_all_and_still_fails(tmp_path: Path) -> None:
    lab = FakeLab(tmp_path, "freeze", "crash", "cut-efs")
    assert play(lab, runs=30, reruns=None) == 1
    assert [schedule.seed for schedule in lab.played] == list(range(1, 31))


def test_a_lab_that_breaks_while_shrinking_still_tells_the_story(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    probe = FakeLab(tmp_path, "freeze", "crash", "cut-efs")
    play(probe, runs=30, reruns=0)
    lab = FakeLab(tmp_path, "freeze", "crash", "cut-efs", breaks_after=len(probe.played))
    assert play(lab, runs=30) == 1
    assert "the lab can play no more runs" in capsys.readouterr().out


SCHEDULE = Schedule(
    seed=7, faults=(Fault(kind="crash", at_s=1.0), Fault(kind="freeze", at_s=3.0, for_s=20.0, is_replaced=True))
)


def test_shrinking_leaves_the_first_failure_as_it_was_and_writes_the_smallest_beside_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    lab = FakeLab(tmp_path, "freeze")
    assert play_all(cast(ChaosLab, lab), [SCHEDULE], 20, tmp_path) == 1
    assert chosen(tmp_path / "seed-7.json", 1, 1)[0] == [SCHEDULE]
    (smallest,), _ = chosen(tmp_path / "seed-7.small.json", 1, 1)
    assert smallest.faults == (Fault(kind="freeze", at_s=1.0, for_s=1.2),)
    assert f"make chaos SCHEDULE={tmp_path}/seed-7.small.json" in capsys.readouterr().out


def test_what_cannot_be_made_smaller_has_no_second_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "seed-7.small.json").write_text("of an earlier run")
    lab = FakeLab(tmp_path, "crash")
    one = Schedule(seed=7, faults=(Fault(kind="crash", at_s=1.0),))
    assert play_all(cast(ChaosLab, lab), [one], 20, tmp_path) == 1
    assert {path.name for path in tmp_path.iterdir()} == {"seed-7.json"}
    assert "make chaos RUNS=1 SEED=7" in capsys.readouterr().out


def test_a_schedule_that_a_run_has_written_is_played_again_without_writing_over_that_run(tmp_path: Path) -> None:
    play(FakeLab(tmp_path), runs=1, seed=12)
    (schedule,), out = chosen(tmp_path / "seed-12.json", 3, 1)
    assert schedule == generate(12, TIMINGS)
    assert out != OUT
    assert chosen(None, 3, 1)[1] == OUT


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"schedule": {"seed": 1, "faults": [{"kind": "crash", "at_s": "now"}]}}']
)
def test_a_file_without_a_schedule_is_named_before_anything_is_started(text: str, tmp_path: Path) -> None:
    file = tmp_path / "seed-1.json"
    file.write_text(text)
    with pytest.raises(LabPreconditionError, match=r"seed-1\.json: there is no schedule in it"):
        chosen(file, 1, 1)
    with pytest.raises(LabPreconditionError, match="no schedule in it"):
        chosen(tmp_path / "none.json", 1, 1)


def test_the_summary_counts() -> None:
    runs = [run(Schedule(seed=1, faults=())), run(Schedule(seed=2, faults=()), OVERLAP)]
    assert summary(runs, 62.0).startswith("2 schedules played, 1 with violations; 0 faults, 4 acknowledged writes")


def test_the_service_file_is_valid_and_its_lease_is_the_one_of_the_schedules(tmp_path: Path) -> None:
    service = load_service(write_service_file(tmp_path) / f"{SERVICE}.yaml")
    assert service.name == SERVICE
    lease = service.lease.timing()
    assert (lease.renew_deadline_s, lease.lease_duration_s) == (TIMINGS.renew_deadline_s, TIMINGS.lease_duration_s)
