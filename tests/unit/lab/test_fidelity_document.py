"""docs/lab-fidelity.md keeps up with the lab: every preset is in it, and every file it names exists."""

from __future__ import annotations

import re
from pathlib import Path

from lab.cloud.fault_presets import PRESETS

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "docs/lab-fidelity.md").read_text(encoding="utf-8")


def test_every_preset_is_described() -> None:
    assert [name for name in PRESETS if f"`{name}`" not in TEXT] == []


def test_every_file_named_exists() -> None:
    named = set(re.findall(r"`((?:lab|tests|docs)/[\w/.-]+)`", TEXT))
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
