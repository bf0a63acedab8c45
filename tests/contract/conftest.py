"""What the contract tests say at the end of a run."""

from __future__ import annotations

from typing import Any

import pytest

TABLE = pytest.StashKey[str]()


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """The number of rows in the contract table, where it was run."""
    if TABLE in config.stash:
        terminalreporter.write_line(config.stash[TABLE])
