"""The state fits the parameter, is read by older and newer versions, and never hides who serves."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from bootstrap.base.state import LARGEST_TEXT_BYTES, State, TimelineEntry, is_displaced, may_replace, parse_state
from bootstrap.base.state import render_state as render

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
    assert json.loads(render(STATE)) == {
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
    assert parse_state(render(STATE)) == STATE


@pytest.mark.parametrize("sentence", ["x" * 9000, "\u00e9" * 9000, "short"])
def test_the_text_never_exceeds_the_limit_and_keeps_what_programs_read(sentence: str) -> None:
    text = render(replace(LONG, sentence=sentence))
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
