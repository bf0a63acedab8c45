"""Started means active; stopped means gone, by force if need be."""

from collections.abc import Sequence

import pytest

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.errors import DeadlineExceeded, FenceError, HookError, ServiceError, StopRequested
from bootstrap.machine.commands import Completed
from bootstrap.machine.health import Prober
from bootstrap.machine.unit_settings import FENCE_UNIT, UnitSettings
from bootstrap.machine.units import ServiceUnits, run_hooks
from tests.kit.clock import FakeClock
from tests.kit.documents import document
from tests.kit.fake_os import OK, FakeOs

UNITS = ("demo-store.service", "demo.service")


@pytest.fixture
def mounted(machine: FakeOs) -> FakeOs:
    """The service's data directory is a mount point, so systemd lets its units start."""
    machine.mount_data()
    return machine


def units_of(machine: FakeOs, kind: type[ServiceUnits] = ServiceUnits) -> ServiceUnits:
    service = document().service
    return kind(machine, service, UnitSettings(machine, service, machine.paths))


def verbs(machine: FakeOs) -> list[str]:
    lines = (line.removeprefix("systemctl ") for line in machine.log() if line.startswith("systemctl "))
    return [line for line in lines if not line.startswith(("show", "reset-failed"))]


def test_start_in_order_stop_in_reverse(mounted: FakeOs, clock: FakeClock) -> None:
    units = units_of(mounted)
    units.start(clock.deadline())
    assert [mounted.unit(unit) for unit in UNITS] == ["active", "active"]
    assert units.dead_units(clock.deadline()) == []
    assert units.stop(clock.deadline()) == []
    assert units.dead_units(clock.deadline()) == [f"{unit} is inactive" for unit in UNITS]
    starts = [f"start --job-mode=fail {unit}" for unit in UNITS]
    assert verbs(mounted) == [*starts, f"stop {UNITS[1]}", f"stop {UNITS[0]}"]


def test_start_without_the_mount_is_a_failure_although_systemctl_exits_0(machine: FakeOs, clock: FakeClock) -> None:
    with pytest.raises(ServiceError, match=r"demo-store\.service is inactive after systemctl start \(exit code 0\)"):
        units_of(machine).start(clock.deadline())


class Trusting(ServiceUnits):
    """Starts the units and believes systemctl's exit code."""

    def _await_settled(self, unit: str, limit: object) -> str:
        return "active"


def test_a_start_that_does_not_look_is_seen(machine: FakeOs, clock: FakeClock) -> None:
    units_of(machine, Trusting).start(clock.deadline())
    assert [machine.unit(unit) for unit in UNITS] == ["inactive", "inactive"], "it claims to serve and does not"


class Stopping(FakeOs):
    """systemd is stopping the agent; as the real one it refuses or, asked in the default way, reverses that job.
    tests/lab/test_scenes.py has the real one show that it does."""

    is_stopping = True
    is_reversed = False

    def run(self, argv: Sequence[str], deadline: Deadline, *, text_in: str = "") -> Completed:
        if argv[:2] == ("systemctl", "start") and self.is_stopping:
            if "--job-mode=fail" in argv:
                return Completed(exit_code=1, output=f"Transaction for {argv[-1]}/start is destructive")
            self.is_reversed = True
        return super().run(argv, deadline, text_in=text_in)


class Reversing(ServiceUnits):
    """Starts the units in systemctl's default way."""

    def _start_without_conflict(self, unit: str, limit: Deadline) -> Completed:
        return self._commands.run(("systemctl", "start", unit), limit)


@pytest.mark.parametrize(("kind", "is_reversed"), [(ServiceUnits, False), (Reversing, True)])
def test_a_start_never_reverses_the_stop_of_the_agent(
    mounted: FakeOs, clock: FakeClock, kind: type[ServiceUnits], *, is_reversed: bool
) -> None:
    stopping, stop = Stopping(mounted.root), StopRequest()
    clock.at(3, lambda: stop.request("SIGTERM received"))
    if not is_reversed:
        with pytest.raises(StopRequested, match="SIGTERM received"):
            units_of(stopping, kind).start(Deadline(clock, 60, "start", stop))
        assert [stopping.unit(unit) for unit in UNITS] == ["inactive", "inactive"]
    else:
        units_of(stopping, kind).start(Deadline(clock, 60, "start", stop))
    assert stopping.is_reversed is is_reversed


def test_a_start_waits_for_the_end_of_the_stop_that_a_crash_of_the_agent_caused(
    mounted: FakeOs, clock: FakeClock
) -> None:
    stopping = Stopping(mounted.root)
    clock.at(3, lambda: setattr(stopping, "is_stopping", False))
    units_of(stopping).start(clock.deadline())
    assert [stopping.unit(unit) for unit in UNITS] == ["active", "active"]


def test_a_fence_that_is_being_stopped_is_named_and_not_waited_for(mounted: FakeOs, clock: FakeClock) -> None:
    """It stays until the agent has given the lease back, which it does only when it does not wait here."""
    stopping = Stopping(mounted.root)
    stopping.set_unit(FENCE_UNIT, "deactivating")
    with pytest.raises(FenceError, match=r"demo-store\.service cannot start: soloist-fence\.service is being stopped"):
        units_of(stopping).start(clock.deadline())
    assert clock.waits == []


def test_a_stop_that_never_ends_is_named(mounted: FakeOs, clock: FakeClock) -> None:
    with pytest.raises(DeadlineExceeded, match=r"start demo-store\.service: not done after 20 s.*is destructive"):
        units_of(Stopping(mounted.root)).start(clock.deadline())


def test_start_that_takes_too_long_is_a_failure(mounted: FakeOs, clock: FakeClock) -> None:
    mounted.refusing["show"] = Completed(exit_code=0, output="activating\n")
    with pytest.raises(ServiceError, match="is activating after systemctl start"):
        units_of(mounted).start(clock.deadline())
    assert sum(clock.waits) == pytest.approx(20)


class Stubborn(FakeOs):
    """Units that ignore a stop; with `is_immortal` a kill, too."""

    is_immortal = False

    def _systemctl(self, verb: str, unit: str) -> Completed:
        if verb == "stop" or (verb == "kill" and self.is_immortal):
            return Completed(exit_code=None, output="")
        return super()._systemctl(verb, unit)


@pytest.mark.parametrize(("is_immortal", "left"), [(False, []), (True, ["demo.service", "demo-store.service"])])
def test_stop_kills_what_does_not_stop_and_names_what_stays(
    mounted: FakeOs, clock: FakeClock, *, is_immortal: bool, left: list[str]
) -> None:
    stubborn = Stubborn(mounted.root)
    stubborn.is_immortal = is_immortal
    for unit in UNITS:
        stubborn.set_unit(unit, "active")
    assert units_of(stubborn).stop(clock.deadline()) == left
    assert f"kill --kill-whom=all --signal=SIGKILL {UNITS[1]}" in verbs(stubborn)


class Slow(FakeOs):
    """systemd has killed the unit at its time-out: it is `failed`, which is gone."""

    result = "timeout"

    def run(self, argv: Sequence[str], deadline: Deadline, *, text_in: str = "") -> Completed:
        if "--property=Result" in argv:
            return Completed(exit_code=0, output=f"{self.result}\n")
        if "--property=ActiveState" in argv:
            return Completed(exit_code=0, output="failed\n")
        return super().run(argv, deadline, text_in=text_in)


def test_a_stop_that_systemd_ended_by_a_kill_is_said(
    mounted: FakeOs, clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    assert units_of(Slow(mounted.root)).stop(clock.deadline()) == []
    assert "demo.service did not stop within 10 s: systemd killed it" in caplog.text


def test_a_unit_that_ended_is_named_with_what_systemd_says_of_its_end(mounted: FakeOs, clock: FakeClock) -> None:
    class Watched(Slow):
        result = "watchdog"

    assert units_of(Watched(mounted.root)).dead_units(clock.deadline()) == [
        f"{unit} is failed (watchdog)" for unit in UNITS
    ]


def test_restart_refuses_to_start_beside_what_cannot_be_stopped(mounted: FakeOs, clock: FakeClock) -> None:
    stubborn = Stubborn(mounted.root)
    stubborn.is_immortal = True
    stubborn.set_unit("demo.service", "active")
    with pytest.raises(ServiceError, match=r"demo\.service cannot be stopped"):
        units_of(stubborn).restart(clock.deadline())
    assert not any(verb.startswith("start") for verb in verbs(stubborn))


def test_hooks_run_in_order_and_stop_at_the_first_failure(machine: FakeOs, clock: FakeClock) -> None:
    machine.refusing = {"good": OK, "bad": Completed(exit_code=3, output="no licence")}
    hooks = (("good", "1"), ("bad", "2"), ("good", "3"))
    with pytest.raises(HookError, match=r"before-start hook bad 2: exit code 3: no licence\. Run it by hand"):
        run_hooks(machine, hooks, 5, clock.deadline(), "before-start")
    assert machine.log() == ["good 1", "bad 2"]


def test_await_healthy_polls_until_all_pass(machine: FakeOs, clock: FakeClock) -> None:
    machine.refusing["probe"] = Completed(exit_code=1, output="warming up")
    clock.at(3, lambda: machine.refusing.update(probe=OK))
    assert Prober(machine, document().service.health).await_healthy(clock.deadline(30)).startswith("1 checks passed")
    assert 3 <= sum(clock.waits) < 4


def test_await_healthy_ends_in_a_reason(machine: FakeOs, clock: FakeClock) -> None:
    machine.refusing["probe"] = Completed(exit_code=1, output="warming up")
    with pytest.raises(ServiceError, match="not healthy after 30 s: probe: exit code 1: warming up"):
        Prober(machine, document().service.health).await_healthy(clock.deadline(30))
    assert sum(clock.waits) <= 30
