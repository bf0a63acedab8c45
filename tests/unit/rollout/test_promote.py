"""Promotion: what is planned, what is carried out, and that it can be interrupted anywhere."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from bootstrap.base.names import rollouts_parameter, stack_name
from bootstrap.base.state import State
from rollout.errors import IncompleteError, NotReadyInTime, PreconditionError
from rollout.history import KEPT, Promotion, note, read_history
from rollout.observe import Observed, StagedVersion, observe
from rollout.promote import execute, plan_promotion, previous_version, wait_until_ready
from tests.kit.deployed_group import NEW, OLD, Clients, report

NOW = datetime(2026, 11, 20, tzinfo=UTC)


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0
        self.on_sleep: Any = lambda: None

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        self.on_sleep()


def say_nothing(sentence: str) -> None:
    """A listener that is not interested."""


def actions(seen: Observed, version: int | None = None) -> list[str]:
    return [change.kind for change in plan_promotion(seen, version).changes]


def seen_with(*, default: int, group: str, running_image: str) -> Observed:
    return Observed(
        service="demo",
        group_name=stack_name("demo"),
        launch_template_id="lt-1",
        versions=(StagedVersion(number=1, image_id=OLD), StagedVersion(number=2, image_id=NEW)),
        default_version=default,
        group_version=group,
        instance_ids=("i-1",),
        state=State(phase="ready", instance_id="i-1", image_id=running_image),
    )


@pytest.mark.parametrize(
    ("default", "group", "running", "expected"),
    [
        (1, "1", OLD, ["note", "set-default", "set-group", "end-instance"]),
        (2, "1", OLD, ["set-group", "end-instance"]),  # interrupted after the default moved
        (2, "2", OLD, ["end-instance"]),  # interrupted before the instance was ended
        (2, "2", NEW, []),  # complete
        (1, "2", NEW, ["note", "set-default", "end-instance"]),  # somebody moved the group by hand
    ],
)
def test_plan_from_every_interruption_completes_the_promotion(
    default: int, group: str, running: str, expected: list[str]
) -> None:
    assert actions(seen_with(default=default, group=group, running_image=running)) == expected


def test_plan_of_unknown_version_is_refused_with_the_known_ones() -> None:
    with pytest.raises(PreconditionError, match=r"no version 7\. Choose one of 1, 2"):
        plan_promotion(seen_with(default=1, group="1", running_image=OLD), 7)


def test_promotion_moves_both_pointers_and_ends_the_instance(clients: Clients) -> None:
    seen = observe(clients, "demo")
    said: list[str] = []
    execute(clients, seen, plan_promotion(seen), said.append, now=NOW)
    after = observe(clients, "demo")
    assert (after.default_version, after.group_version) == (2, "2")
    assert after.instance_ids != seen.instance_ids
    assert said[-1] == f"instance {seen.instance_ids[0]} ended gracefully; the group launches {NEW}"


def test_rollback_goes_to_the_version_promoted_before_even_after_an_interruption(clients: Clients) -> None:
    for _ in range(2):  # the first run may have been interrupted right after noting the history
        seen = observe(clients, "demo")
        execute(clients, seen, plan_promotion(seen, 2), say_nothing, now=NOW)
    seen = observe(clients, "demo")
    assert previous_version(clients, seen) == 1
    history = json.loads(clients.ssm.get_parameter(Name=rollouts_parameter("demo"))["Parameter"]["Value"])
    assert history == [{"at": NOW.isoformat(), "from_version": 1, "to_version": 2, "image_id": NEW}]


def test_rollback_without_history_asks_for_one_of_the_versions_there_are(clients: Clients) -> None:
    with pytest.raises(PreconditionError, match=r"the version before it is unknown\. Give --to-version, one of 2$"):
        previous_version(clients, observe(clients, "demo"))


@pytest.mark.parametrize("text", ["{", "{}", '[{"from_version": "1"}]', "[7]"])
def test_a_history_that_is_none_is_named_and_kept(clients: Clients, text: str) -> None:
    name = rollouts_parameter("demo")
    clients.ssm.put_parameter(Name=name, Value=text, Type="String")
    seen = observe(clients, "demo")
    with pytest.raises(PreconditionError, match=rf"{name} is no history of promotions: .*Set its value to \[\]"):
        previous_version(clients, seen)
    with pytest.raises(PreconditionError, match="is no history"):
        execute(clients, seen, plan_promotion(seen), say_nothing, now=NOW)
    assert observe(clients, "demo") == seen, "nothing was changed"
    assert clients.ssm.get_parameter(Name=name)["Parameter"]["Value"] == text


def test_the_history_keeps_the_last_twenty(clients: Clients) -> None:
    for number in range(KEPT + 3):
        note(clients, "demo", Promotion(at="", from_version=number, to_version=number + 1, image_id=NEW))
    kept = read_history(clients, "demo")
    assert [entry.from_version for entry in kept] == list(range(3, KEPT + 3))


def test_failed_step_says_what_was_done_and_how_to_go_on(clients: Clients) -> None:
    seen = observe(clients, "demo")
    plan = plan_promotion(seen)
    clients.autoscaling.delete_auto_scaling_group(AutoScalingGroupName=stack_name("demo"), ForceDelete=True)
    with pytest.raises(IncompleteError, match=r"set-group failed after note, set-default: .*same command"):
        execute(clients, seen, plan, say_nothing, now=NOW)


def test_missing_stack_is_one_clear_line(clients: Clients) -> None:
    with pytest.raises(PreconditionError, match=r"no Auto Scaling group soloist-other .* Deploy the stack first"):
        observe(clients, "other")


@pytest.mark.parametrize(
    ("state", "is_ready"),
    [
        ({"phase": "ready", "instance_id": "i-new", "image_id": NEW}, True),
        ({"phase": "ready", "instance_id": "i-old", "image_id": NEW}, False),  # the one that is being ended
        ({"phase": "ready", "instance_id": "i-new", "image_id": OLD}, False),  # a heal with the old image
        ({"phase": "booting", "instance_id": "i-new", "image_id": NEW}, False),
    ],
)
def test_ready_means_another_instance_on_the_promoted_image(
    clients: Clients, state: dict[str, str], *, is_ready: bool
) -> None:
    plan = plan_promotion(observe(clients, "demo"))
    clock = FakeClock()
    clock.on_sleep = lambda: report(clients, **state)
    if is_ready:
        assert wait_until_ready(clients, plan, clock, deadline_s=10, ended=("i-old",)).instance_id == "i-new"
    else:
        with pytest.raises(NotReadyInTime, match=r"not ready on ami-0000000000000002b after 10 s; last state: "):
            wait_until_ready(clients, plan, clock, deadline_s=10, ended=("i-old",))
