"""A report reaches file and parameter, is written in the background, and its failure is nobody's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from bootstrap.base.errors import CloudError
from bootstrap.base.state import State, parse_state, render_state
from bootstrap.base.timeline import EventFile, Timeline
from bootstrap.run.report import Report, image_version, reassert, write, write_file
from bootstrap.run.writer import BackgroundWriter
from tests.kit.clock import FakeClock
from tests.kit.cloud import cloud_error

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


def test_a_failure_to_look_again_fails_nothing(clock: FakeClock) -> None:
    writer = BackgroundWriter(clock, ignore, refuse)
    writer.offer(MINE)
    assert writer.attempt()
    writer.look_again()
