"""The rows that moto fulfils without a single rule of ours: run against moto as it is installed, so that the mark is
true, and so that nobody takes these rows out of the table because they never turn red. A moto upgrade may do it."""

from collections.abc import Iterator
from typing import Any, cast

import pytest
from moto.core.base_backend import BackendDict

from lab.aws import ControlPlane, NoMachines
from lab.aws.core import patches
from tests.kit.moto_server import moto_server

from .contract_row import ROWS, Row

MARKED = [row for row in ROWS if row.get("moto_alone")]


class MotoAlone:
    """As much of a control plane as these rows need, with nothing of the lab's behind it."""

    def __init__(self, endpoint_url: str) -> None:
        self.endpoint_url = endpoint_url

    def register_image(self, image_id: str, name: str) -> None:
        """Moto launches any image."""

    def advance(self, seconds: float) -> None:
        """Moto does everything at once."""


def empty_account() -> None:
    """Forget what an earlier test has left in moto."""
    for backends in list(BackendDict._instances):
        backends.reset()


@pytest.fixture
def row() -> Iterator[Row]:
    patches.revert()
    empty_account()
    try:
        with moto_server() as url:
            opened = Row(cast(ControlPlane, MotoAlone(url)), NoMachines())
            yield opened
            opened.close()
    finally:
        empty_account()
        patches.apply()


def test_there_are_enough_of_them() -> None:
    assert len(MARKED) >= 12
    assert {one["id"].partition("-")[0] for one in MARKED} >= {"template", "record", "efs", "ssm", "identity"}


@pytest.mark.parametrize("behaviour", MARKED, ids=[one["id"] for one in MARKED])
def test_moto_alone_is_right(row: Row, behaviour: dict[str, Any]) -> None:
    row.run(behaviour)


def test_a_row_that_needs_a_rule_of_ours_fails_here(row: Row) -> None:
    """Otherwise what answers here would not be moto alone."""
    with pytest.raises(AssertionError):
        row.run(next(one for one in ROWS if one["id"] == "efs-creating"))
