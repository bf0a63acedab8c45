"""The report files: shape, sentences, and a page that holds what happened."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from lab.report.model import Phase, Report, Scene, sentence
from lab.report.report_html import render, write_html
from lab.report.report_json import to_tree, write_json
from tests.kit.lab_report import report

RUN = report()

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


def test_sentences() -> None:
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


def test_the_boot_has_an_axis_of_its_own() -> None:
    text = text_of(render(RUN))
    assert "boot, seconds since its agent started metadata 0.09 s ok" in text


def test_a_scene_that_stopped_early_still_has_a_page() -> None:
    bare = Scene(name="crash", happened="machine killed", healed=False, outage_s=0.0, start_s=1.0, event_s=1.0,
                 end_s=1.0, zone_to="", ami_to="")  # fmt: skip
    assert "did not come back" in text_of(render(replace(RUN, scenes=(bare,))))
