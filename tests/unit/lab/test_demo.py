"""The demo ends in 0, and CI believes its report, only for a whole run that healed and lost nothing."""

import json
import runpy
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab import demo
from lab.base.checkout import BUILD, CHECKOUT
from lab.client.check import Verdict
from lab.play.synthesis import Template
from lab.report.model import Event, Report, Scene
from lab.report.report_json import write_json
from tests.kit.lab_report import changed, whole_run, without


def conclude(run: Report, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = demo._conclude(run, BUILD / "demo")
    return code, capsys.readouterr().err


def test_a_whole_run_ends_in_0_and_names_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude(whole_run(), capsys) == (0, "")


def test_the_summary_says_no_outage_where_nobody_was_served_before_and_whose_times_they_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    run = changed("first boot", zone_from="")
    assert demo._conclude(run, BUILD / "demo") == 0
    said = capsys.readouterr().out
    rows = {name: next(line for line in said.splitlines() if f"  {name} " in line) for name in demo.SCENES}
    assert "done in 2.0 s" in rows["deploy"]
    assert "up after 14.2 s" in rows["first boot"]
    assert "back after 14.2 s" in rows["crash"]
    assert "outage" not in said
    assert "Times are those of this computer, not of AWS" in said


@pytest.mark.parametrize("name", demo.SCENES)
def test_a_scene_that_is_missing_or_did_not_heal_is_said_and_not_0(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert conclude(without(name), capsys) == (1, f"demo: not proven: {name}: not played\n")
    ill = changed(name, healed=False, reason="mount-failed")
    assert conclude(ill, capsys) == (1, f"demo: not proven: {name}: did not heal: mount-failed\n")


PLAYED_BY = {
    "deploy": "deploy_scene",
    "first boot": "first_boot_scene",
    "crash": "crash_scene",
    "upgrade": "upgrade_scene",
    "rollback": "rollback_scene",
}


class BareStage:
    """What `_play_scenes` needs of a stage, with nothing behind it."""

    service, record_name, zero_s = "influxdb", "influxdb.example.internal", 0.0

    def __init__(self) -> None:
        self.lab, self.control_plane, self.ledger = self, self, self
        self.said: list[str] = []
        self.say, self.record = self.said.append, lambda _name: None
        self.events: Callable[[], tuple[Event, ...]] = lambda: ()
        self.ended: list[Scene] = []
        self.note_end = self.ended.append
        self.template_sha256 = lambda _stack_name: "sha"
        self.acknowledged: Callable[[float, float], dict[str, list[int]]] = lambda _from_s, _until_s: {}


def played(monkeypatch: pytest.MonkeyPatch, scenes: dict[str, Scene], stage: Any = None) -> Report:
    def player(scene: Scene) -> Callable[..., Scene]:
        return lambda *_arguments: scene

    for name, scene in scenes.items():
        monkeypatch.setattr(demo, PLAYED_BY[name], player(scene))
    monkeypatch.setattr(
        demo, "check_losses", lambda _stage: Verdict(acknowledged=10, stored=10, lost=(), unacknowledged=0)
    )
    template = Template(stack_name="soloist-influxdb", path=Path("template.json"), sha256="sha")
    synth = whole_run().scenes[0].phases[0]
    return demo._play_scenes(stage or BareStage(), (template, synth), template, datetime(2026, 1, 1, tzinfo=UTC), 0.0)


def test_the_demo_plays_every_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    run = played(monkeypatch, {scene.name: scene for scene in whole_run().scenes})
    assert (tuple(scene.name for scene in run.scenes), run.findings) == (demo.SCENES, ())


def test_each_scene_says_what_is_done_before_it_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    stage = BareStage()
    played(monkeypatch, {scene.name: scene for scene in whole_run().scenes}, stage)
    begun = [sentence for sentence in stage.said if sentence.startswith("SCENE ")]
    assert [sentence.split(":")[0] for sentence in begun] == [
        f"SCENE {number} of 5, {name}" for number, name in enumerate(demo.SCENES, start=1)
    ]
    assert len(set(begun)) == 5


def test_after_a_scene_that_did_not_heal_the_rest_is_reported_as_not_played(monkeypatch: pytest.MonkeyPatch) -> None:
    run = played(monkeypatch, {scene.name: scene for scene in changed("crash", healed=False).scenes})
    assert run.findings == ("crash: did not heal", "upgrade: not played", "rollback: not played")


# ------------------------------------------------------------------ CI's check of the report
CHECK = runpy.run_path(str(CHECKOUT / ".ci" / "check_report.py"))
main: Callable[[str], int] = CHECK["main"]


def checked(tmp_path: Path, report: Report, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    write_json(report, tmp_path / "report.json")
    return main(str(tmp_path / "report.json")), capsys.readouterr().err


def test_a_whole_run_passes_with_its_figures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_json(whole_run(), tmp_path / "report.json")
    assert main(str(tmp_path / "report.json")) == 0
    assert capsys.readouterr().out.endswith("report.json: 9127 writes, none lost, 153 s in all\n")


def test_ci_and_demo_mean_the_same_scenes() -> None:
    assert tuple(CHECK["SCENES"]) == demo.SCENES


@pytest.mark.parametrize("name", demo.SCENES)
def test_a_missing_scene_fails_also_where_the_demo_did_not_miss_it(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, said = checked(tmp_path, replace(without(name), planned=()), capsys)
    assert code == 1
    assert "the scenes are [" in said


def test_a_finding_of_the_demo_fails(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = checked(tmp_path, changed("crash", generation_to=1), capsys)
    assert (code, "crash: the lease went from generation 1 to 1" in said) == (1, True)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"lost": 3}, "3 of 9127 writes lost"),
        ({"acknowledged": 0}, "no write was acknowledged"),
        ({"scenes": [{"name": name, "healed": name != "crash"} for name in demo.SCENES]}, "not healed: ['crash']"),
        ({"deployed_sha256": "00"}, "deployed is not what was synthesized"),
    ],
)
def test_figures_that_are_wrong_fail_whatever_the_findings_say(
    changes: dict[str, Any], sentence: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_json(whole_run(), tmp_path / "report.json")
    tree = json.loads((tmp_path / "report.json").read_text()) | changes
    (tmp_path / "report.json").write_text(json.dumps(tree))
    assert main(str(tmp_path / "report.json")) == 1
    assert sentence in capsys.readouterr().err


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"findings": [], "scenes": [{}]}'])
def test_no_report_fails(text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(str(tmp_path / "none.json")) == 1
    (tmp_path / "report.json").write_text(text)
    assert main(str(tmp_path / "report.json")) == 1
    assert capsys.readouterr().err.count("no readable report") == 2
