"""The runner: order, side by side, the first failure, deadlines from outside, and what is never awaited."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest

from bootstrap.base.clock import Clock, Deadline, StopRequest, SystemClock
from bootstrap.base.errors import DeadlineExceeded, ExitCode, MountError, StopRequested
from bootstrap.base.timeline import Timeline
from bootstrap.run.graph import BootStep, Runner, StepError
from tests.kit.clock import FakeClock

WATCHDOG_S = 20.0  # real seconds; only a broken runner ever needs them


def step(name: str, run: Callable[[Deadline], str] | None = None, *after: str, is_awaited: bool = True) -> BootStep:
    return BootStep(name=name, run=run or (lambda _: name), deadline_s=60, after=after, is_awaited=is_awaited)


def run(
    steps: list[BootStep],
    clock: Clock | None = None,
    stop: StopRequest | None = None,
    outcomes: dict[str, str] | None = None,
) -> dict[str, str]:
    """The outcome of each step; also in `outcomes`, for a run that raises."""
    clock, stop, outcomes = clock or SystemClock(), stop or StopRequest(), {} if outcomes is None else outcomes
    timeline = Timeline(clock, [])
    try:
        Runner(steps, timeline, clock, stop).run(Deadline(clock, 600, "boot", stop))
    finally:
        outcomes |= {entry.name: entry.outcome for entry in timeline.entries()}
    return outcomes


def fail(_: Deadline) -> str:
    raise MountError("no server")


def test_steps_start_after_what_they_need() -> None:
    order: list[str] = []

    def note(name: str) -> Callable[[Deadline], str]:
        return lambda _: order.append(name) or name  # type: ignore[func-returns-value]

    run([step("c", note("c"), "a", "b"), step("b", note("b"), "a"), step("a", note("a"))])
    assert order == ["a", "b", "c"]


def test_independent_steps_run_side_by_side() -> None:
    both = threading.Barrier(2, timeout=WATCHDOG_S)

    def meet(_: Deadline) -> str:
        both.wait()
        return "met"

    assert run([step("a", meet), step("b", meet)]) == {"a": "ok", "b": "ok"}


def test_failure_is_named_stops_the_others_and_skips_the_rest() -> None:
    is_started = threading.Event()

    def wait_for_ever(deadline: Deadline) -> str:
        is_started.set()
        while True:
            deadline.pause(WATCHDOG_S)

    def fail_late(_: Deadline) -> str:
        is_started.wait(WATCHDOG_S)
        raise MountError("no server")

    outcomes: dict[str, str] = {}
    with pytest.raises(StepError, match="b: no server") as caught:
        run([step("a", wait_for_ever), step("b", fail_late), step("c", None, "b")], outcomes=outcomes)
    assert (caught.value.step, caught.value.reason, caught.value.exit_code) == ("b", "mount-failed", ExitCode.FAILED)
    assert outcomes == {"a": "skipped", "b": "failed", "c": "skipped"}


def test_unexpected_exception_is_a_failure_too() -> None:
    def defect(_: Deadline) -> str:
        raise KeyError("x")

    with pytest.raises(StepError, match="unexpected KeyError"):
        run([step("a", defect)])


def test_background_step_neither_delays_nor_fails() -> None:
    release = threading.Event()

    def slow(_: Deadline) -> str:
        release.wait(WATCHDOG_S)
        return "at last"

    assert run([step("record", slow, is_awaited=False), step("a")]) == {"record": "late", "a": "ok"}
    release.set()
    assert run([step("record", fail, is_awaited=False), step("a")])["a"] == "ok"


def test_hanging_step_is_a_named_failure(clock: FakeClock) -> None:
    release = threading.Event()

    def hang(_: Deadline) -> str:
        release.wait(WATCHDOG_S)
        return ""

    with pytest.raises(StepError, match="a: hangs 5 s past its deadline of 60 s") as caught:
        run([step("a", hang), step("b", None, "a")], clock)
    assert caught.value.exit_code is ExitCode.TIMED_OUT
    release.set()


def test_step_past_its_own_deadline_is_a_timeout(clock: FakeClock) -> None:
    with pytest.raises(StepError, match="a: a: not done after 60 s; last seen: rain"):
        run([step("a", lambda deadline: deadline.pause(61, "rain") or "")], clock)  # type: ignore[func-returns-value]


def test_boot_deadline_ends_what_the_step_deadlines_would_not(clock: FakeClock) -> None:
    steps = [step("a", lambda _: clock.advance(700) or ""), step("b", None, "a")]  # type: ignore[func-returns-value]
    with pytest.raises((StepError, DeadlineExceeded), match=r"not done after|hangs"):
        run([*steps, step("c", lambda deadline: deadline.check() or "", "b")], clock)  # type: ignore[func-returns-value]


def test_stop_ends_the_boot_and_nothing_more_starts() -> None:
    stop, started = StopRequest(), []

    def ask(deadline: Deadline) -> str:
        stop.request("SIGTERM received")
        deadline.check()
        return ""

    with pytest.raises(StopRequested, match="SIGTERM received"):
        run([step("a", ask), step("b", lambda _: started.append("b") or "", "a")], stop=stop)  # type: ignore[func-returns-value]
    assert started == []


@pytest.mark.parametrize("steps", [[step("a", None, "nowhere")], [step("a"), step("a")]])
def test_graph_that_makes_no_sense_is_refused(steps: list[BootStep]) -> None:
    with pytest.raises(ValueError, match="steps are named twice or need unknown ones"):
        run(steps)
