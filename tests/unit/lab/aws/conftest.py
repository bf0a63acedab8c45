"""Three zones of a strict AWS of its own for each test."""

from collections.abc import Iterator

import pytest

from tests.kit.three_zones import ThreeZones, open_three_zones


@pytest.fixture
def zones() -> Iterator[ThreeZones]:
    with open_three_zones() as opened:
        yield opened
