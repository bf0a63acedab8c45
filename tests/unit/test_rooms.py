"""The house: the picture of docs/architecture.md is the import graph, the rules of pyproject.toml hold, no module is
long for no reason. Imports under TYPE_CHECKING and inside functions count like any other."""

import ast
import graphlib
import logging
import re
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

import grimp
import pytest
from importlinter.cli import lint_imports

ROOT = Path(__file__).resolve().parents[2]
HOUSES = ("bootstrap", "lab")
PACKAGES = (*HOUSES, "services", "stacks", "rollout", "tools")
PICTURE = re.compile(r"^```rooms\n(.*?)^```", re.MULTILINE | re.DOTALL)
LONGEST = 300
REASON = re.compile(r"^Long because ", re.MULTILINE)

Graph = dict[str, set[str]]


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    """import-linter configures logging, which disables every logger of this process that it does not name."""
    loggers = [each for each in logging.root.manager.loggerDict.values() if isinstance(each, logging.Logger)]
    disabled = [each.disabled for each in loggers]
    yield
    for logger, was_disabled in zip(loggers, disabled, strict=True):
        logger.disabled = was_disabled


@cache
def imports() -> Graph:
    """Which module imports which, of all packages."""
    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    return {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}


def rooms(house: str, modules: Mapping[str, set[str]]) -> Graph:
    """Which room of `house`, a package or a module right below it, imports which other one."""

    def room(module: str) -> str:
        return module.split(".")[1] if module.startswith(f"{house}.") else ""

    found: Graph = {room(module): set() for module in modules if room(module)}
    for module, imported in modules.items():
        if room(module):
            found[room(module)] |= {room(one) for one in imported} - {room(module), ""}
    return found


def drawn(text: str) -> list[Graph]:
    """The pictures in a document: a line per room, `room -> what it imports`, or the room alone."""
    pictures = []
    for picture in PICTURE.findall(text):
        lines = [line.partition("->") for line in picture.splitlines() if line.strip()]
        pictures.append({room.strip(): {one.strip() for one in right.split(",")} - {""} for room, _, right in lines})
    return pictures


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    """The modules of one circle of imports; empty when there is none."""
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def unreasonably_long(files: Mapping[str, str]) -> list[str]:
    """The modules past the limit whose docstring gives no reason, with their lines. `files`: text by path."""
    return [
        f"{path}: {lines} lines"
        for path, text in files.items()
        if (lines := text.count("\n")) > LONGEST and not REASON.search(ast.get_docstring(ast.parse(text)) or "")
    ]


@pytest.mark.parametrize("house", HOUSES)
def test_the_picture_is_the_import_graph(house: str) -> None:
    pictures = drawn((ROOT / "docs/architecture.md").read_text(encoding="utf-8"))
    assert pictures[HOUSES.index(house)] == rooms(house, imports())


@pytest.mark.parametrize("house", HOUSES)
def test_every_import_of_the_picture_points_down_its_list(house: str) -> None:
    picture = drawn((ROOT / "docs/architecture.md").read_text(encoding="utf-8"))[HOUSES.index(house)]
    order = list(picture)
    upwards = [(room, one) for room in order for one in picture[room] if order.index(one) < order.index(room)]
    assert upwards == []


def test_no_module_imports_itself_by_way_of_others() -> None:
    graph = imports()
    assert circle(graph) == []


def test_no_module_is_long_without_a_reason() -> None:
    files = [path for package in PACKAGES for path in sorted((ROOT / package).glob("**/*.py"))]
    assert unreasonably_long({str(path.relative_to(ROOT)): path.read_text(encoding="utf-8") for path in files}) == []


# ------------------------------------------------------------------ that a broken rule is seen
def test_one_import_more_or_less_is_another_picture() -> None:
    text = "Rooms:\n```rooms\nrun -> base, cloud\ncloud -> base\nbase\n```\n"
    (picture,) = drawn(text)
    graph = {"p.run.a": {"p.cloud.b", "p.base.c"}, "p.cloud.b": {"p.base.c"}, "p.base.c": set()}
    assert rooms("p", graph) == picture
    assert rooms("p", graph | {"p.base.c": {"p.cloud.b"}}) != picture
    assert rooms("p", graph | {"p.cloud.b": set()}) != picture


@pytest.mark.parametrize(
    "line", ["import house.b", "if TYPE_CHECKING:\n    from house import b", "def f():\n    import house.b"]
)
def test_a_circle_is_seen_however_it_is_imported(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "house").mkdir()
    for name, text in {
        "__init__": "",
        "a": f"from typing import TYPE_CHECKING\n{line}\n",
        "b": "import house.a\n",
    }.items():
        (tmp_path / "house" / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    graph = grimp.build_graph("house", cache_dir=None)
    found = circle({module: graph.find_modules_directly_imported_by(module) for module in graph.modules})
    assert set(found) == {"house.a", "house.b"}


def test_a_long_module_needs_its_reason() -> None:
    long = "x = 1\n" * LONGEST
    assert unreasonably_long({"a.py": f'"""Sums."""\n{long}'}) == ["a.py: 301 lines"]
    assert unreasonably_long({"a.py": f'"""Sums.\n\nLong because the table is one.\n"""\n{long}'}) == []
    assert unreasonably_long({"a.py": long}) == []


# ------------------------------------------------------------------ who may import whom
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
