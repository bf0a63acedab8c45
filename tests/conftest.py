"""What holds for every test: unit tests touch no network, and CI skips nothing."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest

from tests.kit import service_models

UNIT = Path(__file__).parent / "unit"

pytest.register_assert_rewrite("tests.kit.surroundings")
service_models.read_once()


@pytest.fixture(autouse=True)
def _no_network_in_unit_tests(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if UNIT not in Path(request.node.path).parents:
        return

    def refuse(self: socket.socket, address: Any) -> None:
        if self.family != socket.AF_UNIX:
            raise AssertionError(f"a unit test tried to connect to {address}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: every level must run there."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter is not None and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
