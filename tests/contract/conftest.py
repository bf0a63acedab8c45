"""The account that tests look at unless they open their own, and the contract table's size at the end of a run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.contract_row import TABLE
from tests.contract.deployed_account import Account, open_account


@pytest.fixture
def account() -> Iterator[Account]:
    with open_account() as opened:
        yield opened


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The number of rows in the contract table, where it was run."""
    for report in terminalreporter.stats.get("passed", []):
        for text in (text for name, text in report.user_properties if name == TABLE):
            terminalreporter.write_line(text)
