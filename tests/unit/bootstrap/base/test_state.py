"""The state fits its parameter, never hides who serves, and is replaced as a whole; the timeline of a boot in it."""

import json
import logging
import re
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.files import replace_file
from bootstrap.base.state import (
    LARGEST_TEXT_BYTES,
    State,
    TimelineEntry,
    is_displaced,
    may_replace,
    parse_state,
    render_state,
)
from bootstrap.base.timeline import EventFile, Timeline, log_event
from tests.kit.clock import FakeClock

STATE = State(
    phase="ready",
    sentence="demo serves",
    instance_id="i-1",
    zone="us-east-1a",
    image_id="ami-1",
    image_version="2",
    network_interface_id="eni-1",
    address="10.0.100.10",
    connection="demo.lab.internal",
    updated_at="now",
    timeline=(TimelineEntry(name="metadata", start_s=0.123, duration_s=1.0, outcome="ok"),),
)
LONG = replace(
    STATE,
    generation=7,
    timeline=tuple(
        TimelineEntry(name=str(n), start_s=n, duration_s=1, outcome="ok", detail="y" * 500) for n in range(12)
    ),
)


def test_the_text_is_what_readers_of_the_parameter_know() -> None:
    assert json.loads(render_state(STATE)) == {
        "phase": "ready",
        "sentence": "demo serves",
        "instance_id": "i-1",
        "zone": "us-east-1a",
        "image_id": "ami-1",
        "image_version": "2",
        "network_interface_id": "eni-1",
        "address": "10.0.100.10",
        "connection": "demo.lab.internal",
        "generation": 0,
        "reason": "",
        "updated_at": "now",
        "timeline": [{"name": "metadata", "start_s": 0.123, "duration_s": 1.0, "outcome": "ok", "detail": ""}],
    }
    assert parse_state(render_state(STATE)) == STATE


@pytest.mark.parametrize("sentence", ["x" * 9000, "\u00e9" * 9000, "short"])
def test_the_text_never_exceeds_the_limit_and_keeps_what_programs_read(sentence: str) -> None:
    text = render_state(replace(LONG, sentence=sentence))
    assert len(text.encode()) <= LARGEST_TEXT_BYTES
    seen = parse_state(text)
    assert seen is not None
    assert (seen.generation, seen.phase, len(seen.timeline)) == (7, "ready", 12)
    assert seen.sentence == sentence or seen.sentence.endswith("...")


@pytest.mark.parametrize("text", ["", "not JSON", "[]", '{"phase": "dancing"}', '{"generation": "7"}', "x" * 100_000])
def test_what_is_not_a_state_is_none(text: str) -> None:
    assert parse_state(text) is None


def test_texts_of_other_versions_are_read_as_far_as_they_are_understood() -> None:
    assert parse_state('{"phase": "new"}') == State()
    assert parse_state('{"phase": "ready", "instance_id": "i-1", "mood": "good"}') == State(
        phase="ready", instance_id="i-1"
    )


def said(instance_id: str, phase: str, generation: int = 0) -> State:
    state = parse_state(json.dumps({"instance_id": instance_id, "phase": phase, "generation": generation}))
    assert state is not None
    return state


@pytest.mark.parametrize(
    ("present", "leaving", "expected"),
    [
        (said("i-2", "ready"), said("i-1", "stopped"), False),  # the successor came first
        (said("i-2", "booting"), said("i-1", "stopping"), False),
        (said("i-1", "ready"), said("i-1", "stopped"), True),
        (said("i-0", "stopped"), said("i-1", "failed"), True),
        (State(), said("i-1", "failed"), True),
        (None, said("i-1", "failed"), True),
    ],
)
def test_a_leaving_instance_never_hides_its_successor(present: State | None, leaving: State, *, expected: bool) -> None:
    assert may_replace(present, leaving) is expected


@pytest.mark.parametrize(
    ("present", "mine", "expected"),
    [
        (said("i-2", "booting", 0), said("i-1", "ready", 5), True),  # a surplus instance boots beside the holder
        (said("i-2", "failed", 0), said("i-1", "ready", 5), True),  # and has ended itself
        (said("i-2", "stopped", 4), said("i-1", "ready", 5), True),  # a predecessor that woke up late
        (said("i-2", "booting", 6), said("i-1", "ready", 5), False),  # the successor has the lease
        (said("i-2", "booting", 0), said("i-1", "failed", 5), False),  # not serving: nothing to say
        (said("i-1", "ready", 5), said("i-1", "ready", 5), False),
        (State(), said("i-1", "ready", 5), True),
        (None, said("i-1", "ready", 5), True),
        (None, said("i-1", "failed", 5), False),
    ],
)
def test_who_serves_is_displaced_only_by_who_holds_no_newer_lease(
    present: State | None, mine: State, *, expected: bool
) -> None:
    assert is_displaced(present, mine) is expected


# ------------------------------------------------------------------ the timeline
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


# ------------------------------------------------------------------ files
@pytest.mark.parametrize("is_synced", [False, True])
def test_the_content_is_replaced_and_nothing_else_is_left(tmp_path: Path, *, is_synced: bool) -> None:
    path = tmp_path / "state.json"
    for text in ("one\n", "", "Zoë\r\n"):
        replace_file(path, text, is_synced=is_synced)
        assert path.read_bytes() == text.encode()
        assert list(tmp_path.iterdir()) == [path]


def test_a_reader_keeps_the_file_it_has_opened(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    replace_file(path, "old")
    with path.open(encoding="utf-8") as reader:
        replace_file(path, "new")
        assert reader.read() == "old"
    assert path.read_text(encoding="utf-8") == "new"


def test_after_an_error_the_old_file_stays_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    replace_file(path, "old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "x" * 100_000 + "\ud800")
    assert path.read_text(encoding="utf-8") == "old"
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        replace_file(tmp_path / "taken", "text")
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "missing" / "state.json", "text")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["state.json", "taken"]


def test_many_writers_leave_one_whole_text(tmp_path: Path) -> None:
    path, texts = tmp_path / "state.json", [letter * 50_000 for letter in "abcd"]
    seen: set[str] = set()
    writers = [
        threading.Thread(target=lambda text=text: [replace_file(path, text) for _ in range(20)])  # type: ignore[misc]
        for text in texts
    ]
    replace_file(path, texts[0])
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen.add(path.read_text(encoding="utf-8"))
    assert seen <= set(texts)
    assert list(tmp_path.iterdir()) == [path]
