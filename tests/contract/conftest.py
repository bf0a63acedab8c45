"""The account that tests look at unless they open their own, and the contract table's size at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.deployed_account import Account, open_account

TABLE = pytest.StashKey[str]()


@pytest.fixture
def account() -> Iterator[Account]:
    with open_account() as opened:
        yield opened


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The number of rows in the contract table, where it was run."""
    if TABLE in config.stash:
        terminalreporter.write_line(config.stash[TABLE])
