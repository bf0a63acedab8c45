"""docs/lab-fidelity.md keeps up with the lab: every preset is in it, every file it names exists, and for every area of
the contract table it says what is faithful, what is approximated and what is not modelled."""

import re
from pathlib import Path

import pytest
import yaml

from lab.aws.faults.presets import PRESETS

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/lab-fidelity.md").read_text(encoding="utf-8")


def test_every_preset_is_described() -> None:
    assert [name for name in PRESETS if f"`{name}`" not in TEXT] == []


def test_every_file_named_exists() -> None:
    named = set(re.findall(r"`((?:lab|tests|docs)/[\w/.-]+)`", TEXT))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []


# The first word of a contract row's id, and the area of the document that it belongs to.
AREAS = {
    "attach": "Network interfaces",
    "detach": "Network interfaces",
    "interface": "Network interfaces",
    "run": "Instances",
    "terminate": "Instances",
    "template": "Launch templates",
    "group": "Auto Scaling",
    "hook": "Auto Scaling",
    "record": "Route 53",
    "efs": "EFS",
    "ssm": "SSM, STS and IAM",
    "identity": "SSM, STS and IAM",
    "metadata": "Instance metadata",
    "cloudformation": "CloudFormation",
    "lambda": "Functions and schedules",
    "schedule": "Functions and schedules",
    "metric": "CloudWatch",
    "alarm": "CloudWatch",
    "log": "CloudWatch",
}
HEADINGS = ("Faithful", "Approximated", "Not modelled")


def table(heading: str, text: str = TEXT) -> list[list[str]]:
    """The rows below a heading, as cells."""
    below = text.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in below.splitlines() if line[:1] == "|"]
    return rows[2:]


def test_every_area_of_the_contract_table_is_an_area_of_the_document() -> None:
    rows = yaml.safe_load((ROOT / "tests/contract/behaviours.yaml").read_text(encoding="utf-8"))
    assert {row["id"].partition("-")[0] for row in rows} == set(AREAS)


@pytest.mark.parametrize("heading", HEADINGS)
def test_each_area_has_its_word_under_each_heading(heading: str) -> None:
    said = {row[0] for row in table(heading) if len(row) >= 2 and row[1]}
    assert sorted(set(AREAS.values()) - said) == []


@pytest.mark.parametrize("heading", HEADINGS)
def test_an_area_that_is_left_out_is_noticed(heading: str) -> None:
    kept = [line for line in TEXT.splitlines() if not line.startswith("| Route 53 |")]
    assert "Route 53" not in {row[0] for row in table(heading, "\n".join(kept))}
    assert table(heading, TEXT.replace(f"## {heading}", "## Other")) == []


def test_the_words_are_explained() -> None:
    assert [word for word in HEADINGS if f"**{word}**" not in TEXT] == []
