"""The timeline of a boot: the same numbers in the journal, in the file below /run and in the state parameter."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path

import pytest

from bootstrap.base.state import State, render_state
from bootstrap.base.timeline import EventFile, Timeline, log_event
from tests.kit.clock import FakeClock

LINE = re.compile(
    r"^ +(?P<at>[\d.]+) s  (?P<name>[a-z-]+): (?P<outcome>[a-z]+) after (?P<took>[\d.]+) s(: (?P<detail>.*))?$"
)


def boot(clock: FakeClock, timeline: Timeline) -> None:
    """Two phases side by side, one that fails, one that never began, one that outlives the boot."""
    timeline.started("mount-data")
    clock.advance(0.5)
    timeline.started("network-interface")
    timeline.started("connection")
    clock.advance(1.25)
    timeline.finished("mount-data", "ok", "by fs-1.efs")
    clock.advance(2)
    timeline.finished("network-interface", "failed", "eni-1 is held")
    timeline.finished("service-start", "skipped")
    timeline.finished("connection", "late", "goes on in the background")
    clock.advance(60)
    timeline.finished("connection", "ok", "moved")


def test_log_and_state_parameter_tell_the_same_boot(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger="bootstrap.base.timeline")
    timeline = Timeline(clock, [log_event])
    boot(clock, timeline)
    written = json.loads(render_state(State(phase="failed", timeline=timeline.entries())))["timeline"]
    assert [(entry["name"], entry["start_s"], entry["duration_s"], entry["outcome"]) for entry in written] == [
        ("mount-data", 0.0, 1.75, "ok"),
        ("network-interface", 0.5, 3.25, "failed"),
        ("connection", 0.5, 63.25, "ok"),
        ("service-start", 3.75, 0.0, "skipped"),
    ]
    said = [match for record in caplog.records if (match := LINE.match(record.getMessage()))]
    assert [match["outcome"] for match in said if match["name"] == "connection"] == ["late", "ok"]
    last = {match["name"]: match for match in said}
    assert set(last) == {entry["name"] for entry in written}
    for entry in written:
        match = last[entry["name"]]
        assert float(match["took"]) == entry["duration_s"]
        assert float(match["at"]) == entry["start_s"] + entry["duration_s"]
        assert (match["outcome"], match["detail"] or "") == (entry["outcome"], entry.get("detail", ""))


def test_every_start_is_said_when_it_happens_so_that_a_hang_has_a_last_line(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="bootstrap.base.timeline")
    timeline = Timeline(clock, [log_event])
    clock.advance(1.5)
    timeline.started("mount-data")
    assert [record.getMessage() for record in caplog.records] == ["   1.500 s  mount-data: started"]


def test_what_ended_meanwhile_is_not_called_late(clock: FakeClock) -> None:
    timeline = Timeline(clock, [])
    timeline.started("connection")
    timeline.finished("connection", "ok", "moved")
    assert timeline.finished("connection", "late").outcome == "ok"
    assert [(entry.name, entry.outcome) for entry in timeline.entries()] == [("connection", "ok")]


def test_the_file_has_a_line_per_event_and_without_it_the_boot_goes_on(
    clock: FakeClock, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "timeline.jsonl"
    boot(clock, Timeline(clock, [EventFile(path)]))
    events = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(event["event"], event["name"]) for event in events[:3]] == [
        ("started", "mount-data"),
        ("started", "network-interface"),
        ("started", "connection"),
    ]
    assert events[-1]["outcome"] == "ok"
    boot(clock, Timeline(clock, [EventFile(tmp_path / "gone" / "timeline.jsonl")]))
    assert "No such file or directory" in caplog.text
