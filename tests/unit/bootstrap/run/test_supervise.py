"""While it serves: restart here first, then have the instance replaced; reports, whose failure is nobody's."""

import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from bootstrap.base.clock import StopRequest
from bootstrap.base.errors import AgentError, CloudError, FileSystemFull, Reason
from bootstrap.base.state import State, parse_state, render_state
from bootstrap.base.timeline import EventFile, Timeline
from bootstrap.base.troubles import Untold
from bootstrap.machine.commands import Completed
from bootstrap.run.ladder import SERVING, STARTED, Rounds, ServiceAction, ServiceObservation, decide
from bootstrap.run.report import Report, image_version, reassert, write, write_file
from bootstrap.run.restarts import Restarts
from bootstrap.run.supervise import Supervisor
from bootstrap.run.upkeep import NotMended, Upkeep
from bootstrap.run.writer import BackgroundWriter
from tests.kit.clock import FakeClock
from tests.kit.cloud import cloud_error
from tests.kit.documents import document
from tests.kit.fake_os import OK, FakeOs
from tests.kit.instance import build

HEALTH = replace(document().service.health, healthy_after=2)  # allowance 30 s, interval 5 s, unhealthy after 3
WHY = "GET /ping: status 500"
SICK: dict[str, Any] = {"failures": (WHY,)}
DEAD: dict[str, Any] = {"dead_units": ("demo.service is failed",)}
WAIT, RESTART = ServiceAction.NOTHING, ServiceAction.RESTART


def missed(misses: int, *, is_healthy: bool = False, has_served: bool = True) -> Rounds:
    return Rounds(misses=misses, is_healthy=is_healthy, has_served=has_served)


@pytest.mark.parametrize(
    ("seen", "action", "sentence", "is_healthy"),
    [
        ({}, WAIT, "healthy", True),
        ({"rounds": STARTED}, WAIT, "passed 0 of the 2 rounds in a row that make it healthy", False),
        ({"stop_sentence": "SIGTERM received", **SICK}, ServiceAction.STOP, "SIGTERM received", False),
        ({**SICK, "rounds": missed(1, is_healthy=True)}, WAIT, f"missed 1 of 3: {WHY}", True),
        ({**SICK, "rounds": missed(2)}, WAIT, f"missed 2 of 3: {WHY}", False),
        ({**SICK, "rounds": missed(3)}, RESTART, f"restart the service here (1 of 3): {WHY}", False),
        (DEAD, RESTART, "restart the service here (1 of 3): demo.service is failed", False),
        (
            {**SICK, "rounds": missed(9, has_served=False), "restarted_at_s": (980.0,)},
            WAIT,
            f"unhealthy, but within the 30 s start allowance: {WHY}",
            False,
        ),
        (
            {**SICK, "rounds": missed(9), "restarted_at_s": (980.0,)},
            RESTART,
            f"restart the service here (2 of 3): {WHY}",
            False,
        ),
        (
            {**SICK, "rounds": missed(9, has_served=False), "restarted_at_s": (969.0,)},
            RESTART,
            f"restart the service here (2 of 3): {WHY}",
            False,
        ),
        (
            {**DEAD, "restarted_at_s": (991.0,)},
            WAIT,
            "restart 2 of 3 comes 10 s after the one before: demo.service is failed",
            False,
        ),
        (
            {**DEAD, "restarted_at_s": (700.0, 971.0)},
            WAIT,
            "restart 3 of 3 comes 30 s after the one before: demo.service is failed",
            False,
        ),
        (
            {**DEAD, "restarted_at_s": (700.0, 800.0, 995.0)},
            ServiceAction.REPORT_UNHEALTHY,
            "3 restarts in 900 s did not help: replace this instance: demo.service is failed",
            False,
        ),
        (
            {**DEAD, "restarted_at_s": (700.0, 800.0, 995.0), "hopeless": "it is full"},
            WAIT,
            "3 restarts in 900 s did not help, and a replacement would meet the same (it is full): stay: "
            "demo.service is failed",
            False,
        ),
        (
            {**DEAD, "restarted_at_s": (99.0, 800.0, 969.0)},
            RESTART,
            "restart the service here (3 of 3): demo.service is failed",
            False,
        ),
    ],
)
def test_each_case_is_decided(seen: dict[str, Any], action: ServiceAction, sentence: str, *, is_healthy: bool) -> None:
    decision = decide(ServiceObservation(**seen), HEALTH, 1000.0)
    assert (decision.action, decision.sentence, decision.is_healthy) == (action, sentence, is_healthy)


@pytest.mark.parametrize(
    ("rounds", "healths"),
    [
        ("..--.", "+++++"),
        ("---..-", "++--++"),
        ("---.-..", "++----+"),
        ("--.--.---.", "++++++++--"),
    ],
)
def test_health_has_two_thresholds(rounds: str, healths: str) -> None:
    """A point is a round that passes, a dash one that fails; plus and minus: what counts after it."""
    present, seen = SERVING, ""
    for each in rounds:
        present = present.after(is_passing=each == ".", health=HEALTH)
        seen += "+" if present.is_healthy else "-"
    assert seen == healths


def test_what_was_missed_counts_until_it_is_healthy_again() -> None:
    present = STARTED
    for is_passing in (False, True, False, True, False):
        present = present.after(is_passing=is_passing, health=HEALTH)
    assert present.misses == 3
    assert decide(ServiceObservation(failures=(WHY,), rounds=present), HEALTH, 1000.0).action is RESTART


class FakeGroup:
    def __init__(self) -> None:
        self.errors: list[CloudError] = []
        self.reports = 0

    def report_unhealthy(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.reports += 1


class World:
    """A supervisor whose units and probe are the fake machine's."""

    def __init__(self, machine: FakeOs, clock: FakeClock) -> None:
        self.machine, self.clock, self.group = machine, clock, FakeGroup()
        self.stop = StopRequest()
        self.said: list[str] = []
        self.beats: list[float] = []
        group: Any = self.group
        instance = replace(build(machine, clock), group=group)
        upkeep = Upkeep([], clock, self.stop, Untold())
        self.start = lambda: Supervisor(
            instance,
            upkeep,
            self.stop,
            self.said.append,
            self.beats.append,
            Restarts(machine.paths.restarts, clock),
            lambda: self.hopeless,
        )
        self.hopeless = ""
        self.supervisor = self.start()
        machine.refusing["probe"] = OK
        for unit in instance.document.service.units:
            machine.set_unit(unit, "active")

    def sicken(self) -> None:
        self.machine.refusing["probe"] = Completed(exit_code=1, output="sick")

    def starts(self) -> int:
        return sum(1 for line in self.machine.log() if line == "systemctl start --job-mode=fail demo.service")


@pytest.fixture
def world(machine: FakeOs, clock: FakeClock) -> World:
    machine.mount_data()
    return World(machine, clock)


def test_healthy_is_said_once_and_a_stop_ends_it(world: World) -> None:
    world.clock.at(60, lambda: world.stop.request("the group is terminating this instance"))
    decision = world.supervisor.run()
    assert (decision.action, decision.sentence) == (ServiceAction.STOP, "the group is terminating this instance")
    assert world.said == ["healthy", "the group is terminating this instance"]
    assert world.starts() == 0


def test_short_sickness_changes_nothing(world: World) -> None:
    world.clock.at(4, world.sicken)
    world.clock.at(13, lambda: world.machine.refusing.update(probe=OK))
    world.clock.at(100, lambda: world.stop.request("enough"))
    world.supervisor.run()
    assert world.said == [
        "healthy",
        *[f"missed {n} of 3: probe: exit code 1: sick" for n in (1, 2)],
        "healthy",
        "enough",
    ]
    assert world.starts() == 0


def test_dead_unit_is_restarted_at_once_and_serves_again(world: World) -> None:
    world.machine.set_unit("demo.service", "failed")
    assert world.supervisor.cycle().action is ServiceAction.RESTART
    assert world.supervisor.cycle().sentence == "healthy"


def test_lasting_sickness_is_three_restarts_then_a_report(world: World) -> None:
    world.sicken()
    decision = world.supervisor.run()
    assert decision.action is ServiceAction.REPORT_UNHEALTHY
    assert (world.starts(), world.group.reports) == (3, 1)


def test_restarts_wait_longer_each_time(world: World) -> None:
    world.machine.set_unit("demo.service", "failed")
    world.machine.refusing["start --job-mode=fail demo"] = Completed(exit_code=1, output="broken")
    starts = list[float]()
    while (decision := world.supervisor.cycle()).action is not ServiceAction.REPORT_UNHEALTHY:
        starts += [world.clock.now_s] if decision.action is RESTART else []
        world.clock.advance(1.0)
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert len(starts) == 3
    assert 10 <= pauses[0] < 20
    assert 30 <= pauses[1] < 40


def test_an_agent_that_is_started_again_goes_on_counting(world: World) -> None:
    world.machine.set_unit("demo.service", "failed")
    world.machine.refusing["start --job-mode=fail demo"] = Completed(exit_code=1, output="broken")
    decision = None
    for _ in range(200):
        decision = world.start().cycle()
        if decision.action is ServiceAction.REPORT_UNHEALTHY:
            break
        world.clock.advance(1.0)
    assert decision is not None
    assert decision.sentence.startswith("3 restarts in 900 s did not help: replace this instance: demo")


@pytest.mark.parametrize(
    "text", ["", "x", "{", '{"restarted_at_s":[1e9]}', '{"restarted_at_s":[-5]}', '{"restarted_at_s":[NaN]}', "[1]"]
)
def test_restarts_of_another_boot_or_a_damaged_file_count_for_nothing(
    clock: FakeClock, tmp_path: Path, text: str
) -> None:
    (tmp_path / "restarts.json").write_text(text)
    restarts = Restarts(tmp_path / "restarts.json", clock)
    assert restarts.at_s == ()
    for at_s in (1.0, 2.0, 3.0, 4.0):
        restarts.add(at_s)
    assert Restarts(tmp_path / "restarts.json", clock).at_s == (2.0, 3.0, 4.0)


def test_where_a_replacement_would_meet_the_same_nobody_is_replaced(world: World) -> None:
    world.sicken()
    world.hopeless = "the file system is full"
    world.clock.at(3000, lambda: world.stop.request("enough"))
    assert world.supervisor.run().action is ServiceAction.STOP
    assert world.group.reports == 0
    assert world.starts() > 3, "it goes on trying here"


def test_report_that_does_not_get_through_is_repeated(world: World) -> None:
    world.sicken()
    world.group.errors = [cloud_error("Throttling"), cloud_error("ReadTimeoutError")]
    world.supervisor.run()
    assert (world.group.errors, world.group.reports) == ([], 1)


def test_restart_that_fails_is_no_end(world: World) -> None:
    world.machine.set_unit("demo.service", "failed")
    world.machine.refusing["start --job-mode=fail demo"] = Completed(exit_code=1, output="broken")
    decision = world.supervisor.run()
    assert decision.action is ServiceAction.REPORT_UNHEALTHY
    assert decision.sentence.startswith("3 restarts in 900 s did not help")


# ------------------------------------------------------------------ reports
MINE = State(phase="ready", instance_id="i-1", generation=5)
SUCCESSOR = State(phase="booting", instance_id="i-2", generation=6)
SURPLUS = State(phase="booting", instance_id="i-2")


class FakeParameter:
    def __init__(self, present: State | None = None) -> None:
        self.present = render_state(present) if present else ""
        self.reads = 0

    def read(self) -> str:
        self.reads += 1
        return self.present

    def write(self, text: str) -> None:
        self.present = text


def refuse(_state: State) -> None:
    raise cloud_error("Throttling")


def ignore(_state: State) -> None:
    """Nothing to do."""


def test_a_report_is_what_is_known_with_phase_sentence_and_timeline(clock: FakeClock, tmp_path: Path) -> None:
    timeline = Timeline(clock, [])
    report = Report(clock, timeline, tmp_path / "state.json")
    report.know(instance_id="i-1", generation=5)
    timeline.started("metadata")
    timeline.finished("metadata", "ok")
    report(phase="failed", sentence="no server", reason="mount-failed")
    seen = parse_state((tmp_path / "state.json").read_text())
    assert seen == report.state
    assert seen is not None
    assert (seen.instance_id, seen.generation, seen.reason) == ("i-1", 5, "mount-failed")
    assert [entry.name for entry in seen.timeline] == ["metadata"]
    report(phase="stopped", sentence="SIGTERM received")
    assert (report.state.generation, report.state.reason) == (5, "")
    report.flush()  # there is no parameter to wait for


def test_a_trouble_is_in_log_state_and_one_notification_while_the_instance_goes_on(
    clock: FakeClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[object] = []

    class Telling:
        def begin(self, trouble: AgentError) -> None:
            told.append(trouble)

        def over(self, reason: Reason) -> None:
            told.append(reason)

    report, trouble = Report(clock, Timeline(clock, []), tmp_path / "state.json"), FileSystemFull("no space")
    report.tell(Telling())
    report(phase="ready", sentence="healthy")
    for _ in range(2):
        report.begin(trouble)
        assert (report.state.phase, report.state.reason) == ("ready", "file-system-full")
        assert report.state.sentence == f"healthy; {trouble}"
        assert parse_state((tmp_path / "state.json").read_text()) == report.state
    assert (told, report.troubles) == ([trouble], ("file-system-full",))
    assert (report.standing("file-system-full"), report.standing("failed")) == (str(trouble), "")
    assert f"file-system-full: {trouble}" in caplog.text
    report(phase="failed", sentence="gone", reason="lease-lost")
    assert (report.state.reason, report.state.sentence) == ("lease-lost", "gone")
    report(phase="ready", sentence="healthy")
    report.over("file-system-full")
    report.over("file-system-full")
    assert (report.state.reason, report.state.sentence) == ("", "healthy")
    assert told == [trouble, "file-system-full"], "each beginning has one end"


def test_an_image_that_will_be_deprecated_hides_no_other_trouble(clock: FakeClock, tmp_path: Path) -> None:
    report = Report(clock, Timeline(clock, []), tmp_path / "state.json")
    report(phase="ready", sentence="healthy")
    report.begin(NotMended("image: old", "image-deprecated"))
    assert report.state.reason == "image-deprecated"
    report.begin(FileSystemFull("no space"))
    assert report.state.reason == "file-system-full"
    assert report.state.sentence.startswith("healthy; no space")
    assert "; image: old. Bake a new image" in report.state.sentence


def test_the_writer_keeps_what_failed_and_the_latest_wins(clock: FakeClock) -> None:
    written: list[State] = []
    errors: list[CloudError] = [cloud_error("Throttling")]

    def record(state: State) -> None:
        if errors:
            raise errors.pop()
        written.append(state)

    writer = BackgroundWriter(clock, record, ignore)
    writer.offer(SURPLUS)
    assert not writer.attempt()
    assert not writer.flush(clock.deadline(10))
    writer.offer(MINE)
    assert writer.attempt()
    assert writer.flush(clock.deadline(10))
    assert writer.attempt()
    assert written == [MINE]


def test_files_that_cannot_be_written_fail_nothing(tmp_path: Path) -> None:
    write_file(tmp_path / "missing" / "state.json", "{}")
    EventFile(tmp_path / "missing" / "timeline.jsonl")({"event": "started"})
    assert image_version(tmp_path / "missing") == ""
    for text, version in (('{"version": "2"}', "2"), ("[]", ""), ("not JSON", "")):
        (tmp_path / "image.json").write_text(text)
        assert image_version(tmp_path / "image.json") == version


def test_who_leaves_writes_unless_the_successor_has_reported() -> None:
    leaving = replace(MINE, phase="stopped")
    for present, expected in ((SUCCESSOR, SUCCESSOR), (MINE, leaving), (None, leaving)):
        parameter: Any = FakeParameter(present)
        write(parameter, leaving)
        assert parse_state(parameter.present) == expected


def test_who_arrives_writes_without_asking() -> None:
    parameter: Any = FakeParameter(MINE)
    write(parameter, SUCCESSOR)
    assert (parse_state(parameter.present), parameter.reads) == (SUCCESSOR, 0)


def test_the_last_written_state_is_put_back_when_it_was_displaced(clock: FakeClock) -> None:
    parameter: Any = FakeParameter()
    writer = BackgroundWriter(clock, lambda state: write(parameter, state), lambda state: reassert(parameter, state))
    writer.look_again()
    assert parameter.reads == 0, "nothing was said yet"
    writer.offer(MINE)
    assert writer.attempt()
    parameter.write(render_state(SURPLUS))
    writer.look_again()
    assert parse_state(parameter.present) == MINE
    parameter.write(render_state(SUCCESSOR))
    writer.look_again()
    assert parse_state(parameter.present) == SUCCESSOR


def test_it_looks_again_soon_after_a_change_and_seldom_later(clock: FakeClock) -> None:
    parameter: Any = FakeParameter()
    writer = BackgroundWriter(clock, lambda state: write(parameter, state), lambda state: reassert(parameter, state))
    waits: list[float] = []

    class Over(Exception):
        pass

    def wait(event: threading.Event, timeout_s: float) -> bool:
        waits.append(timeout_s)
        if len(waits) == 7:
            writer.offer(SUCCESSOR)
        if len(waits) > 9:
            raise Over
        return event.is_set()

    clock.wait = wait  # type: ignore[method-assign]
    writer.offer(MINE)
    with pytest.raises(Over):
        writer._run()
    assert waits == [20, 20, 40, 80, 160, 180, 180, 20, 40, 80]


def test_a_failure_to_look_again_fails_nothing(clock: FakeClock) -> None:
    writer = BackgroundWriter(clock, ignore, refuse)
    writer.offer(MINE)
    assert writer.attempt()
    writer.look_again()
