"""One deployed service."""

from collections.abc import Iterator

import pytest

from rollout.stack import SystemClock
from tests.kit.deployed_group import Clients, deployed_group


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> Iterator[Clients]:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with deployed_group() as made:
        # Whoever waits for the stack waits for the lab's thread, and no time passes.
        monkeypatch.setattr(SystemClock, "sleep", staticmethod(lambda _seconds: made.settled()))
        yield made
