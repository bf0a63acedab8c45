"""The alarms of the real watch stack, deployed beside the service's: from metric data to the message in the topic."""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from lab.aws import ControlPlane, ManualClock, NoMachines
from lab.aws.core.timing import INSTANT
from lab.play.deployment import deploy
from lab.play.synthesis import Template
from tests.contract.deployed_account import ONE
from tests.kit.lab_clients import client

MINUTE_S = 60


class Watched:
    """Both stacks of influxdb, and whoever sends its metrics."""

    def __init__(self, plane: ControlPlane, template: Template) -> None:
        plane.register_image(ONE, "influxdb-1")
        deploy(client(plane, "cloudformation"), template)
        self._plane = plane
        self._metrics = client(plane, "cloudwatch")
        self.minutes(6, Serving=1, Troubles=0, LeaseAge=4)

    def minutes(self, count: int, **values: float) -> None:
        """Send `values` once a minute, for so long."""
        for _ in range(count):
            for name, value in values.items():
                self.send(name, value)
            self._plane.advance(MINUTE_S)

    def send(self, name: str, value: float, **dimensions: str) -> None:
        own = [{"Name": "Service", "Value": "influxdb"}]
        more = [{"Name": key, "Value": text} for key, text in dimensions.items()]
        self._metrics.put_metric_data(
            Namespace="soloist", MetricData=[{"MetricName": name, "Value": value, "Dimensions": own + more}]
        )

    def standing(self) -> set[str]:
        """The alarms that stand, without the service's name, and without those on the watchdog function: it takes real
        time to run, and here minutes pass at once."""
        found = self._metrics.describe_alarms(StateValue="ALARM")["MetricAlarms"]
        names = {one["AlarmName"].removeprefix("soloist-influxdb-") for one in found}
        return {name for name in names if not name.startswith("watchdog-")}

    def told(self, name: str) -> list[str]:
        """The states of which people were told, without the first one."""
        topics = self._plane.cloud.backend("sns").topics
        (topic,) = [one for arn, one in topics.items() if arn.endswith(":soloist-influxdb")]
        documents: list[dict[str, Any]] = [
            json.loads(text) for _, text, *_ in topic.sent_notifications if "AlarmName" in text
        ]
        own = [one for one in documents if one["AlarmName"] == f"soloist-influxdb-{name}"]
        return [one["NewStateValue"] for one in own if one["OldStateValue"] != "INSUFFICIENT_DATA"]


@pytest.fixture
def watched(synthesized: Callable[[str], Template]) -> Iterator[Watched]:
    never = replace(INSTANT, minute_s=1e9)  # of the schedule: a function runs in real time, and here minutes fly
    with ControlPlane(NoMachines(), never, address="127.0.0.1", port=0, clock=ManualClock(time.time())) as plane:
        yield Watched(plane, synthesized(ONE))
        assert plane.errors == []


def test_a_service_that_is_served_has_no_alarm(watched: Watched) -> None:
    assert watched.standing() == set()


def test_nobody_serves_is_told_while_data_say_so_and_when_there_are_none(watched: Watched) -> None:
    watched.minutes(2, Serving=0, Troubles=0)
    assert watched.standing() == {"nobody-serves"}
    watched.minutes(2, Serving=1)
    assert watched.told("nobody-serves") == ["ALARM", "OK"]
    watched.minutes(1)
    assert watched.standing() == set(), "one minute without data is no outage"
    watched.minutes(6)
    assert watched.told("nobody-serves") == ["ALARM", "OK", "ALARM"]


def test_one_failed_boot_is_told_and_two_in_half_an_hour_are_a_loop(watched: Watched) -> None:
    watched.send("BootFailed", 1)
    watched.minutes(2, Serving=1)
    assert watched.standing() == {"boot-failed"}
    watched.minutes(18, Serving=1)
    assert watched.told("boot-failed")[-2:] == ["ALARM", "OK"]
    watched.send("BootFailed", 1)
    watched.minutes(2, Serving=1)
    assert watched.standing() == {"boot-failed", "crash-loop"}
    watched.minutes(35, Serving=1)
    assert watched.told("crash-loop") == ["ALARM", "OK"]


def test_a_takeover_is_told_once_and_has_no_end(watched: Watched) -> None:
    watched.send("Takeover", 1)
    watched.minutes(10, Serving=1)
    assert watched.told("takeover") == ["ALARM"]


def test_a_trouble_of_five_minutes_is_told_and_a_shorter_one_is_not(watched: Watched) -> None:
    watched.minutes(3, Serving=1, Troubles=1)
    watched.minutes(2, Serving=1, Troubles=0)
    assert watched.standing() == set()
    watched.minutes(6, Serving=1, Troubles=2)
    assert watched.standing() == {"degraded"}
    watched.minutes(3, Serving=1, Troubles=0)
    assert watched.told("degraded") == ["ALARM", "OK"]


def test_a_lease_that_is_nearly_over_is_told(watched: Watched) -> None:
    watched.minutes(1, Serving=1, LeaseAge=30)
    assert watched.standing() == set()
    watched.minutes(1, Serving=1, LeaseAge=40)
    assert watched.standing() == {"lease-age"}
    watched.minutes(1, Serving=1, LeaseAge=4)
    assert watched.told("lease-age") == ["ALARM", "OK"]


@pytest.mark.parametrize("reason", ["connection-contested", "record-of-another-kind"])
def test_a_record_that_differs_is_told_and_another_trouble_is_not(watched: Watched, reason: str) -> None:
    watched.send("Trouble", 1, Reason="clock-skew")
    watched.minutes(2, Serving=1)
    assert watched.standing() == set()
    watched.send("Trouble", 1, Reason=reason)
    watched.minutes(2, Serving=1)
    assert watched.standing() == {reason}


def test_the_file_systems_alarm_is_on_the_one_that_the_stack_made(watched: Watched) -> None:
    (file_system,) = client(watched._plane, "efs").describe_file_systems()["FileSystems"]
    (alarm,) = watched._metrics.describe_alarms(AlarmNames=["soloist-influxdb-file-system-busy"])["MetricAlarms"]
    assert alarm["Dimensions"] == [{"Name": "FileSystemId", "Value": file_system["FileSystemId"]}]
