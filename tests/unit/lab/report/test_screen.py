"""The live display: every screen fits, says the state in words, and plain output tells every event once."""

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from lab.report.live import Display
from lab.report.model import Event
from lab.report.screen import screen
from lab.report.snapshot import InterfaceRow, MachineRow, Snapshot

MACHINES = tuple(
    MachineRow(instance_id=f"i-0f00dcafe0000000{n}", zone=f"us-east-1{'abc'[n % 3]}", image_version="1",
               state="running", lifecycle="InService", age_s=100.0 - n)
    for n in range(7)
)  # fmt: skip
FULL = Snapshot(
    now_s=61.3,
    scene="crash",
    doing="waiting for the group to replace i-0f00dcafe00000001, which takes a while " * 3,
    machines=MACHINES,
    interfaces=tuple(
        InterfaceRow(zone=f"us-east-1{z}", id=f"eni-{z * 17}", address=f"10.0.10{n}.10",
                     attached_to="i-0f00dcafe00000001" if z == "b" else "")
        for n, z in enumerate("abc")
    ),
    record_name="influxdb.monitoring.example.internal",
    record_value="10.0.101.10",
    acknowledged=9127,
    per_second=(80,) * 100 + (0,) * 5 + (40,),
    gap_s=0.2,
    events=tuple(Event(at_s=float(n), sentence=f"event {n} " + "x" * 200) for n in range(40)),
)  # fmt: skip
EMPTY = Snapshot(now_s=0.0, scene="", doing="")


@pytest.mark.parametrize("snapshot", [FULL, EMPTY], ids=["full", "empty"])
@pytest.mark.parametrize(("width", "height"), [(80, 24), (120, 40), (200, 60), (40, 10), (10, 3)])
@pytest.mark.parametrize("unicode", [True, False])
def test_a_screen_has_exactly_its_size(snapshot: Snapshot, width: int, height: int, *, unicode: bool) -> None:
    lines = screen(snapshot, width, height, unicode=unicode).plain.split("\n")
    assert len(lines) == height
    assert max(cell_len(line) for line in lines) <= width
    assert unicode or all(line.isascii() for line in lines)


def test_the_columns_that_matter_are_whole_on_a_small_terminal() -> None:
    text = screen(FULL, 80, 24).plain
    assert " i-0f00dcafe00000006  us-east-1a  1     running       InService            94 s" in text
    assert ">us-east-1b  eni-bbbbbbbbbbbbbbbbb 10.0.101.10      on i-0f00dcafe00000001" in text
    assert " us-east-1c  eni-ccccccccccccccccc 10.0.102.10      free" in text
    assert "influxdb.monitoring.example.internal -> 10.0.101.10" in text
    assert "acknowledged writes   9,127 in all   40 / s   answering" in text


def test_the_newest_machines_and_events_are_shown() -> None:
    text = screen(FULL, 80, 24).plain
    assert "i-0f00dcafe00000006" in text
    assert "i-0f00dcafe00000002 " not in text
    assert "event 39" in text
    assert "event 0 " not in text


@pytest.mark.parametrize(
    ("gap_s", "words"),
    [(None, "not answering yet"), (0.99, "answering"), (1.0, "AWAY for 1.0 s"), (12.34, "AWAY for 12.3 s")],
)
def test_the_outage_clock_is_in_words(gap_s: float | None, words: str) -> None:
    line = screen(Snapshot(now_s=1.0, scene="s", doing="d", gap_s=gap_s), 80, 24).plain
    assert f"0 / s   {words}\n" in line


def test_seconds_without_writes_are_visible_in_the_sparkline() -> None:
    lines = screen(FULL, 80, 24, unicode=False).plain.split("\n")
    line = next(line for line in lines if "_____" in line)
    assert line.endswith("#_____="), line
    assert len(line) == 79


def test_control_characters_of_a_console_do_not_reach_the_terminal() -> None:
    bad = Snapshot(now_s=1.0, scene="s", doing="a\nb", events=(Event(at_s=1.0, sentence="x\x1b[2J\ny"),))
    text = screen(bad, 80, 24).plain
    assert " a b\n" in text
    assert "x [2J y" in text
    out = io.StringIO()
    Display(lambda: bad, console=Console(file=out, width=80)).tell(bad)
    assert out.getvalue() == "    1.0 s  x [2J y\n"


def test_plain_output_tells_every_event_once() -> None:
    out = io.StringIO()
    display = Display(lambda: FULL, console=Console(file=out, width=80))
    display.tell(Snapshot(now_s=1.0, scene="s", doing="d", events=FULL.events[:2]))
    display.tell(Snapshot(now_s=2.0, scene="s", doing="d", events=FULL.events[:3]))
    lines = out.getvalue().splitlines()
    assert [line[:18] for line in lines] == ["    0.0 s  event 0", "    1.0 s  event 1", "    2.0 s  event 2"]
    assert all(len(line) > 200 for line in lines)
