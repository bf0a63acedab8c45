"""What contract tests share: an account, synthesized templates, and the table's size at the end of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest

from lab.play.synthesis import Template, synthesize
from tests.contract.contract_row import TABLE
from tests.contract.deployed_account import Account, open_account


@pytest.fixture
def account() -> Iterator[Account]:
    with open_account() as opened:
        yield opened


@pytest.fixture(scope="session")
def synthesized(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Template]:
    """What `cdk synth` writes for influxdb with an image: once per image and run, because it takes ten seconds."""
    return cache(lambda image: synthesize("influxdb", image, tmp_path_factory.mktemp("synth")))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The number of rows in the contract table, where it was run."""
    for report in terminalreporter.stats.get("passed", []):
        for text in (text for name, text in report.user_properties if name == TABLE):
            terminalreporter.write_line(text)
