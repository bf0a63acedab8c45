"""What is said of an instance in metrics, and by whom: only who holds the lease says whether the service is served."""

from dataclasses import replace

import pytest

from bootstrap.base.metric import Metric
from bootstrap.base.state import State, TimelineEntry
from bootstrap.run.signs import boot_failed, signs_of_life, took_over
from bootstrap.show.view import Role, View

SERVICE = ("Service", "demo")
HOLDER = View(
    service="demo", role="holder", is_ready=True, is_healthy=True, state=State(phase="ready"), age_s=3.5, left_s=26.5
)


def named(metrics: list[Metric]) -> dict[str, float]:
    return {metric.name: metric.value for metric in metrics}


def test_the_holder_that_is_ready_and_healthy_serves() -> None:
    said = named(signs_of_life(HOLDER, "i-1", []))
    assert said == {"Heartbeat": 1, "Serving": 1, "LeaseAge": 3.5, "Troubles": 0}


def test_a_holder_that_boots_or_is_not_healthy_says_that_it_does_not_serve() -> None:
    for view in (replace(HOLDER, is_ready=False, state=State(phase="booting")), replace(HOLDER, is_ready=False)):
        assert named(signs_of_life(view, "i-1", []))["Serving"] == 0


@pytest.mark.parametrize("role", ["newcomer", "former-holder"])
def test_who_waits_or_has_left_lives_and_says_nothing_about_the_service(role: Role) -> None:
    view = replace(HOLDER, role=role, is_ready=False, age_s=None, left_s=None)
    assert named(signs_of_life(view, "i-1", [])) == {"Heartbeat": 1, "Troubles": 0}


def test_each_trouble_that_stands_is_counted_and_named() -> None:
    said = signs_of_life(HOLDER, "i-1", ["file-system-full", "clock-skew"])
    assert named(said)["Troubles"] == 2
    troubles = [metric.dimensions for metric in said if metric.name == "Trouble"]
    assert troubles == [(SERVICE, ("Reason", "file-system-full")), (SERVICE, ("Reason", "clock-skew"))]


def test_an_image_that_will_be_deprecated_in_weeks_is_named_and_raises_no_alarm_of_a_trouble() -> None:
    said = signs_of_life(HOLDER, "i-1", ["image-deprecated", "clock-skew"])
    assert named(said)["Troubles"] == 1
    assert [m.dimensions[1][1] for m in said if m.name == "Trouble"] == ["image-deprecated", "clock-skew"]
    assert named(signs_of_life(HOLDER, "i-1", ["image-deprecated"]))["Troubles"] == 0


def test_only_the_sign_of_life_is_by_instance_and_by_the_second() -> None:
    """Alarms look at the service; the dimension of the instance would start a new metric with each one."""
    said = signs_of_life(HOLDER, "i-1", ["clock-skew"])
    beats = [metric for metric in said if ("InstanceId", "i-1") in metric.dimensions]
    assert [(metric.name, metric.dimensions[0], metric.is_fine) for metric in beats] == [("Heartbeat", SERVICE, True)]
    assert [metric.name for metric in said if metric.is_fine] == ["Heartbeat"]
    assert all(metric.dimensions[0] == SERVICE for metric in said)


def entry(name: str, duration_s: float, **changes: str) -> TimelineEntry:
    return TimelineEntry(name=name, start_s=1.0, duration_s=duration_s, **{"outcome": "ok", "detail": "", **changes})  # type: ignore[arg-type]


def test_a_takeover_has_the_time_of_the_boot_and_of_each_phase_that_is_done() -> None:
    timeline = [
        entry("metadata", 0.2),
        entry("lease", 4.0),
        entry("connection", 9.0, outcome="late"),
        entry("ready", 0),
    ]
    said = took_over("demo", 12.3456, timeline)
    assert [(metric.name, metric.value, metric.unit) for metric in said] == [
        ("Takeover", 1, "Count"),
        ("BootTime", 12.346, "Seconds"),
        ("BootPhase", 0.2, "Seconds"),
        ("BootPhase", 4.0, "Seconds"),
    ]
    assert said[2].dimensions == (SERVICE, ("Phase", "metadata"))


def test_a_failed_boot_is_one_of_the_service() -> None:
    (said,) = boot_failed("demo")
    assert (said.name, said.value, said.dimensions) == ("BootFailed", 1, (SERVICE,))
