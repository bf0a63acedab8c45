"""Clients are made in the order of need, and what is not part of the boot begins after them, whatever happens."""

from typing import Any

import pytest

from bootstrap.run.warm_up import _warm_up


class Made:
    """Clients that are written down; one of them may not be made."""

    def __init__(self, broken: str = "") -> None:
        self.order: list[str] = []
        self._broken = broken

    def __getattr__(self, service: str) -> Any:
        def make() -> None:
            if service == self._broken:
                raise RuntimeError(service)
            self.order.append(service)

        return make

    def start(self) -> None:
        self.order.append("start")


def test_the_log_and_the_heartbeat_begin_after_what_the_boot_needs() -> None:
    made: Any = Made()
    _warm_up(made, [made.start, made.start])
    assert made.order == ["ssm", "ec2", "autoscaling", "route53", "start", "start"], "and no client of logs"


def test_they_begin_also_when_a_client_cannot_be_made() -> None:
    made: Any = Made(broken="ec2")
    with pytest.raises(RuntimeError):
        _warm_up(made, [made.start])
    assert made.order == ["ssm", "start"]
