"""Who may import whom (pyproject.toml, [tool.importlinter]), and that the rules can be broken."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]


def test_the_import_rules_hold(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == 0, capsys.readouterr().out


def test_a_broken_rule_is_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for package, text in {"agent_copy": "import lab_copy\n", "lab_copy": ""}.items():
        (tmp_path / package).mkdir()
        (tmp_path / package / "__init__.py").write_text(text)
    (tmp_path / "rules.toml").write_text(
        '[tool.importlinter]\nroot_packages = ["agent_copy", "lab_copy"]\n'
        '[[tool.importlinter.contracts]]\nname = "never the lab"\ntype = "forbidden"\n'
        'source_modules = ["agent_copy"]\nforbidden_modules = ["lab_copy"]\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert lint_imports(config_filename=str(tmp_path / "rules.toml"), no_cache=True) != 0
