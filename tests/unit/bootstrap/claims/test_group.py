"""Hooks are answered until accepted; the target state is watched; no answer means nothing."""

from typing import Any, cast

import pytest

from bootstrap.base.clock import StopRequest
from bootstrap.base.document import Group
from bootstrap.base.errors import CloudError, DeadlineExceeded, SurroundingsError
from bootstrap.claims.group import LaunchHeartbeat, LifecycleWatch, abandon, complete_hook, complete_launch_hook
from bootstrap.cloud.autoscaling import AutoScaling
from tests.kit.clock import FakeClock
from tests.kit.cloud import cloud_error


class FakeGroup:
    """Answers in turn: a hook `waits`, `none` does, or an error."""

    def __init__(self, *answers: str | CloudError, state: str = "Pending") -> None:
        self.answers, self.state = list(answers), state
        self.results: list[str] = []

    def complete_hook(self, hook: str, result: str) -> bool:
        self.results.append(f"{hook} {result}")
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, CloudError):
            raise answer
        return answer == "waits"

    def prolong_hook(self, hook: str) -> bool:
        return self.complete_hook(hook, "heartbeat")

    def lifecycle_state(self) -> str:
        return self.state

    def report_unhealthy(self) -> None:
        self.results.append("unhealthy")


def launch(group: Any, clock: FakeClock) -> str:
    return complete_launch_hook(group, "boot", clock.deadline(30))


def test_a_hook_is_answered_at_once_and_one_that_does_not_wait_yet_is_asked_again(clock: FakeClock) -> None:
    group = FakeGroup("waits")
    assert launch(group, clock) == "CONTINUE accepted"
    assert (group.results, clock.waits) == (["boot CONTINUE"], [])
    assert launch(FakeGroup("none", "none", "waits"), clock) == "CONTINUE accepted"
    assert clock.waits == [1, 1]


def test_an_instance_in_service_needs_no_answer_to_the_hook(clock: FakeClock) -> None:
    assert launch(FakeGroup("none", state="InService"), clock) == "no hook is waiting: InService already"


@pytest.mark.parametrize("code", ["Throttling", "AccessDenied", "ReadTimeoutError"])
def test_passing_errors_are_retried(clock: FakeClock, code: str) -> None:
    assert launch(FakeGroup(cloud_error(code, retryable=code != "AccessDenied"), "waits"), clock) == "CONTINUE accepted"


def test_lasting_refusal_is_raised(clock: FakeClock) -> None:
    with pytest.raises(CloudError, match="ValidationError"):
        launch(FakeGroup(cloud_error("ValidationError", retryable=False)), clock)


def test_never_waiting_is_a_named_timeout(clock: FakeClock) -> None:
    with pytest.raises(DeadlineExceeded, match="the group says nothing about this instance"):
        launch(FakeGroup("none", state=""), clock)


GROUP = Group(name="soloist-demo", launch_hook="boot", launch_hook_timeout_s=60, terminate_hook="drain")


LEAVING = "Terminating:Wait"


def test_a_boot_prolongs_its_launch_hook_three_times_per_time_out(clock: FakeClock) -> None:
    group = FakeGroup("waits", cloud_error("Throttling"), "waits", "none")
    LaunchHeartbeat(cast(AutoScaling, group), GROUP, clock, StopRequest()).run(boot_s=100)
    assert clock.waits == [20, 20, 20, 20, 20], "at once, and no longer than a boot may take"
    assert group.results == ["boot heartbeat"] * 5


def test_the_end_of_the_boot_and_a_stop_end_the_heartbeats(clock: FakeClock) -> None:
    group, stop = FakeGroup("waits"), StopRequest()
    heartbeat = LaunchHeartbeat(cast(AutoScaling, group), GROUP, clock, stop)
    clock.at(50, lambda: stop.request("SIGTERM received"))
    heartbeat.run(boot_s=1000)
    assert group.results == ["boot heartbeat"] * 3
    ended = LaunchHeartbeat(cast(AutoScaling, FakeGroup("waits")), GROUP, clock, StopRequest())
    with pytest.raises(ValueError, match="as a boot fails"), ended.during(boot_s=0):
        raise ValueError("as a boot fails")
    group = FakeGroup("waits")
    ended._auto_scaling = cast(AutoScaling, group)
    ended.run(boot_s=1000)
    assert group.results == []


def test_answer_is_repeated_until_the_deadline(clock: FakeClock) -> None:
    group: Any = FakeGroup(cloud_error("Throttling"), "waits")
    assert complete_hook(group, "drain", "CONTINUE", clock.deadline(10))
    group = FakeGroup(cloud_error("Throttling"))
    with pytest.raises(DeadlineExceeded, match="Throttling"):
        complete_hook(group, "drain", "CONTINUE", clock.deadline(10))


@pytest.mark.parametrize(
    ("group", "sentence", "results"),
    [
        (FakeGroup("waits"), "ABANDON accepted", ["boot ABANDON"]),
        (FakeGroup("none", "waits"), "ABANDON accepted", ["boot ABANDON", "boot ABANDON"]),
        (FakeGroup(cloud_error("Throttling"), "waits"), "ABANDON accepted", ["boot ABANDON", "boot ABANDON"]),
        (FakeGroup("none", state="InService"), "reported unhealthy", ["boot ABANDON", "unhealthy"]),
        (FakeGroup("none", state=LEAVING), f"nothing to abandon: the group says {LEAVING}", ["boot ABANDON"]),
    ],
)
def test_abandon_ends_in_the_health_report(clock: FakeClock, group: Any, sentence: str, results: list[str]) -> None:
    assert abandon(group, "boot", clock.deadline(30)) == sentence
    assert group.results == results


def test_a_hook_that_never_waits_ends_the_abandoning_at_the_deadline(clock: FakeClock) -> None:
    group: Any = FakeGroup("none", state="Pending")
    with pytest.raises(DeadlineExceeded, match="no hook boot is waiting yet and the group says Pending"):
        abandon(group, "boot", clock.deadline(30))


class FakeMetadata:
    def __init__(self) -> None:
        self.state: str | Exception = ""

    def target_lifecycle_state(self, deadline: object) -> str:
        if isinstance(self.state, Exception):
            raise self.state
        return self.state


def test_terminated_becomes_a_request_to_stop(clock: FakeClock) -> None:
    metadata, stop = FakeMetadata(), StopRequest()
    watch = LifecycleWatch(metadata, clock, stop)  # type: ignore[arg-type]
    for state in ("", "InService", SurroundingsError("no answer")):
        metadata.state = state
        watch.look()
        assert not stop.is_requested
    metadata.state = "Terminated"
    watch.look()
    assert stop.sentence == "the group is terminating this instance"
    assert watch.is_terminated


def test_await_terminated_is_bounded(clock: FakeClock) -> None:
    metadata = FakeMetadata()
    watch = LifecycleWatch(metadata, clock, StopRequest())  # type: ignore[arg-type]
    assert not watch.await_terminated(30)
    assert sum(clock.waits) == 30
    clock.at(10, lambda: setattr(metadata, "state", "Terminated"))
    assert watch.await_terminated(30)
