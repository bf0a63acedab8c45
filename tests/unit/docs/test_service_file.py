"""docs/service-file.md is what `make schema` writes, and it says of every field what it means."""

import re
from pathlib import Path

from tools.reference import document

ROOT = Path(__file__).parents[3]


def test_the_document_is_what_the_schema_gives() -> None:
    written = (ROOT / "docs/service-file.md").read_text(encoding="utf-8")
    assert written == document(), "docs/service-file.md is stale: run `make schema`"


def test_every_field_of_the_sample_has_its_row_with_a_meaning() -> None:
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in document().splitlines()
            if line.startswith(("| `", "| **`"))]  # fmt: skip
    assert [row for row in rows if len(row) != 5 or not row[1] or not row[3]] == []
    sample = (ROOT / "services/opscenter.yaml").read_text(encoding="utf-8")
    fields = set(re.findall(r"^[ -]*([a-z_]+):", sample, re.MULTILINE))
    assert len(fields) > 20
    assert fields - {row[0].strip("*`") for row in rows} == set()
