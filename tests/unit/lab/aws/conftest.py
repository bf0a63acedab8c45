"""A world of its own for each test of the lab's AWS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.aws_world import World, open_world


@pytest.fixture
def world() -> Iterator[World]:
    with open_world() as opened:
        yield opened
