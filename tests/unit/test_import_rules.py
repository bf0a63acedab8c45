"""Who may import whom (pyproject.toml, [tool.importlinter]), tests included, and that the rules can be broken."""

from __future__ import annotations

import ast
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


def borrowed(text: str) -> list[str]:
    """The test modules and conftest files that a module of the tests imports from."""
    names = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = "." * node.level + (node.module or "")
            names += [base, *(f"{base}.{name.name}" for name in node.names)]
    return [
        name
        for name in names
        if name.startswith((".", "tests")) and name.rpartition(".")[2].startswith(("test_", "conftest"))
    ]


def test_no_test_module_imports_from_another_one() -> None:
    """What several of them need is in tests/kit, or in a module beside them that is no test."""
    texts = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests").glob("**/*.py"))}
    found = {str(path.relative_to(ROOT)): borrowed(text) for path, text in texts.items() if borrowed(text)}
    assert found == {}


@pytest.mark.parametrize(
    "line",
    [
        "from tests.unit.lab.test_demo import run",
        "from tests.unit.lab import test_demo",
        "from tests.process.conftest import REGION",
        "from .conftest import REGION",
        "from . import conftest",
        "def late():\n    import tests.unit.lab.test_demo",
    ],
)
def test_a_borrowed_name_is_seen(line: str) -> None:
    assert borrowed(line)
    assert not borrowed("from tests.kit.clock import FakeClock\nfrom tests.contract import stack_readers")
