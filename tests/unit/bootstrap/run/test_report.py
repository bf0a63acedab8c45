"""The state fits the parameter, is written in the background, and its failure is nobody's."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from bootstrap.base.errors import CloudError
from bootstrap.base.timeline import Entry, Event, EventFile, Timeline
from bootstrap.machine.systemd import ServiceNotifier
from bootstrap.run.report import (
    BackgroundWriter,
    State,
    image_version,
    is_displaced,
    may_replace,
    reassert,
    render_state,
    report,
    write_file,
)
from tests.kit.clock import FakeClock
from tests.kit.cloud import cloud_error

STATE = State(
    phase="ready",
    sentence="demo serves",
    instance_id="i-1",
    zone="us-east-1a",
    image_id="ami-1",
    image_version="2",
    network_interface_id="eni-1",
    address="10.0.100.10",
    record="demo.lab.internal",
)


def entry(name: str = "metadata", detail: str = "") -> Entry:
    return Entry(name=name, start_s=0.12345, duration_s=1.0, outcome="ok", detail=detail)


def test_document_for_the_parameter() -> None:
    assert json.loads(render_state(STATE, [entry()], "now")) == {
        "phase": "ready",
        "instance_id": "i-1",
        "zone": "us-east-1a",
        "image_id": "ami-1",
        "image_version": "2",
        "network_interface_id": "eni-1",
        "address": "10.0.100.10",
        "record": "demo.lab.internal",
        "generation": 0,
        "sentence": "demo serves",
        "reason": "",
        "updated_at": "now",
        "timeline": [{"name": "metadata", "start_s": 0.123, "duration_s": 1.0, "outcome": "ok"}],
    }


def test_document_shows_the_generation_however_little_room_there_is() -> None:
    held = State(**{**STATE.__dict__, "generation": 7, "sentence": "x" * 9000})
    text = render_state(held, [entry(str(n), "y" * 500) for n in range(12)], "now")
    assert json.loads(text)["generation"] == 7


def test_document_never_exceeds_the_limit() -> None:
    long = State(**{**STATE.__dict__, "sentence": "x" * 9000})
    text = render_state(long, [entry(str(n), "y" * 500) for n in range(12)], "now")
    assert len(text.encode()) <= 4096
    assert json.loads(text)["sentence"].endswith("xxx...")
    assert len(json.loads(text)["timeline"]) == 12


def test_writer_keeps_what_failed_and_the_latest_wins(clock: FakeClock) -> None:
    written: list[str] = []
    errors: list[CloudError] = [cloud_error("Throttling")]

    def write(text: str) -> None:
        if errors:
            raise errors.pop()
        written.append(text)

    writer = BackgroundWriter(write, clock)
    writer.offer("one")
    assert not writer.attempt()
    assert not writer.flush(clock.deadline(10))
    writer.offer("two")
    assert writer.attempt()
    assert writer.flush(clock.deadline(10))
    assert writer.attempt()
    assert written == ["two"]


def test_files_that_cannot_be_written_fail_nothing(tmp_path: Path) -> None:
    write_file(tmp_path / "missing" / "state.json", "{}")
    EventFile(tmp_path / "missing" / "timeline.jsonl")({"event": "started"})
    assert image_version(tmp_path / "missing") == ""
    (tmp_path / "image.json").write_text('{"version": "2"}')
    assert image_version(tmp_path / "image.json") == "2"


def test_timeline_measures_and_tells(clock: FakeClock, tmp_path: Path) -> None:
    events: list[Event] = []
    timeline = Timeline(clock, [events.append, EventFile(tmp_path / "timeline.jsonl")])
    clock.advance(1)
    timeline.started("record")
    clock.advance(2)
    timeline.finished("record", "late")
    clock.advance(3)
    timeline.finished("record", "ok", "moved")
    timeline.finished("record", "late")
    assert [item.to_tree() for item in timeline.entries()] == [
        {"name": "record", "start_s": 1.0, "duration_s": 5.0, "outcome": "ok", "detail": "moved"}
    ]
    assert [event["event"] for event in events] == ["started", "finished", "finished"]
    assert [json.loads(line) for line in (tmp_path / "timeline.jsonl").read_text().splitlines()] == events


@pytest.mark.parametrize("is_abstract", [False, True])
def test_notifier_reaches_both_kinds_of_socket(tmp_path: Path, *, is_abstract: bool) -> None:
    address = f"@soloist-test-{tmp_path.name}" if is_abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind("\0" + address[1:] if is_abstract else address)
        channel.settimeout(5)
        assert ServiceNotifier(address).ready("two\nlines")
        assert channel.recv(1000) == b"READY=1\nSTATUS=two lines"


def test_notifier_without_a_listener_is_silent(tmp_path: Path) -> None:
    assert not ServiceNotifier("").ready("x")
    assert not ServiceNotifier(str(tmp_path / "nobody")).ready("x")


class FakeParameter:
    def __init__(self, present: str) -> None:
        self.present = present
        self.reads = 0

    def read(self) -> str:
        self.reads += 1
        return self.present

    def write(self, text: str) -> None:
        self.present = text


def said(instance_id: str, phase: str) -> str:
    return json.dumps({"instance_id": instance_id, "phase": phase})


@pytest.mark.parametrize(
    ("present", "leaving", "expected"),
    [
        (said("i-2", "ready"), said("i-1", "stopped"), False),  # the successor came first
        (said("i-2", "booting"), said("i-1", "stopping"), False),
        (said("i-1", "ready"), said("i-1", "stopped"), True),
        (said("i-0", "stopped"), said("i-1", "failed"), True),
        (json.dumps({"phase": "new"}), said("i-1", "failed"), True),
        ("not JSON", said("i-1", "failed"), True),
    ],
)
def test_leaving_instance_never_hides_its_successor(present: str, leaving: str, *, expected: bool) -> None:
    assert may_replace(present, leaving) is expected
    parameter = FakeParameter(present)
    report(parameter, leaving)  # type: ignore[arg-type]
    assert (parameter.present == leaving) is expected


def test_arriving_instance_writes_without_asking() -> None:
    parameter = FakeParameter(said("i-1", "ready"))
    report(parameter, said("i-2", "booting"))  # type: ignore[arg-type]
    assert (parameter.present, parameter.reads) == (said("i-2", "booting"), 0)


def held(instance_id: str, phase: str, generation: int) -> str:
    return json.dumps({"instance_id": instance_id, "phase": phase, "generation": generation})


@pytest.mark.parametrize(
    ("present", "mine", "expected"),
    [
        (held("i-2", "booting", 0), held("i-1", "ready", 5), True),  # a surplus instance boots beside the holder
        (held("i-2", "failed", 0), held("i-1", "ready", 5), True),  # and has ended itself
        (held("i-2", "stopped", 4), held("i-1", "ready", 5), True),  # a predecessor that woke up late
        (held("i-2", "booting", 6), held("i-1", "ready", 5), False),  # the successor has the lease
        (held("i-2", "booting", 0), held("i-1", "failed", 5), False),  # not serving: nothing to say
        (held("i-1", "ready", 5), held("i-1", "ready", 5), False),
        ("{}", held("i-1", "ready", 5), True),
        ("", held("i-1", "ready", 5), True),
    ],
)
def test_who_serves_is_displaced_only_by_who_holds_no_newer_lease(present: str, mine: str, *, expected: bool) -> None:
    assert is_displaced(present, mine) == expected


def test_the_last_written_state_is_put_back_when_somebody_has_written_over_it(clock: FakeClock) -> None:
    parameter = FakeParameter("")
    writer = BackgroundWriter(parameter.write, clock, lambda text: reassert(parameter, text))  # type: ignore[arg-type]
    writer.look_again()
    assert parameter.reads == 0  # nothing was said yet
    writer.offer(held("i-1", "ready", 5))
    assert writer.attempt()
    parameter.present = held("i-2", "booting", 0)
    writer.look_again()
    assert parameter.present == held("i-1", "ready", 5)


def test_a_failure_to_look_again_fails_nothing(clock: FakeClock) -> None:
    def refuse(_text: str) -> None:
        raise cloud_error("Throttling")

    writer = BackgroundWriter(lambda _text: None, clock, refuse)
    writer.offer(held("i-1", "ready", 5))
    assert writer.attempt()
    writer.look_again()
