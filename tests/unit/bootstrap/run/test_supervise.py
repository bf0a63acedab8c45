"""Restart here first, then have the instance replaced; AWS's troubles never lead to that."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bootstrap.base.clock import StopRequest
from bootstrap.base.errors import CloudError
from bootstrap.machine.commands import Completed
from bootstrap.run.supervise import ServiceAction, ServiceObservation, Supervisor, decide
from tests.kit.clock import FakeClock
from tests.kit.cloud import cloud_error
from tests.kit.documents import document
from tests.kit.fake_os import OK, FakeOs
from tests.kit.instance import build

HEALTH = document().service.health  # allowance 30 s, interval 5 s, unhealthy after 3
SICK = ("GET /ping: status 500",)


@pytest.mark.parametrize(
    ("observation", "action", "sentence"),
    [
        (ServiceObservation(), ServiceAction.NOTHING, "healthy"),
        (ServiceObservation(stop_sentence="SIGTERM received", failures=SICK), ServiceAction.STOP, "SIGTERM received"),
        (ServiceObservation(failures=SICK, misses=1), ServiceAction.NOTHING, "missed 1 of 3: GET /ping: status 500"),
        (ServiceObservation(failures=SICK, misses=2), ServiceAction.NOTHING, "missed 2 of 3: GET /ping: status 500"),
        (
            ServiceObservation(failures=SICK, misses=3),
            ServiceAction.RESTART,
            "restart the service here (1 of 3): GET /ping: status 500",
        ),
        (
            ServiceObservation(dead_units=("demo.service is failed",), misses=1),
            ServiceAction.RESTART,
            "restart the service here (1 of 3): demo.service is failed",
        ),
        (
            ServiceObservation(failures=SICK, misses=9, restarted_at_s=(980.0,)),
            ServiceAction.NOTHING,
            "unhealthy, but within the 30 s start allowance: GET /ping: status 500",
        ),
        (
            ServiceObservation(failures=SICK, misses=9, restarted_at_s=(969.0,)),
            ServiceAction.RESTART,
            "restart the service here (2 of 3): GET /ping: status 500",
        ),
        (
            ServiceObservation(dead_units=("demo.service is failed",), misses=1, restarted_at_s=(700.0, 800.0, 995.0)),
            ServiceAction.REPORT_UNHEALTHY,
            "3 restarts in 900 s did not help: replace this instance: demo.service is failed",
        ),
        (
            ServiceObservation(dead_units=("demo.service is failed",), misses=1, restarted_at_s=(99.0, 800.0, 995.0)),
            ServiceAction.RESTART,
            "restart the service here (3 of 3): demo.service is failed",
        ),
    ],
)
def test_decide(observation: ServiceObservation, action: ServiceAction, sentence: str) -> None:
    decision = decide(observation, HEALTH, 1000.0)
    assert (decision.action, decision.sentence) == (action, sentence)


class FakeGroup:
    def __init__(self) -> None:
        self.errors: list[CloudError] = []
        self.reports = 0

    def report_unhealthy(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        self.reports += 1


class World:
    """A supervisor whose units and probe are the fake machine's."""

    def __init__(self, machine: FakeOs, clock: FakeClock) -> None:
        self.machine, self.clock, self.group = machine, clock, FakeGroup()
        self.stop = StopRequest()
        self.said: list[str] = []
        self.beats: list[float] = []
        group: Any = self.group
        instance = replace(build(machine, clock), group=group)
        self.supervisor = Supervisor(instance, self.stop, self.said.append, self.beats.append)
        machine.refusing["probe"] = OK
        for unit in instance.document.service.units:
            machine.set_unit(unit, "active")

    def sicken(self) -> None:
        self.machine.refusing["probe"] = Completed(exit_code=1, output="sick")

    def starts(self) -> int:
        return sum(1 for line in self.machine.log() if line == "systemctl start --job-mode=fail demo.service")


@pytest.fixture
def world(machine: FakeOs, clock: FakeClock) -> World:
    (machine.root / "service").mkdir()
    machine.run(("mount", "-t", "nfs4", "-o", "hard", "x:/d", str(machine.root / "service")), clock.deadline())
    return World(machine, clock)


def test_healthy_is_said_once_and_a_stop_ends_it(world: World) -> None:
    world.clock.at(60, lambda: world.stop.request("the group is terminating this instance"))
    decision = world.supervisor.run()
    assert (decision.action, decision.sentence) == (ServiceAction.STOP, "the group is terminating this instance")
    assert world.said == ["healthy", "the group is terminating this instance"]
    assert world.starts() == 0


def test_short_sickness_changes_nothing(world: World) -> None:
    world.clock.at(4, world.sicken)
    world.clock.at(13, lambda: world.machine.refusing.update(probe=OK))
    world.clock.at(100, lambda: world.stop.request("enough"))
    world.supervisor.run()
    assert world.said == [
        "healthy",
        *[f"missed {n} of 3: probe: exit code 1: sick" for n in (1, 2)],
        "healthy",
        "enough",
    ]
    assert world.starts() == 0


def test_dead_unit_is_restarted_at_once_and_serves_again(world: World) -> None:
    world.machine.set_unit("demo.service", "failed")
    assert world.supervisor.cycle().action is ServiceAction.RESTART
    assert world.supervisor.cycle().sentence == "healthy"


def test_lasting_sickness_is_three_restarts_then_a_report(world: World) -> None:
    world.sicken()
    decision = world.supervisor.run()
    assert decision.action is ServiceAction.REPORT_UNHEALTHY
    assert (world.starts(), world.group.reports) == (3, 1)


def test_report_that_does_not_get_through_is_repeated(world: World) -> None:
    world.sicken()
    world.group.errors = [cloud_error("Throttling"), cloud_error("ReadTimeoutError")]
    world.supervisor.run()
    assert (world.group.errors, world.group.reports) == ([], 1)


def test_restart_that_fails_is_no_end(world: World) -> None:
    world.machine.set_unit("demo.service", "failed")
    world.machine.refusing["start --job-mode=fail demo"] = Completed(exit_code=1, output="broken")
    decision = world.supervisor.run()
    assert decision.action is ServiceAction.REPORT_UNHEALTHY
    assert decision.sentence.startswith("3 restarts in 900 s did not help")
