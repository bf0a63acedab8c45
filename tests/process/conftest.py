"""The surroundings of one agent."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.surroundings import Surroundings, open_surroundings


@pytest.fixture
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Surroundings]:
    with open_surroundings(tmp_path, monkeypatch) as here:
        yield here
