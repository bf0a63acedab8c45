"""All that the fence's process loads and all that the decision core knows, to the last module.

The rules of pyproject.toml say who may not import whom. Here is the whole of what is imported, by way of others and
inside functions, too, so that one module more is a decision and not an accident.
"""

import ast
import sys
from functools import cache
from pathlib import Path

import grimp
import pytest

BOOTSTRAP = Path(__file__).resolve().parents[3] / "bootstrap"
FENCE = "bootstrap.fence.__main__"

# fmt: off
# Standard library only, and of the agent what the fence shares with it: words, timings, the parser of mountinfo.
FENCE_OWN = {f"bootstrap.{name}" for name in (
    "base.codec", "base.paths", "base.timing", "base.values", "fence.__main__", "fence.cgroups", "fence.guard",
    "fence.last_resort", "fence.mounts", "fence.protocol", "fence.rules", "fence.run_files", "fence.watchdog",
    "machine.mountinfo",
)}
FENCE_STANDARD = {
    "argparse", "collections", "contextlib", "ctypes", "dataclasses", "enum", "fcntl", "functools", "glob",
    "json", "logging", "math", "os", "pathlib", "re", "select", "signal", "socket", "struct", "sys", "time", "types",
    "typing",
}
# fmt: on

# The decision core: no clock, no file, no thread, no log, nothing of AWS.
CORE = {f"bootstrap.{name}" for name in ("base.codec", "base.member", "base.timing", "base.values", "fence.rules")} | {
    f"bootstrap.lease.rules.{path.stem}" for path in BOOTSTRAP.glob("lease/rules/*.py") if path.stem != "__init__"
}
CORE_STANDARD = {"collections", "dataclasses", "enum", "functools", "json", "math", "re", "types", "typing"}
DOES_SOMETHING = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint", "globals"}
SYNCS = {"sync", "fsync", "fdatasync", "syncfs"}


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph("bootstrap", include_external_packages=True, cache_dir=None)


def closure(module: str, graph: grimp.ImportGraph) -> tuple[set[str], set[str]]:
    """All that `module` loads: modules of the agent, itself included, and others by their first name."""
    loaded = {module} | graph.find_upstream_modules(module)
    own = {one for one in loaded if one.startswith("bootstrap.")}
    return own, loaded - own - {"__future__"}


def source(module: str) -> ast.Module:
    path = BOOTSTRAP.parent / f"{module.replace('.', '/')}.py"
    return ast.parse(path.read_text(encoding="utf-8"))


def names_in(module: str) -> set[str]:
    """Every name and attribute in the text of `module`."""
    nodes = list(ast.walk(source(module)))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


def test_the_fence_loads_a_fixed_set_of_modules() -> None:
    own, others = closure(FENCE, imports())
    assert own == FENCE_OWN
    assert others == FENCE_STANDARD
    assert others <= sys.stdlib_module_names


@pytest.mark.parametrize("module", sorted(FENCE_OWN))
def test_nothing_of_the_fence_syncs(module: str) -> None:
    """A reset after a sync would write what must not reach the file system any more."""
    assert not names_in(module) & SYNCS


@pytest.mark.parametrize("package", [BOOTSTRAP, *(path.parent for path in BOOTSTRAP.glob("**/__init__.py"))], ids=str)
def test_a_room_loads_nothing_by_itself(package: Path) -> None:
    """Else the fence would load what its rooms import, whatever it imports itself."""
    body = ast.parse((package / "__init__.py").read_text(encoding="utf-8")).body
    assert all(isinstance(node, ast.Expr) for node in body)


@pytest.mark.parametrize("module", sorted(CORE))
def test_the_decision_core_knows_only_itself_calls_nothing_that_acts_and_remembers_nothing(module: str) -> None:
    own, others = closure(module, imports())
    assert own <= CORE
    assert others <= CORE_STANDARD
    assert not {node.id for node in ast.walk(source(module)) if isinstance(node, ast.Name)} & DOES_SOMETHING
    assert not [node for node in ast.walk(source(module)) if isinstance(node, ast.Global | ast.Nonlocal)]


@pytest.mark.parametrize(("module", "more"), [(FENCE, "boto3"), ("bootstrap.fence.rules", "os")])
def test_one_import_more_is_seen_however_far_away(module: str, more: str) -> None:
    graph = grimp.build_graph("bootstrap", include_external_packages=True, cache_dir=None)
    before = closure(module, graph)
    graph.add_module(more, is_squashed=True)
    graph.add_import(importer="bootstrap.base.timing", imported=more)
    assert closure(module, graph) == (before[0], before[1] | {more})
