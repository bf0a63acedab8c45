"""An entry of the log of takeovers is one short line, and whatever else stands in the log hides none."""

from dataclasses import replace

import pytest

from bootstrap.base.state import TimelineEntry
from bootstrap.base.takeovers import LARGEST_LINE, LONGEST_WHY, Takeover, parse_takeovers, render_takeover
from bootstrap.machine import data_child

PHASE = TimelineEntry(name="lease", start_s=1.0, duration_s=2.5, outcome="ok")
ENTRY = Takeover(
    generation=7,
    at="2026-01-01T00:00:00Z",
    predecessor_generation=6,
    predecessor_id="i-0",
    instance_id="i-1",
    zone="us-east-1a",
    image_id="ami-1",
    image_version="2",
    ground="terminated",
    why="EC2 says that i-0 is terminated",
    ready_after_s=12.5,
    phases=(PHASE,),
)


def test_what_is_written_is_read_back_the_newest_first() -> None:
    lines = [render_takeover(replace(ENTRY, generation=number)) for number in (7, 8)]
    assert [each.generation for each in parse_takeovers("\n".join(lines))] == [8, 7]
    assert parse_takeovers(lines[0]) == (ENTRY,)


def test_details_stay_out_and_a_long_reason_is_cut() -> None:
    long = replace(ENTRY, why="é" * 5000, phases=(replace(PHASE, detail="x" * 5000),) * 200)
    line = render_takeover(long)
    assert len(line) <= LARGEST_LINE == data_child.LARGEST_LINE
    assert line.isascii()
    (read,) = parse_takeovers(line)
    assert (len(read.why), read.phases[0]) == (LONGEST_WHY, PHASE)
    assert 0 < len(read.phases) < 200


@pytest.mark.parametrize(
    "garbage",
    ["", "{", "[]", "7", "\x00\ufffd", '{"generation": 7}', "[" * 3000, '{"a":' * 3000, "x" * 5000, "9" * 5000],
)
def test_a_line_that_is_no_entry_hides_none(garbage: str) -> None:
    line = render_takeover(ENTRY)
    assert parse_takeovers(f"{line}\n{garbage}\n{line}\n{line[:-20]}") == (ENTRY, ENTRY)
