"""The report files, with a page that holds what happened, and the live display, which fits and speaks in words."""

import io
import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from rich.cells import cell_len
from rich.console import Console

from lab.report.chart import outage_chart
from lab.report.live import Display
from lab.report.model import Event, InterfaceRow, MachineRow, Phase, Report, Scene, Snapshot, parts_of, sentence
from lab.report.report_html import render, write_html
from lab.report.report_json import to_tree, write_json
from lab.report.screen import screen
from tests.kit.lab_report import REPORT as RUN

SCENE_KEYS = ["name", "healed", "outage_s", "zone_from", "zone_to", "ami_from", "ami_to", "phases"]


def text_of(page: str) -> str:
    root = ElementTree.fromstring(page.split("\n", 1)[1])
    return " ".join(" ".join(root.itertext()).split())


def with_crash(**changes: object) -> Report:
    first, crash, *_ = RUN.scenes
    return replace(RUN, scenes=(first, replace(crash, **changes)))  # type: ignore[arg-type]


def test_json_has_the_promised_shape(tmp_path: Path) -> None:
    write_json(RUN, tmp_path / "demo" / "report.json")
    tree = json.loads((tmp_path / "demo" / "report.json").read_text())
    assert set(tree) >= {"scenes", "acknowledged", "lost", "template_sha256", "deployed_sha256"}
    for scene in tree["scenes"]:
        assert list(scene)[:8] == SCENE_KEYS
        assert isinstance(scene["healed"], bool)
        for phase in scene["phases"]:
            assert list(phase) == ["name", "start_s", "duration_s", "outcome"]
    first, crash, upgrade = tree["scenes"]
    assert (first["zone_from"], first["ami_from"]) == (None, None)
    assert (crash["outage_s"], crash["zone_from"], crash["zone_to"]) == (14.23, "us-east-1a", "us-east-1b")
    assert upgrade["ami_from"] != upgrade["ami_to"]
    assert (tree["ok"], tree["lost"]) == (True, 0)
    assert list((tmp_path / "demo").iterdir()) == [tmp_path / "demo" / "report.json"]


def test_both_forms_show_the_leases_generation_in_every_scene() -> None:
    first, crash, upgrade = RUN.scenes
    run = replace(RUN, scenes=(first, crash, replace(upgrade, generation_from=12, generation_to=13)))
    shown = [(scene["generation_from"], scene["generation_to"]) for scene in to_tree(run)["scenes"]]
    assert shown == [(None, 1), (1, 2), (12, 13)]
    sections = render(run).split("<section>")[1:4]
    told = [text_of(f"\n<section>{section}") for section in sections]
    for text, generation in zip(
        told,
        ("lease generation 1, the first", "lease generation 2, after 1", "lease generation 13, after 12"),
        strict=True,
    ):
        assert generation in text


def test_each_scene_is_told_in_one_sentence() -> None:
    first, crash, _ = RUN.scenes
    assert sentence(crash) == (
        "Machine killed in us-east-1a; the service answered again from us-east-1b after 14.2 s; "
        "0 of 3,412 acknowledged writes lost."
    )
    assert sentence(first).startswith("Stack deployed, the group launched its first machine; the service answered for ")
    assert sentence(replace(crash, healed=False, outage_s=120.0, reason="mount-failed", lost=2)) == (
        "Machine killed in us-east-1a; the service did not come back within 120.0 s (mount-failed); "
        "2 of 3,412 acknowledged writes lost."
    )


@pytest.mark.parametrize(
    ("changes", "scene_changes", "finding"),
    [
        ({}, {"healed": False, "reason": "mount-failed"}, "crash: did not heal: mount-failed"),
        ({}, {"record_value": "10.0.100.10"}, "crash: the name points at 10.0.100.10, not at 10.0.101.10"),
        ({}, {"record_value": ""}, "crash: the name points at nothing, not at 10.0.101.10"),
        ({}, {"generation_to": 1}, "crash: the lease went from generation 1 to 1"),
        ({}, {"generation_from": 3, "generation_to": 2}, "crash: the lease went from generation 3 to 2"),
        ({}, {"generation_to": 0}, "crash: the lease went from generation 1 to 0"),
        ({"lost": 1}, {}, "1 of 9,127 acknowledged writes lost"),
        ({"acknowledged": 0}, {}, "no write was acknowledged, so nothing is proven"),
        ({"deployed_sha256": "00"}, {}, "the deployed template is not the synthesized one"),
        ({"deployed_sha256": "", "template_sha256": ""}, {}, "the deployed template is not the synthesized one"),
    ],
)
def test_whatever_is_wrong_is_a_finding_and_in_the_headline(
    changes: dict[str, object], scene_changes: dict[str, object], finding: str
) -> None:
    bad = replace(with_crash(**scene_changes), **changes)  # type: ignore[arg-type]
    assert bad.findings == (finding,)
    assert to_tree(bad)["ok"] is False
    page = text_of(render(bad))
    assert "Not proven" in page
    assert finding in page


def test_no_scene_is_no_success() -> None:
    assert replace(RUN, scenes=()).findings == ("no scene was played",)
    assert "Not proven" in text_of(render(replace(RUN, scenes=())))


def test_the_page_is_well_formed_and_tells_everything(tmp_path: Path) -> None:
    assert RUN.findings == ()
    write_html(RUN, tmp_path / "report.html")
    page = (tmp_path / "report.html").read_text()
    text = text_of(page)
    for phase in RUN.scenes[1].phases:
        assert f"{phase.name} {phase.duration_s:.2f} s" in text
    for expected in (
        "The service came back every time, and no acknowledged write was lost.",
        "back after 14.2 s",
        "! late",
        "9,127",
        RUN.template_sha256,
        "influxdb.monitoring.example.internal",
        "i-0f00dcafe00000001 → i-0f00dcafe00000002",
        "machine i-0f00dcafe00000001 killed <by us>",
        "make demo",
        "user-mode-linux 6.1.176",
    ):
        assert expected in text


def test_the_page_loads_nothing_and_runs_nothing() -> None:
    page = render(RUN)
    root = ElementTree.fromstring(page.split("\n", 1)[1])
    assert not {"script", "link", "img", "iframe"} & {element.tag for element in root.iter()}
    assert not {"src", "href"} & {name for element in root.iter() for name in element.attrib}
    assert "url(" not in page
    assert "@import" not in page


def test_bars_lie_where_and_as_long_as_they_should() -> None:
    scene = replace(
        RUN.scenes[1], start_s=0.0, event_s=3.0, end_s=13.0, outage_start_s=3.0, outage_s=7.0,
        per_second=(9, 0),
        phases=(Phase(name="metadata", start_s=1.0, duration_s=2.0, outcome="ok"),),
    )  # fmt: skip
    root = ElementTree.fromstring(render(replace(RUN, scenes=(scene,))).split("\n", 1)[1])
    bars = [element for element in root.iter("div") if element.get("class", "").startswith("bar ")]
    # The first axis runs from 0 s to 13 s, the second one from 0 s to 3 s.
    assert [(bar.get("class"), bar.get("style")) for bar in bars] == [
        ("bar outage", "left:23.08%;width:53.84%"),
        ("bar ok", "left:33.33%;width:66.67%"),
    ]
    assert len([rect for rect in root.iter("rect") if rect.get("class") == "rate"]) == 1


@pytest.mark.parametrize(("text", "shown"), [("<b>&\"'", "<b>&\"'"), ("\x1b[31mred\x00", "[31mred")])
def test_text_of_others_cannot_break_the_page(text: str, shown: str) -> None:
    phase = Phase(name=text, start_s=0, duration_s=1, outcome=text, detail=text)
    bad = replace(with_crash(reason=text, healed=False, phases=(phase,)), machine=text, service=text)
    assert f"1.00 s ? {shown}" in text_of(render(bad)).replace("?  ", "? ")


def test_a_scene_without_an_instance_is_done_not_healed() -> None:
    phase = Phase(name="create-stack", start_s=0.0, duration_s=6.5, outcome="ok")
    deploy = Scene(name="deploy", happened="stack deployed", healed=True, outage_s=0.0, start_s=1.0, event_s=1.0,
                   end_s=7.54, zone_to="", ami_to="", phases=(phase,))  # fmt: skip
    text = text_of(render(replace(RUN, scenes=(deploy,))))
    assert "✓ done in 6.5 s" in text
    assert "Stack deployed; that took 6.5\u00a0s." in text or "Stack deployed; that took 6.5 s." in text
    assert "create-stack 6.50 s ok" in text
    assert "service away" not in text


def test_the_parts_of_the_way_back_are_drawn_below_the_outage() -> None:
    boot = (Phase(name="metadata", start_s=0.0, duration_s=1.0, outcome="ok"),
            Phase(name="ready", start_s=4.0, duration_s=0.0, outcome="ok"))  # fmt: skip
    parts = parts_of(10.0, 13.0, 22.0, boot)
    assert [(part.start_s, part.duration_s) for part in parts] == [(0.0, 3.0), (3.0, 5.0), (8.0, 4.0)]
    assert parts_of(10.0, None, 22.0, boot) == parts_of(10.0, 19.0, 22.0, boot) == parts_of(10.0, 9.0, 22.0, boot) == ()
    run = with_crash(parts=parts)
    assert to_tree(run)["scenes"][1]["parts"][0]["name"] == "noticed, until the launch"
    for expected in ("noticed, until the launch 3.0 s", "launch and system start 5.0 s", "the agent's boot 4.0 s"):
        assert expected in text_of(render(run))


def test_the_page_serves_whoever_cannot_see_it() -> None:
    page = render(RUN)
    root = ElementTree.fromstring(page.split("\n", 1)[1])
    assert [len(list(root.iter(tag))) for tag in ("main", "h1")] == [1, 1]
    labels = [svg.get("aria-label") for svg in root.iter("svg")]
    assert labels[1] == "acknowledged writes per second, up to 80; service away: 14.2 s"
    bare = [div for div in root.iter("div") if div.get("class") == "track" and div.get("aria-hidden") != "true"]
    assert bare == [], "a bar says nothing that its row's text does not say"
    text = text_of(page)
    assert text.index("not of AWS") < text.index("Stack deployed"), "whose times these are comes before the first one"


def test_only_a_service_that_was_there_before_has_an_outage() -> None:
    kinds = [[bar.kind for bar in outage_chart(scene).bars] for scene in RUN.scenes[:2]]
    assert kinds == [["part"], ["outage"]]
    root = ElementTree.fromstring(render(RUN).split("\n", 1)[1])
    areas = [rect.get("class") for rect in root.iter("rect") if rect.get("class") != "rate"]
    assert areas == ["wait", "gap", "gap"]


def test_the_boot_has_an_axis_of_its_own() -> None:
    text = text_of(render(RUN))
    assert "boot, seconds since its agent started metadata 0.09 s ok" in text


def test_a_scene_that_stopped_early_still_has_a_page() -> None:
    bare = Scene(name="crash", happened="machine killed", healed=False, outage_s=0.0, start_s=1.0, event_s=1.0,
                 end_s=1.0, zone_to="", ami_to="")  # fmt: skip
    assert "did not come back" in text_of(render(replace(RUN, scenes=(bare,))))


# ------------------------------------------------------------------ the live display
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


def test_every_scene_of_the_run_is_on_the_screen_with_its_state() -> None:
    scenes = (("deploy", "done"), ("first boot", "failed"), ("crash", "now"), ("upgrade", ""))
    shown = replace(FULL, scenes=scenes)
    assert " ✓ deploy  ✕ first boot  ▶ crash  · upgrade" in screen(shown, 80, 24).plain
    assert " + deploy  x first boot  > crash  . upgrade" in screen(shown, 80, 24, unicode=False).plain


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
