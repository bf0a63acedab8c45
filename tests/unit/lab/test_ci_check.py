"""CI believes a demo only by its report: whole, healed, nothing lost."""

import json
import runpy
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lab import demo
from lab.base.checkout import CHECKOUT
from lab.report.model import Report
from lab.report.report_json import write_json
from tests.kit.lab_report import changed, whole_run, without

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
