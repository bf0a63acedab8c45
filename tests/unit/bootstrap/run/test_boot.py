"""The boot: its graph keeps the rules, and the runner goes through it in order, side by side, bounded."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.clock import Clock, Deadline, StopRequest, SystemClock
from bootstrap.base.errors import DeadlineExceeded, ExitCode, MountError, ServiceError, StopRequested, WrongZone
from bootstrap.base.timeline import Timeline
from bootstrap.run.boot import HOLDER, Boot, boot_steps
from bootstrap.run.graph import BootStep, Runner, StepError
from tests.kit.clock import FakeClock
from tests.kit.fake_os import FakeOs
from tests.kit.instance import build

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

    assert run([step("connection", slow, is_awaited=False), step("a")]) == {"connection": "late", "a": "ok"}
    release.set()
    assert run([step("connection", fail, is_awaited=False), step("a")])["a"] == "ok"


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


# ------------------------------------------------------------------ the graph that ships
def needs(steps: list[BootStep], name: str) -> set[str]:
    """All that must have succeeded before `name` starts."""
    by_name = {step.name: step for step in steps}
    direct = set(by_name[name].after)
    return direct.union(*(needs(steps, one) for one in direct)) if direct else direct


def faults(steps: list[BootStep]) -> list[str]:
    """The checker: what of the rules this graph breaks."""
    found = [
        f"{step.name} does not wait for {one}"
        for step in steps
        if step.name not in (*HOLDER, "mount-lease", "unit-settings")  # these touch nothing that others use
        for one in HOLDER
        if one not in needs(steps, step.name)
    ]
    for one in ("mount-data", "directories", "network-interface", "unit-settings"):
        if one not in needs(steps, "service-start"):
            found.append(f"service-start does not wait for {one}")
    if any("connection" in step.after for step in steps):
        found.append("something waits for the connection")
    if any(step.is_awaited for step in steps if step.name == "connection"):
        found.append("the boot waits for the connection")
    found += [
        f"{step.name} does {step.run.__name__}" for step in steps if step.run.__name__ != step.name.replace("-", "_")
    ]
    return found


@pytest.fixture
def steps(machine: FakeOs, clock: FakeClock) -> list[BootStep]:
    return boot_steps(build(machine, clock))


def test_graph_keeps_the_rules(steps: list[BootStep]) -> None:
    assert faults(steps) == []
    assert needs(steps, "launch-hook") >= {"healthy", "service-start"}


@pytest.mark.parametrize(
    ("name", "changes", "fault"),
    [
        ("service-start", {"after": ("network-interface",)}, "service-start does not wait for mount-data"),
        ("service-start", {"after": ("directories",)}, "service-start does not wait for network-interface"),
        ("network-interface", {"after": ("mount-lease",)}, "network-interface does not wait for lease"),
        ("mount-data", {"after": ("mount-lease",)}, "mount-data does not wait for lease"),
        ("connection", {"after": ("mount-lease",)}, "connection does not wait for lease"),
        ("connection", {"is_awaited": True}, "the boot waits for the connection"),
        ("healthy", {"after": ("service-start", "connection")}, "something waits for the connection"),
    ],
)
def test_graph_broken_on_purpose_is_seen(
    steps: list[BootStep], name: str, changes: dict[str, object], fault: str
) -> None:
    assert fault in faults(changed(steps, name, **changes))


def test_zone_that_the_document_does_not_know_is_refused(machine: FakeOs, clock: FakeClock) -> None:
    with pytest.raises(WrongZone, match="is in us-east-1f, and the service has a network interface only in us-east-1a"):
        build(machine, clock, "us-east-1f")


CLAIMS = ("network-interface", "mount-data", "connection")


def changed(steps: list[BootStep], name: str, **changes: object) -> list[BootStep]:
    return [replace(step, **changes) if step.name == name else step for step in steps]  # type: ignore[arg-type]


def played(steps: list[BootStep]) -> list[str]:
    """Run the graph with steps that only say so; each claim waits until all claims have begun."""
    order: list[str] = []
    meeting = threading.Barrier(len(CLAIMS))

    def play(name: str, _: Deadline) -> str:
        order.append(name)
        if name in CLAIMS:
            meeting.wait(timeout=2)
        return name

    clock, stop = SystemClock(), StopRequest()
    silent = [replace(step, run=lambda deadline, name=step.name: play(name, deadline)) for step in steps]  # type: ignore[misc]
    Runner(silent, Timeline(clock, []), clock, stop).run(Deadline(clock, 10, "boot", stop))
    return order


def test_address_data_and_connection_are_claimed_at_the_same_time_and_only_by_the_holder(steps: list[BootStep]) -> None:
    order = played(steps)
    assert order[order.index("lease") + 1 :][: len(CLAIMS)] == sorted(CLAIMS, key=order.index)
    assert order.index("directories") > order.index("mount-data")


def test_claims_one_after_the_other_are_seen(steps: list[BootStep]) -> None:
    with pytest.raises(Exception, match="BrokenBarrier"):
        played(changed(steps, "mount-data", after=("network-interface",)))


def test_a_step_that_does_the_work_of_another_is_seen(steps: list[BootStep]) -> None:
    assert faults(changed(steps, "mount-data", run=steps[0].run)) == ["mount-data does mount_lease"]


class Elsewhere(FakeOs):
    """Its units start, and their processes run in a control group of their own, as those of a wrapper do."""

    def _populate(self, units: dict[str, str]) -> None:
        super()._populate({})


@pytest.mark.parametrize("kind", [FakeOs, Elsewhere])
def test_a_service_whose_processes_the_fence_does_not_reach_is_no_service(
    tmp_path: Path, clock: FakeClock, kind: type[FakeOs]
) -> None:
    machine = kind(tmp_path / "machine", child=None)
    machine.mount_data()
    boot = Boot(build(machine, clock, target=str(machine.service_data)))
    if kind is FakeOs:
        assert boot.service_start(clock.deadline(100)) == "demo-store.service, demo.service"
    else:
        with pytest.raises(ServiceError, match=r"no process runs in soloist\.slice.*Name the units of the processes"):
            boot.service_start(clock.deadline(100))
