"""Maintenance mode: it begins and ends by AWS's clock, holds back what is done for health, and nothing else."""

import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import groupby
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from bootstrap.base.errors import AgentError, Reason
from bootstrap.base.maintenance import LONGEST_S
from bootstrap.cloud.parameters import Parameter
from bootstrap.run.kept_parts import EC2_LOOK_S, RECORD_LOOK_S
from bootstrap.run.ladder import Decision, ServiceAction, held
from bootstrap.run.maintenance import LOOK_S, MaintenanceMode
from bootstrap.run.writer import REASSERTS
from tests.kit.clock import FakeClock

AWS_NOW = datetime(2031, 5, 1, 12, tzinfo=UTC)  # far from the clock of the machine, which does not matter


class Ssm:
    """One parameter at most; `age_s` since it was written."""

    def __init__(self) -> None:
        self.value, self.age_s = "", 0.0
        self.error: Exception | None = None
        self.has_date = True
        self.reads = 0

    def ssm(self) -> Any:
        return self

    def get_parameter(self, **_: str) -> Any:
        self.reads += 1
        if self.error is not None:
            raise self.error
        if not self.value:
            raise ClientError({"Error": {"Code": "ParameterNotFound", "Message": "none"}}, "GetParameter")
        return {
            "Parameter": {"Value": self.value, "LastModifiedDate": AWS_NOW - timedelta(seconds=self.age_s)},
            "ResponseMetadata": {
                "HTTPHeaders": {"date": format_datetime(AWS_NOW, usegmt=True)} if self.has_date else {}
            },
        }


class World:
    def __init__(self, clock: FakeClock) -> None:
        self.clock, self.aws = clock, Ssm()
        self.told: list[str] = []
        self.mode = self.started()
        self.due_s = clock.now_s

    def started(self) -> MaintenanceMode:
        """The mode of another boot or instance."""
        clients: Any = self.aws
        mode = MaintenanceMode(Parameter(clients, "/soloist/demo/maintenance"), self.clock, self)
        mode.look()
        return mode

    def pause(self, for_s: float, age_s: float = 0.0) -> None:
        self.aws.value = json.dumps({"for_s": for_s, "by": "ada@desk", "why": "index rebuild"})
        self.aws.age_s = age_s

    def begin(self, trouble: AgentError) -> None:
        self.told.append(trouble.reason)

    def over(self, reason: Reason) -> None:
        self.told.append(f"{reason} is over")

    def is_on_after(self, seconds: float) -> bool:
        """Looks when that is due, as the thread does."""
        self.clock.advance(seconds)
        if self.clock.now_s >= self.due_s:
            self.due_s = self.clock.now_s + LOOK_S
            self.mode.look()
        return bool(self.mode.sentence())


@pytest.fixture
def world(clock: FakeClock) -> World:
    return World(clock)


def test_it_begins_within_a_minute_and_ends_by_itself(world: World) -> None:
    assert not world.is_on_after(0)
    world.pause(600, age_s=30)
    assert not world.is_on_after(LOOK_S - 1)
    assert world.is_on_after(1)
    assert world.mode.sentence() == "ada@desk works on it for 10 min: index rebuild"
    world.aws.age_s = 30 + 569 - LOOK_S  # the last look before its end
    assert world.is_on_after(LOOK_S)
    world.aws.error = EndpointConnectionError(endpoint_url="x")
    assert not world.is_on_after(LOOK_S + 3), "without an answer, too"
    assert [said for said, _ in groupby(world.told)] == ["maintenance is over", "maintenance", "maintenance is over"]


def test_it_ends_when_the_parameter_goes_and_not_when_aws_is_silent(world: World) -> None:
    world.pause(3600)
    assert world.is_on_after(0)
    world.aws.error = EndpointConnectionError(endpoint_url="x")
    assert world.is_on_after(LOOK_S)
    world.aws.error, world.aws.value = None, ""
    assert not world.is_on_after(LOOK_S)


def test_the_next_boot_and_the_next_instance_know_it_and_its_age(world: World) -> None:
    world.pause(600, age_s=500)
    assert world.started().sentence()
    world.pause(600, age_s=601)
    assert not world.started().sentence()


@pytest.mark.parametrize(
    "text",
    [
        "on",
        "{}",
        '{"for_s": 1e12, "by": "x", "why": "y"}',
        '{"for_s": 30, "by": "x", "why": "y"}',
        '{"for_s": NaN, "by": "x", "why": "y"}',
        '{"for_s": 600, "by": "", "why": "y"}',
        json.dumps({"for_s": LONGEST_S + 1, "by": "x", "why": "y"}),
    ],
)
def test_what_cannot_be_read_is_no_maintenance(world: World, text: str) -> None:
    world.aws.value = text
    assert not world.is_on_after(0)


def test_an_answer_without_a_date_is_no_maintenance(world: World) -> None:
    world.pause(600)
    world.aws.has_date = False
    assert not world.is_on_after(0)


def test_it_asks_once_a_minute_in_a_thread_of_its_own(world: World) -> None:
    class Enough(Exception):
        pass

    waits: list[float] = []

    def wait(_event: object, timeout_s: float) -> bool:
        waits.append(timeout_s)
        if len(waits) > 3:
            raise Enough
        return False

    world.clock.wait = wait  # type: ignore[method-assign]
    before = world.aws.reads
    with pytest.raises(Enough):
        world.mode._run()
    assert (waits, world.aws.reads - before) == ([LOOK_S] * 4, 3)


@pytest.mark.parametrize(
    ("action", "reason", "is_held"),
    [
        (ServiceAction.RESTART, "service-failed", True),
        (ServiceAction.REPORT_UNHEALTHY, "service-failed", True),
        (ServiceAction.REPORT_UNHEALTHY, "mount-failed", True),
        (ServiceAction.REPORT_UNHEALTHY, "spot-interruption", False),
        (ServiceAction.STOP, "service-failed", False),
        (ServiceAction.NOTHING, "service-failed", False),
    ],
)
def test_it_holds_back_what_is_done_for_health_and_nothing_else(
    action: ServiceAction, reason: Reason, *, is_held: bool
) -> None:
    decision = Decision(action=action, sentence="do it", reason=reason)
    assert held(decision, "") == decision
    found = held(decision, "ada works on it")
    assert (found != decision) is is_held
    if is_held:
        assert (found.action, found.is_healthy) == (ServiceAction.NOTHING, False)
        assert found.sentence == "maintenance (ada works on it), so not: do it"


def test_without_trouble_aws_is_asked_less_than_a_hundred_times_in_an_hour() -> None:
    """The marker is on the file system, notices are from the metadata service, and lease renewals ask no AWS."""
    periods_s = (LOOK_S, REASSERTS.longest_s, EC2_LOOK_S, RECORD_LOOK_S)
    assert 3600 / min(periods_s) < sum(3600 / period_s for period_s in periods_s) < 100
