"""What the state server shows of a run, from the first second to the loss of the lease."""

import threading
from collections.abc import Callable

import pytest

from bootstrap.base.timeline import Timeline
from bootstrap.lease.keeper import Lost
from bootstrap.run.report import Report
from bootstrap.run.shown import Shown
from tests.kit.clock import FakeClock
from tests.kit.fake_os import FakeOs
from tests.kit.lease import OTHER, TIMING
from tests.kit.wired import Wired


class Run:
    """A run whose supervisor says `is_healthy`."""

    def __init__(self, world: Wired) -> None:
        self.world = world
        clock = world.clock
        self.report = Report(clock, Timeline(clock, []), world.machine.paths.state)
        self.shown = Shown(self.report)
        self.is_healthy = True

    def serve(self, *, history: str = "") -> None:
        """`history`: why the lease directory does not answer when the past holders are read."""
        self.world.put(1, is_released=True)
        self.world.serve()
        self.report.know(generation=self.world.instance.lease.keeper.generation)
        self.shown.knows(self.world.instance)
        self.report(phase="ready", sentence="serves")
        self.world.worker.silent = history
        self.shown.serves(lambda: self.is_healthy)
        for thread in threading.enumerate():
            if thread.name == "history":
                thread.join(10)

    def unhealthy(self) -> None:
        self.is_healthy = False

    def past_the_deadline(self) -> None:
        self.world.clock.advance(TIMING.renew_deadline_s)

    def lost(self) -> None:
        self.world.instance.lease.keeper._lost = Lost(is_taken=True, sentence="taken")

    def stopping(self) -> None:
        self.report(phase="stopping", sentence="asked to")

    def given_up(self) -> None:
        self.report(phase="unhealthy", sentence="given up")


@pytest.fixture
def run(machine: FakeOs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Run:
    return Run(Wired(machine, clock, monkeypatch))


def test_a_newcomer_says_that_it_is_one(run: Run) -> None:
    run.report(phase="booting", sentence="booting in us-east-1a")
    before = run.shown.view()
    run.shown.knows(run.world.instance)
    waits = run.shown.view()
    assert before == waits
    assert (waits.role, waits.is_ready, waits.is_healthy, waits.age_s) == ("newcomer", False, False, None)


def test_the_holder_is_ready_and_shows_its_lease_its_interface_and_who_was_before(run: Run) -> None:
    run.serve()
    run.world.clock.advance(3)
    view = run.shown.view()
    assert (view.role, view.is_ready, view.serves_for_s) == ("holder", True, 3.0)
    assert view.age_s is not None
    assert view.left_s is not None
    assert 3.0 <= view.age_s < TIMING.renew_deadline_s
    assert view.age_s + view.left_s == TIMING.renew_deadline_s
    assert view.network_interface_mac == "02:00:00:00:00:42"
    assert [(past.generation, past.instance_id == OTHER) for past in view.holders] == [(2, False), (1, True)]
    assert view.holders[1].is_released


def test_the_file_system_is_shown_with_its_options_and_its_space_at_the_last_look(run: Run) -> None:
    run.serve()
    seen = run.shown.view().file_system
    assert seen is not None
    assert seen.id == "fs-1"
    assert {"rw", "hard"} <= set(seen.options.split(","))
    assert seen.total_bytes is not None
    assert seen.used_bytes is not None
    assert 0 <= seen.used_bytes <= seen.total_bytes
    run.world.machine.unmount(str(run.world.machine.paths.data_root))
    away = run.shown.view().file_system
    assert away is not None
    assert (away.options, away.total_bytes) == ("", seen.total_bytes)


@pytest.mark.parametrize(
    ("event", "seen"),
    [
        (Run.unhealthy, ("holder", False)),
        (Run.past_the_deadline, ("holder", True)),
        (Run.lost, ("former-holder", True)),
        (Run.stopping, ("former-holder", False)),
        (Run.given_up, ("holder", False)),
    ],
)
def test_whatever_ends_it_nobody_is_sent_here(run: Run, event: Callable[[Run], None], seen: tuple[str, bool]) -> None:
    run.serve()
    event(run)
    view = run.shown.view()
    assert not view.is_ready
    assert (view.role, view.is_healthy) == seen


def test_a_file_system_that_is_away_costs_the_history_and_nothing_else(run: Run) -> None:
    run.serve(history="away")
    view = run.shown.view()
    assert (view.is_ready, view.holders) == (True, ())
