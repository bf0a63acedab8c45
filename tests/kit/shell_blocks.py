"""The shell commands that the documents show: lines of fenced blocks, and which of those blocks a test really runs.

A block opens with ```sh, or with ```sh run where its commands change nothing and need neither AWS nor
root nor machines.
"""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.kit.surroundings import REPOSITORY

DOCUMENTS = sorted([*REPOSITORY.glob("*.md"), *REPOSITORY.glob("docs/*.md"), *REPOSITORY.glob("docs/decisions/*.md")])
BLOCK = re.compile(r"^( *)```(\w+)(?: (\w+))?\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"^ {4,}(?:make|curl|aws|sh|\./\w+|\.venv/\S+) .*$", re.MULTILINE)


@dataclass(frozen=True, kw_only=True)
class Command:
    """One line of a block, as the shell splits it."""

    where: str
    words: tuple[str, ...]
    is_run: bool


def commands(text: str, where: str) -> Iterator[Command]:
    """Every command of the shell blocks in `text`, without comments."""
    for _, language, mark, body in BLOCK.findall(text):
        for line in body.splitlines() if language in ("sh", "console") else ():
            words = shlex.split(line, comments=True)
            if words:
                yield Command(where=f"{where}: {line.strip()}", words=tuple(words), is_run=mark == "run")


def unfenced(text: str) -> list[str]:
    """Commands outside of fenced blocks, which nobody would check."""
    return [line.strip() for line in INDENTED.findall(BLOCK.sub("", text))]


def shown(paths: list[Path] = DOCUMENTS) -> list[Command]:
    """Every command of the documents."""
    return [
        command
        for path in paths
        for command in commands(path.read_text(encoding="utf-8"), str(path.relative_to(REPOSITORY)))
    ]
