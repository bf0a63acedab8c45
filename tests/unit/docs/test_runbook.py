"""docs/runbook.md has a row for every reason and every exit code, and no row that nothing ends in."""

import ast
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

import pytest
import yaml

from bootstrap.base.errors import ExitCode, Reason
from lab.base.errors import LabError
from lab.play import program
from rollout.errors import INTERRUPTED, RolloutError
from services import findings
from services.load import parse_service
from stacks.alarms import alarms_of
from stacks.storage.kinds import watch_storage
from tools import prepare

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/runbook.md").read_text(encoding="utf-8")
APP = (ROOT / "app.py").read_text(encoding="utf-8")
COMMANDS = "Exit codes of the commands"


def table(heading: str) -> list[list[str]]:
    """The rows of the last table below a heading, as cells; the first row is the head."""
    below = TEXT.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in below.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip("|"))] for line in lines]


def codes(root: type[LabError] | type[RolloutError]) -> set[int]:
    """The exit codes of an error and of all that are derived from it."""
    return {root.exit_code}.union(*(codes(kind) for kind in root.__subclasses__()))


def spoken(files: Iterable[Path]) -> Counter[str]:
    """How often each text is written in the code of `files`."""
    trees = (ast.parse(file.read_text(encoding="utf-8")) for file in files)
    nodes = (node for tree in trees for node in ast.walk(tree))
    return Counter(node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str))


def test_every_reason_has_its_row() -> None:
    """mypy lets no error and no report carry a word that is not a `Reason`."""
    head, *rows = table("Reasons")
    assert [row[0].strip("`") for row in rows] == list(dict.fromkeys(row[0].strip("`") for row in rows))
    assert {row[0].strip("`") for row in rows} == set(get_args(Reason))
    assert [row[0] for row in rows if len(row) != len(head) or not all(row)] == []


def test_every_reason_is_given_by_somebody() -> None:
    """A word of `Reason` that no other line of the agent writes is a stale row."""
    said = spoken((ROOT / "bootstrap").rglob("*.py"))
    assert [word for word in get_args(Reason) if said[word] < 2] == []


def test_every_alarm_has_its_row() -> None:
    tree = yaml.safe_load((ROOT / "services" / "influxdb.yaml").read_text(encoding="utf-8"))
    tree["file_system"]["throughput"] = "bursting"  # it has all alarms
    service = parse_service(tree, source="influxdb.yaml")
    alarms = (*alarms_of(service), *watch_storage(service=service, file_system_id="fs-0").alarms)
    rows = [word for row in table("Alarms")[1:] for word in re.findall(r"`([a-z-]+)`", row[0])]
    assert rows == list(dict.fromkeys(rows))
    assert set(rows) == {alarm.name for alarm in alarms}


def test_every_exit_code_of_the_agent_has_its_row() -> None:
    rows = [row for row in table("Exit codes of the agent")[1:] if row[0] != "signal"]
    assert {(int(row[0]), row[1]) for row in rows} == {(code.value, code.name) for code in ExitCode}
    assert {int(code) for row in table("Reasons")[1:] for code in row[1].split(" or ")} <= {int(row[0]) for row in rows}


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (1, {0, 2, findings.EXIT_CODE, INTERRUPTED} | codes(RolloutError)),
        (2, {0, 1, 2, findings.EXIT_CODE} | {int(code) for code in re.findall(r"sys\.exit\((\d+)\)", APP)}),
        (3, {0, 2, program.INTERRUPTED} | codes(LabError)),
        (4, {0, prepare.EXIT_PRECONDITION}),
    ],
)
def test_every_exit_code_of_a_command_has_its_row(column: int, expected: set[int]) -> None:
    assert {int(row[0]) for row in table(COMMANDS)[1:] if row[column]} == expected
