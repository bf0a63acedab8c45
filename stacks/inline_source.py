"""One source text of several modules: a Lambda function that ships within the template has one file.

For: stacks.watchdog and stacks.inline_resource. Guarantees: the text is the modules' own code in the order given,
without what only readers need (the template has 51,200 bytes); a name that two of them define is an error, and so is an
import of a module that is not given. Does not: change what the code does. Tests load this text: they run what ships.
Source: CloudFormation user guide, AWS::Lambda::Function Code, ZipFile (module `index`, 4 MB at most).
"""

from __future__ import annotations

import ast
from collections.abc import Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
OWN = ("bootstrap", "watchdog")


@cache
def one_source(modules: tuple[str, ...]) -> str:
    """`modules`: dotted names, each after those that it imports. Raises ValueError."""
    statements: list[ast.stmt] = []
    defined: dict[str, str] = {}
    for name in modules:
        tree = ast.parse((ROOT / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8"))
        for statement in tree.body:
            is_text = isinstance(statement, ast.Expr)  # the module's docstring
            if is_text or (isinstance(statement, ast.ImportFrom) and _is_own(statement, name, modules)):
                continue
            for each in _defines(statement):
                if defined.setdefault(each, name) != name:
                    raise ValueError(f"{each} is defined in {defined[each]} and in {name}: one source has one of each")
            statements.append(statement)
    return "from __future__ import annotations\n" + shipped(ast.Module(body=statements, type_ignores=[]))


def shipped(tree: ast.Module) -> str:
    """The text of `tree` without what a running function does not need: docstrings, comments, annotations of functions,
    protocols, and most of the indentation. The tree is changed."""
    tree.body = [one for one in tree.body if not _is_protocol(one)]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node) is not None:
            del node.body[0]
            if not node.body and not isinstance(node, ast.Module):
                node.body.append(ast.Pass())
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg):
            node.annotation = None
    lines = ast.unparse(tree).splitlines()  # every string is on one line
    return "\n".join([*map(_shallow, lines), ""])


def _is_protocol(statement: ast.stmt) -> bool:
    bases = statement.bases if isinstance(statement, ast.ClassDef) else []
    return any(isinstance(one, ast.Name) and one.id == "Protocol" for one in bases)


def _shallow(line: str) -> str:
    """With one space where there were four."""
    depth = len(line) - len(line.lstrip(" "))
    return " " * (depth // 4) + line[depth:]


def _is_own(statement: ast.ImportFrom, name: str, modules: Sequence[str]) -> bool:
    """Whether the import is of what stands above in the one text."""
    source = statement.module or ""
    if source == "__future__":
        return True
    if source.split(".")[0] not in OWN:
        return False
    if source not in modules[: modules.index(name)]:
        raise ValueError(f"{name} imports {source}, which does not come before it: {', '.join(modules)}")
    if renamed := [one.name for one in statement.names if one.asname]:
        raise ValueError(f"{name} imports {', '.join(renamed)} under another name: one source has one of each")
    return True


def _defines(statement: ast.stmt) -> list[str]:
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        return [one.id for one in statement.targets if isinstance(one, ast.Name)]
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        return [statement.target.id]
    return []
