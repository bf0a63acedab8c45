"""What the fence process loads, and what the decision core may know: read from the source, to the last module.

The rules of pyproject.toml say who may not import whom; here is the whole of what is imported, so that one module more
is a decision and not an accident.
"""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

BOOTSTRAP = Path(__file__).resolve().parents[3] / "bootstrap"

# Standard library only, and of the agent what the fence shares with it: words, timings, the parser of mountinfo.
FENCE_OWN = {
    "base.paths",
    "base.timing",
    "base.values",
    "fence.__main__",
    "fence.cgroups",
    "fence.guard",
    "fence.last_resort",
    "fence.mounts",
    "fence.protocol",
    "fence.rules",
    "fence.run_files",
    "fence.watchdog",
    "machine.mountinfo",
}
FENCE_STANDARD = {
    "argparse",
    "collections",
    "contextlib",
    "ctypes",
    "dataclasses",
    "enum",
    "fcntl",
    "glob",
    "json",
    "logging",
    "os",
    "pathlib",
    "re",
    "select",
    "signal",
    "socket",
    "struct",
    "sys",
    "time",
    "typing",
}

# The decision core: no clock, no file, no thread, no log, nothing of AWS.
CORE = {
    "base.codec",
    "base.member",
    "base.timing",
    "base.values",
    "fence.rules",
    *(f"lease.rules.{path.stem}" for path in (BOOTSTRAP / "lease/rules").glob("*.py") if path.stem != "__init__"),
}
CORE_STANDARD = {"collections", "dataclasses", "enum", "functools", "json", "math", "re", "types", "typing"}
DOES_SOMETHING = {"open", "print", "input", "exec", "eval", "compile", "__import__", "breakpoint", "globals"}


def imported(module: str, root: Path) -> tuple[set[str], set[str]]:
    """Modules of the agent, and others by their first name, that `module` imports anywhere in its text."""
    own: set[str] = set()
    others: set[str] = set()
    path = root / module.replace(".", "/")
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: relative import"
            base = node.module or ""
            is_room = base.startswith("bootstrap") and not (root.parent / f"{base.replace('.', '/')}.py").exists()
            names = [f"{base}.{name.name}" for name in node.names] if is_room else [base]
        for name in names:
            first, _, rest = name.partition(".")
            (own if first == "bootstrap" else others).add(rest if first == "bootstrap" else first)
    return own, others - {"__future__"}


def closure(module: str, root: Path = BOOTSTRAP) -> tuple[set[str], set[str]]:
    """All that `module` loads: modules of the agent (itself included), and others by their first name."""
    own, others, left = set[str](), set[str](), [module]
    while left:
        one = left.pop()
        if one not in own:
            own.add(one)
            more, foreign = imported(one, root)
            others |= foreign
            left += more
    return own, others


def test_the_fence_loads_a_fixed_set_of_modules() -> None:
    own, others = closure("fence.__main__")
    assert own == FENCE_OWN
    assert others == FENCE_STANDARD
    assert others <= sys.stdlib_module_names


@pytest.mark.parametrize("module", sorted(FENCE_OWN))
def test_nothing_of_the_fence_syncs(module: str) -> None:
    """A reset after a sync would write what must not reach the file system any more."""
    text = (BOOTSTRAP / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8")
    called = {node.func for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Call)}
    names = {func.attr if isinstance(func, ast.Attribute) else getattr(func, "id", "") for func in called}
    assert not names & {"sync", "fsync", "fdatasync", "syncfs"}


def test_what_the_fence_loads_before_its_own_modules_is_nothing() -> None:
    for package in [BOOTSTRAP, *(path.parent for path in BOOTSTRAP.glob("**/__init__.py"))]:
        tree = ast.parse((package / "__init__.py").read_text(encoding="utf-8"))
        assert all(isinstance(node, ast.Expr) for node in tree.body), f"{package.name}/__init__.py would be loaded, too"


def test_the_decision_core_knows_only_itself_and_pure_parts_of_the_standard_library() -> None:
    for module in sorted(CORE):
        own, others = closure(module)
        assert own <= CORE, f"{module} reaches {sorted(own - CORE)}"
        assert others <= CORE_STANDARD, f"{module} reaches {sorted(others - CORE_STANDARD)}"


def test_the_decision_core_calls_nothing_that_acts() -> None:
    for module in sorted(CORE):
        tree = ast.parse((BOOTSTRAP / f"{module.replace('.', '/')}.py").read_text(encoding="utf-8"))
        called = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
        assert not called & DOES_SOMETHING, f"{module} uses {sorted(called & DOES_SOMETHING)}"
        changed = [node for node in ast.walk(tree) if isinstance(node, ast.Global | ast.Nonlocal)]
        assert not changed, f"{module} remembers something between its calls"


def test_only_the_fence_loads_the_watchdog_device() -> None:
    modules = {".".join(path.relative_to(BOOTSTRAP).with_suffix("").parts) for path in BOOTSTRAP.glob("**/*.py")}
    importers = {module for module in modules if "fence.watchdog" in imported(module, BOOTSTRAP)[0]}
    assert importers == {"fence.__main__"}
    assert "fence.watchdog" not in closure("__main__")[0]


@pytest.mark.parametrize(
    ("line", "own", "others"),
    [
        ("import boto3.session", set(), {"boto3"}),
        ("from bootstrap.cloud.clients import Clients", {"cloud.clients", "base.errors"}, set()),
        ("from bootstrap.cloud import clients", {"cloud.clients", "base.errors"}, set()),
        ("def late():\n    import bootstrap.cloud.clients", {"cloud.clients", "base.errors"}, set()),
    ],
)
def test_one_import_more_is_seen(tmp_path: Path, line: str, own: set[str], others: set[str]) -> None:
    root = tmp_path / "bootstrap"
    for room in ("base", "cloud"):
        (root / room).mkdir(parents=True)
    (root / "cloud/clients.py").write_text("from bootstrap.base.errors import CloudError\n")
    (root / "base/errors.py").write_text("import enum\n")
    (root / "fence.py").write_text(f"import os\n{line}\n")
    found = closure("fence", root)
    assert found == ({"fence", *own}, {"os", *others, *({"enum"} if own else set())})
