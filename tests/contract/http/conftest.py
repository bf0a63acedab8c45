"""What tests of the control plane over HTTP share."""

import time
from collections.abc import Iterator

import pytest

from lab.aws import ControlPlane, ManualClock, NoMachines
from tests.contract.http.faulty_account import TIMING, Account


@pytest.fixture
def account() -> Iterator[Account]:
    with ControlPlane(NoMachines(), TIMING, address="127.0.0.1", port=0, clock=ManualClock(time.time())) as plane:
        yield Account(plane)
        assert plane.errors == []
