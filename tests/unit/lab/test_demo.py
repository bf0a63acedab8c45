"""The demo's exit code: 0 only for a whole run that healed every time, lost nothing and took the lease each time."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from lab import demo
from lab.base.checkout import BUILD
from lab.client.check import Verdict
from lab.play.synthesis import Template
from lab.report.model import Event, Report, Scene
from lab.report.report_json import to_tree
from tests.kit.lab_report import changed, whole_run, without


def conclude(run: Report, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = demo._conclude(run, BUILD / "demo")
    return code, capsys.readouterr().err


def test_a_whole_run_ends_in_0_and_names_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude(whole_run(), capsys) == (0, "")


def test_a_whole_run_is_the_five_scenes_of_the_readme() -> None:
    assert demo.SCENES == ("deploy", "first boot", "crash", "upgrade", "rollback")


@pytest.mark.parametrize("name", demo.SCENES)
def test_a_missing_scene_is_a_finding_and_not_0(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    run = without(name)
    assert conclude(run, capsys) == (1, f"demo: not proven: {name}: not played\n")
    assert to_tree(run)["findings"] == [f"{name}: not played"]


@pytest.mark.parametrize("name", demo.SCENES)
def test_a_scene_that_did_not_heal_is_not_0(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, said = conclude(changed(name, healed=False, reason="mount-failed"), capsys)
    assert (code, said) == (1, f"demo: not proven: {name}: did not heal: mount-failed\n")


@pytest.mark.parametrize(
    ("run", "finding"),
    [
        (replace(whole_run(), lost=1), "1 of 9,127 acknowledged writes lost"),
        (replace(whole_run(), acknowledged=0), "no write was acknowledged, so nothing is proven"),
        (changed("crash", generation_to=1), "crash: the lease went from generation 1 to 1"),
        (changed("rollback", generation_to=2), "rollback: the lease went from generation 3 to 2"),
        (changed("upgrade", generation_to=0), "upgrade: the lease went from generation 2 to 0"),
        (changed("crash", record_value="10.0.100.10"), "crash: the name points at 10.0.100.10, not at 10.0.101.10"),
        (replace(whole_run(), deployed_sha256="00"), "the deployed template is not the synthesized one"),
    ],
)
def test_whatever_else_is_wrong_is_not_0(run: Report, finding: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert conclude(run, capsys) == (1, f"demo: not proven: {finding}\n")


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

    def say(self, _sentence: str) -> None: ...

    def record(self, _name: str) -> None: ...

    def events(self) -> tuple[Event, ...]:
        return ()

    def template_sha256(self, _stack_name: str) -> str:
        return "sha"

    def acknowledged(self, _from_s: float, _until_s: float) -> dict[str, list[int]]:
        return {}


def played(monkeypatch: pytest.MonkeyPatch, scenes: dict[str, Scene]) -> Report:
    def player(scene: Scene) -> Callable[..., Scene]:
        return lambda *_arguments: scene

    for name, scene in scenes.items():
        monkeypatch.setattr(demo, PLAYED_BY[name], player(scene))
    monkeypatch.setattr(
        demo, "check_losses", lambda _stage: Verdict(acknowledged=10, stored=10, lost=(), unacknowledged=0)
    )
    template = Template(stack_name="soloist-influxdb", path=Path("template.json"), sha256="sha")
    synth = whole_run().scenes[0].phases[0]
    stage: Any = BareStage()
    return demo._play_scenes(stage, (template, synth), template, datetime(2026, 1, 1, tzinfo=UTC), 0.0)


def test_the_demo_plays_every_scene(monkeypatch: pytest.MonkeyPatch) -> None:
    run = played(monkeypatch, {scene.name: scene for scene in whole_run().scenes})
    assert (tuple(scene.name for scene in run.scenes), run.findings) == (demo.SCENES, ())


def test_after_a_scene_that_did_not_heal_the_rest_is_reported_as_not_played(monkeypatch: pytest.MonkeyPatch) -> None:
    run = played(monkeypatch, {scene.name: scene for scene in changed("crash", healed=False).scenes})
    assert run.findings == ("crash: did not heal", "upgrade: not played", "rollback: not played")
