"""Each way a run ends: what is given back, who is told, with which generation, and the exit code."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bootstrap.base.errors import ExitCode, LeaseRefused
from bootstrap.base.timeline import Timeline
from bootstrap.base.timing import LeaseTiming
from bootstrap.claims.network_interface import Claim
from bootstrap.lease.keeper import Lost
from bootstrap.lease.rules.record import new_record
from bootstrap.lease.rules.renew import Hold
from bootstrap.run.ending import Ending
from tests.kit.clock import FakeClock
from tests.kit.cloud import FakeInterfaces, attached_to, cloud_error, permitted
from tests.kit.fake_os import OK, FakeOs
from tests.kit.instance import build
from tests.kit.lease import ME, applicant

LOST = Lost(is_taken=True, sentence="generation 7 is lost: there is generation 8")


class Group:
    """The launch hook and the health report; with `is_silent` it cannot be reached."""

    def __init__(self) -> None:
        self.is_silent = False
        self.said: list[str] = []

    def complete_hook(self, _hook: str, result: str) -> bool:
        if self.is_silent:
            raise cloud_error("EndpointConnectionError")
        self.said.append(result)
        return result == "ABANDON"


class World:
    """An instance that holds generation 7 (or none yet), at its end."""

    def __init__(self, machine: FakeOs, clock: FakeClock) -> None:
        self.group, self.interfaces = Group(), FakeInterfaces(attached_to(ME))
        self.published: list[tuple[str, str]] = []
        self.reports: list[dict[str, str]] = []
        self.status: list[str] = []
        group: Any = self.group
        plain = build(machine, clock)
        claims = replace(plain.claims, network_interface=Claim(self.interfaces, plain.zone, ME, permitted))
        self.instance = replace(plain, group=group, claims=claims)
        machine.refusing["say-goodbye"] = OK
        parts: Any = self
        self.timeline = Timeline(clock, [])
        self.ending = Ending(
            self.instance, topic=parts, timeline=self.timeline, watch=parts, notifier=parts, report=self.report
        )

    def hold(self) -> None:
        record = new_record(applicant(), LeaseTiming(), generation=7, nonce="mine")
        self.instance.lease.keeper._hold = Hold(record=record, deadline_s=self.instance.clock.monotonic() + 45)

    def lose(self) -> None:
        self.hold()
        self.instance.lease.keeper._lost = LOST

    def report(self, **given: str) -> None:
        self.reports.append(given)

    # ------------------------------------------------------------------ topic, notifier, lifecycle watch
    def publish(self, subject: str, text: str) -> None:
        self.published.append((subject, text))

    def stopping(self, sentence: str) -> None:
        self.status.append(sentence)

    is_terminated = False

    def await_terminated(self, _seconds: float) -> bool:
        return False


@pytest.fixture
def world(machine: FakeOs, clock: FakeClock) -> World:
    return World(machine, clock)


def test_a_lost_lease_is_told_with_its_generation_and_has_the_instance_replaced(world: World) -> None:
    world.lose()
    assert world.ending.lease_lost(LOST) is ExitCode.FAILED
    assert world.published == [
        ("soloist demo: the lease was lost", f"demo on {ME} in us-east-1a, generation 7: {LOST.sentence}")
    ]
    assert world.group.said == ["ABANDON"]
    assert {report["reason"] for report in world.reports} == {"lease-lost"}
    assert world.status == [f"lease-lost: {LOST.sentence}"]


def test_a_lost_lease_touches_no_network_interface_and_writes_nothing_back(world: World) -> None:
    world.lose()
    world.ending.lease_lost(LOST)
    assert world.interfaces.calls == []
    assert [entry.name for entry in world.timeline.entries()] == [
        "service-stop",
        "unmount",
        "lease-release",
        "unmount-lease",
    ]


def test_a_lost_lease_that_the_group_cannot_be_told_of_is_an_exit_code_that_starts_the_agent_again(
    world: World,
) -> None:
    world.lose()
    world.group.is_silent = True
    assert world.ending.lease_lost(LOST) is ExitCode.LEASE_LOST
    assert world.reports[-1]["reason"] == "lease-lost"


def test_a_service_given_up_is_told_with_its_generation(world: World) -> None:
    world.hold()
    assert world.ending.given_up("3 restarts did not help") is ExitCode.FAILED
    ((subject, text),) = world.published
    assert subject == "soloist demo: instance reported unhealthy"
    assert text == f"demo on {ME} in us-east-1a, generation 7: 3 restarts did not help"


def test_a_boot_that_failed_is_told_with_its_generation_where_it_has_one(world: World) -> None:
    error = LeaseRefused("this instance is surplus", reason="surplus", remedy="Nothing is wrong")
    assert world.ending.boot_failed(error) is error.exit_code
    ((subject, text),) = world.published
    assert subject == "soloist demo: boot failed (surplus)"
    assert text == f"demo on {ME} in us-east-1a: {error}"
    world.hold()
    world.ending.boot_failed(error)
    assert world.published[-1][1] == f"demo on {ME} in us-east-1a, generation 7: {error}"
    assert world.group.said == ["ABANDON", "ABANDON"]
