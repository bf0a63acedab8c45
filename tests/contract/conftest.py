"""What contract tests share: an account, synthesized templates, and the table's size at the end of a run."""

import fcntl
import os
import pickle
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
    own = tmp_path_factory.getbasetemp()
    run = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own  # the worker processes of a run share it

    def template_of(image: str) -> Template:
        kept = run / f"synthesized-{image}.pickle"
        with kept.with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():
                kept.write_bytes(pickle.dumps(synthesize("influxdb", image, run / f"synthesized-{image}")))
            template: Template = pickle.loads(kept.read_bytes())
        return template

    return cache(template_of)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The number of rows in the contract table, where it was run."""
    for report in terminalreporter.stats.get("passed", []):
        for text in (text for name, text in report.user_properties if name == TABLE):
            terminalreporter.write_line(text)
