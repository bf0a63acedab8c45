"""The end of a lab ends everything, also when one part of it does not end."""

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.base.errors import LabError
from lab.hardware.errors import MachineTimeout
from lab.play.hypervisor import Hypervisor
from lab.play.lab import Lab


def stubborn() -> None:
    raise MachineTimeout("machine client: process 7 does not end")


def world_of(*closers: Any) -> Lab:
    made: Any = Lab.__new__(Lab)
    made._closing, made._closers = threading.Event(), list(closers)
    found: Lab = made
    return found


def test_a_part_that_does_not_end_keeps_no_other_from_ending() -> None:
    ended: list[str] = []
    world = world_of(lambda: ended.append("machines"), lambda: ended.append("server"), stubborn,
                     lambda: ended.append("client"))  # fmt: skip
    with pytest.raises(LabError, match="process 7 does not end"):
        world.close()
    assert ended == ["client", "server", "machines"], "in reverse order of their start"
    world.close()
    assert len(ended) == 3, "safe to repeat"


def test_what_a_start_that_fails_had_started_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    world = world_of(lambda: ended.append("machines"))

    def fail(_world: Lab) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Lab, "_start", fail)
    with pytest.raises(KeyboardInterrupt), world:
        pytest.fail("entered")
    assert ended == ["machines"]


def test_a_machine_that_does_not_end_keeps_no_other_from_ending() -> None:
    ended: list[str] = []
    subnets, builder = SimpleNamespace(), SimpleNamespace()
    hypervisor: Any = Hypervisor(builder, subnets, {"ami": Path("image")}, (), ended.append)  # type: ignore[arg-type]
    machines = {"i-1": lambda: ended.append("i-1"), "i-2": stubborn, "i-3": lambda: ended.append("i-3")}
    hypervisor._machines = {name: SimpleNamespace(kill=kill) for name, kill in machines.items()}
    hypervisor._starting = dict.fromkeys(machines)
    with pytest.raises(LabError, match="process 7"):
        hypervisor.end_all()
    assert sorted(ended) == ["i-1", "i-3"]
