"""Plays schedules one after the other in one running lab, and judges each.

For: `python -m lab.chaos` and tests/lab/test_one_writer.py. Guarantees: every run begins with a service that serves by
name and ends with all faults undone; the writers never stop, and a run owns the writes that were acknowledged between
its beginning and its check. Does not: choose schedules.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from lab.base.errors import LabError, LabTimeout
from lab.base.waiting import wait_for
from lab.chaos.actor import Actor
from lab.chaos.checker import Violation, check, stretches
from lab.chaos.history import History
from lab.chaos.schedule import Schedule
from lab.chaos.service_file import write_service_file
from lab.chaos.watch import Watch
from lab.client.check import Counts
from lab.hardware.probe import Kernel
from lab.image.images import IMAGE_IDS, SERVICE, Images
from lab.play.deployment import deploy
from lab.play.final_check import ask_service
from lab.play.stage import Stage, open_stage
from lab.play.synthesis import synthesize
from lab.report.model import Event

BOUND_S = 90.0  # after the last fault is undone, until the service answers by name for good
STEADY_S = 3.0  # how long it must answer without a break
BREAK_S = 1.0
BOOT_LIMIT_S = 150.0
WARM_UP_WRITES = 20
WARM_UP_LIMIT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """One schedule played, and what became of it."""

    schedule: Schedule
    history: History
    violations: tuple[Violation, ...]
    events: tuple[Event, ...]
    duration_s: float

    @property
    def acknowledged(self) -> int:
        return sum(len(numbers) for numbers in self.history.acknowledged.values())


class ChaosLab:
    """A standing lab. `open_chaos_lab` makes one."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.actor = Actor(stage)

    def await_good(self) -> None:
        wait_for(
            lambda: self.stage.standing().is_good,
            "a service that serves by its name",
            deadline_s=BOOT_LIMIT_S,
            poll_s=0.25,
            describe=lambda: self.stage.standing().missing,
        )

    def play(self, schedule: Schedule) -> Run:
        """Play a schedule and judge it. Raises LabTimeout where the service does not even serve before it."""
        self.await_good()
        with self.recording() as recording:
            self.actor.play(schedule)
        return self.judge(schedule, recording)

    @contextmanager
    def recording(self) -> Iterator[Recording]:
        """Writers at work and everything recorded; on leaving, the service has been given its time to come back."""
        recording = Recording(self.stage)
        with Watch(self.stage.lab, self.stage.service) as watch:
            recording.start()
            yield recording
            recording.await_recovery()
            recording.stop(watch)

    def judge(self, schedule: Schedule, recording: Recording) -> Run:
        history = recording.history()
        return Run(
            schedule=schedule,
            history=history,
            violations=check(history),
            events=recording.events(),
            duration_s=time.monotonic() - recording.started_s,
        )


def write_report(run: Run, path: Path) -> None:
    """Schedule, violations, generations, who wrote when and all events, as JSON; its schedule can be played again."""
    reachable_s = run.history.reachable_s
    report = {
        "schedule": run.schedule.as_json(),
        "violations": [asdict(violation) for violation in run.violations],
        "acknowledged": run.acknowledged,
        "duration_s": round(run.duration_s, 1),
        "recovery_s": None if reachable_s is None else round(reachable_s - run.history.faults_end_s, 1),
        "generations": [asdict(one) for one in run.history.generations],
        "writing": [asdict(stretch) for stretch in stretches(run.history.writes)],
        "notes": run.history.notes,
        "events": [asdict(event) for event in run.events],
    }
    path.write_text(json.dumps(report, indent=1))


class Recording:
    """What one run leaves behind."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._checked_s = math.inf
        self.started_s = time.monotonic()
        self._first_event = len(stage.events())
        self._faults_end_s = 0.0
        self._reachable_s: float | None = None
        self._told_s: float | None = None
        self._trouble = ""
        self._stored: Counts | None = None
        self._notes: list[str] = []
        self._watch: Watch | None = None

    def start(self) -> None:
        """Wait until writes of this run are acknowledged."""
        wait_for(
            lambda: len(self.times_s()) >= WARM_UP_WRITES,
            "the first acknowledged writes of the run",
            deadline_s=WARM_UP_LIMIT_S,
            describe=lambda: self._stage.lab.ledger.snapshot(time.monotonic()).last_trouble,
        )

    def times_s(self) -> tuple[float, ...]:
        """When writes of this run were acknowledged, in order."""
        return self._stage.lab.ledger.times_s(self.started_s)

    def await_recovery(self) -> None:
        """Wait until the service has answered by name for a while without a break, and all agrees; notes when."""
        self._faults_end_s = time.monotonic()
        try:
            wait_for(
                self._is_back,
                "the service after the faults",
                deadline_s=BOUND_S + STEADY_S,
                poll_s=0.25,
                describe=lambda: self._stage.standing().missing,
            )
        except LabTimeout as timeout:
            self._trouble = str(timeout)

    def _is_back(self) -> bool:
        if not self._is_steady():
            self._reachable_s = None
            return False
        if not self._stage.standing().is_good:
            return False
        self._told_s = time.monotonic()
        return True

    def _is_steady(self) -> bool:
        now_s = time.monotonic()
        steady_since_s = steady_since(self.times_s(), now_s)
        if steady_since_s is None or now_s - max(steady_since_s, self._faults_end_s) < STEADY_S:
            return False
        self._reachable_s = max(steady_since_s, self._faults_end_s)
        return True

    def stop(self, watch: Watch) -> None:
        """Ask the service what it has; what was acknowledged before the question must be in the answer."""
        self._checked_s = time.monotonic()
        if any(self.acknowledged().values()):
            try:
                self._stored = ask_service(self._stage)
            except LabTimeout as error:
                self._notes.append(str(error))
        watch.close()
        self._watch = watch

    def acknowledged(self) -> dict[str, frozenset[int]]:
        """The numbers that were acknowledged from the run's beginning to its check."""
        return self._stage.lab.ledger.acknowledged(self.started_s, self._checked_s)

    def events(self) -> tuple[Event, ...]:
        return self._stage.events()[self._first_event :]

    def history(self) -> History:
        watch = self._watch
        if watch is None:
            raise LabError("the recording has not been stopped yet")
        return History(
            acknowledged=self.acknowledged(),
            stored=self._stored,
            writes=watch.notes.writes,
            generations=watch.notes.generations,
            reported=watch.notes.reported,
            faults_end_s=self._faults_end_s,
            reachable_s=self._reachable_s,
            bound_s=BOUND_S,
            told_s=self._told_s,
            trouble=self._trouble,
            frames_lost=watch.frames_lost,
            reports_lost=self._stage.lab.ledger.snapshot(time.monotonic()).dropped,
            notes=(*self._notes, f"{watch.notes.lease_writes} lease writes"),
        )


@contextmanager
def open_chaos_lab(kernel: Kernel, images: Images, run_directory: Path, out: Path) -> Iterator[ChaosLab]:
    """A lab whose service has booted once. Raises LabError at the end where the control plane itself had defects."""
    out.mkdir(parents=True, exist_ok=True)
    noticed: list[str] = []  # a machine that ends while something is plugged into it is no defect under chaos
    services = write_service_file(run_directory / "services")
    template = synthesize(SERVICE, IMAGE_IDS["1"], run_directory / "cdk.out", services)
    with open_stage(kernel, images, run_directory / "run", noticed) as stage:
        deploy(stage.lab.boto3_client("cloudformation"), template)
        stage.lab.client.wait_until_reachable(120.0)
        lab = ChaosLab(stage)
        lab.await_good()
        stage.lab.start_writers(stage.record_name)
        try:
            yield lab
        finally:
            (out / "noticed.txt").write_text("\n".join([*noticed, *stage.lab.control_plane.errors]) + "\n")
        if stage.lab.control_plane.errors:
            raise LabError(f"the control plane had defects: {'; '.join(stage.lab.control_plane.errors)[-2000:]}")


def steady_since(times_s: tuple[float, ...], now_s: float) -> float | None:
    """The beginning of the last stretch of acknowledgements without a break, None when it is silent now."""
    edge_s = now_s
    for at_s in reversed(times_s):
        if edge_s - at_s > BREAK_S:
            break
        edge_s = at_s
    return None if edge_s == now_s else edge_s
