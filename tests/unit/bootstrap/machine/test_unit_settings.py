"""Time-outs and before-start hooks of the service file hold whoever starts or stops a unit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.document import Hooks, Service
from bootstrap.base.errors import HookError, ServiceError, SurroundingsError
from bootstrap.machine.commands import Completed
from bootstrap.machine.unit_settings import UnitSettings
from bootstrap.machine.units import ServiceUnits
from tests.kit.clock import FakeClock
from tests.kit.documents import document
from tests.kit.fake_os import OK, FakeOs

CHECK = ("check-licence", 'it\'s "mine" $HOME')
CLOSED = "IPAddressDeny=169.254.169.254 fd00:ec2::254"
FIRST, SECOND = "demo-store.service", "demo.service"


def service(*before_start: tuple[str, ...]) -> Service:
    plain = document().service
    return replace(
        plain, start_timeout_s=240.0, stop_timeout_s=150.0, hooks=Hooks(before_start=before_start, timeout_s=7.0)
    )


def drop_in(machine: FakeOs, unit: str) -> list[str]:
    return (machine.paths.unit_settings / f"{unit}.d/60-soloist.conf").read_text().splitlines()


def test_the_time_outs_of_every_unit_are_those_of_the_service_file(machine: FakeOs, clock: FakeClock) -> None:
    """systemd's default of 90 s ended a start of 240 s, and a flush of 150 s (ClickHouse#54744)."""
    UnitSettings(machine, service(CHECK, CHECK), machine.paths).apply(clock.deadline())
    assert drop_in(machine, SECOND)[1:4] == ["[Service]", "TimeoutStartSec=240.000", "TimeoutStopSec=150.000"]
    assert drop_in(machine, FIRST)[1:] == [
        "[Service]",
        "TimeoutStartSec=254.000",
        "TimeoutStopSec=150.000",
        CLOSED,
        f"ExecCondition=+/bin/sh {machine.paths.before_start}",
    ]


def test_the_metadata_service_is_closed_to_every_unit_unless_the_service_file_opens_it(
    machine: FakeOs, clock: FakeClock
) -> None:
    """Whoever reaches it acts as the instance's role, which may terminate instances."""
    for is_open in (False, True):
        UnitSettings(machine, replace(service(), may_use_instance_role=is_open), machine.paths).apply(clock.deadline())
        assert [CLOSED in drop_in(machine, unit) for unit in (FIRST, SECOND)] == [not is_open] * 2


def test_an_agent_that_died_before_systemd_read_them_has_it_read_them_at_its_next_start(
    machine: FakeOs, clock: FakeClock
) -> None:
    """The files are there, and nobody can see in them that systemd does not know them."""
    machine.refusing["daemon-reload"] = Completed(exit_code=None, output="")
    with pytest.raises(SurroundingsError):
        UnitSettings(machine, service(CHECK), machine.paths).apply(clock.deadline())
    machine.refusing.clear()
    assert UnitSettings(machine, service(CHECK), machine.paths).apply(clock.deadline()).startswith("time-outs of demo")
    assert machine.log() == ["systemctl daemon-reload"] * 2


def test_every_number_is_one_that_systemd_reads(machine: FakeOs, clock: FakeClock) -> None:
    """systemd.time(7) has no exponents: 1e+06 and 5e-05 would be ignored."""
    extreme = replace(
        service(),
        start_timeout_s=5e-5,
        stop_timeout_s=7199.25,
        hooks=Hooks(before_start=(CHECK,) * 200, timeout_s=7200.0),
    )
    settings = UnitSettings(machine, extreme, machine.paths)
    assert settings.drop_in(SECOND).splitlines()[2:4] == ["TimeoutStartSec=0.001", "TimeoutStopSec=7199.250"]
    assert "TimeoutStartSec=1440000.000" in settings.drop_in(FIRST)
    assert "timeout --kill-after=5 7200.000 " in settings.script()


def test_what_systemd_does_not_read_is_an_error(machine: FakeOs, clock: FakeClock) -> None:
    machine.refusing["daemon-reload"] = Completed(exit_code=1, output="Access denied")
    with pytest.raises(SurroundingsError, match="daemon-reload: exit code 1: Access denied"):
        UnitSettings(machine, service(), machine.paths).apply(clock.deadline())


def test_a_hook_runs_before_every_start_whoever_asks_for_it(machine: FakeOs, clock: FakeClock) -> None:
    """A stale pid file stopped every restart but the first start (cagriekin/charts#346)."""
    settings = UnitSettings(machine, service(CHECK), machine.paths)
    settings.apply(clock.deadline())
    machine.refusing["check-licence"] = OK
    for _ in range(3):
        machine.run(("systemctl", "start", FIRST), clock.deadline())
    assert machine.log().count(" ".join(CHECK)) == 3
    assert settings.failed_hook() == ""


def test_a_hook_that_fails_lets_nothing_start_and_is_named(machine: FakeOs, clock: FakeClock) -> None:
    Path(machine.paths.data_root).mkdir(parents=True)
    settings = UnitSettings(machine, service(CHECK), machine.paths)
    settings.apply(clock.deadline())
    machine.refusing["check-licence"] = Completed(exit_code=3, output="no licence")
    units = ServiceUnits(machine, service(CHECK), settings)
    with pytest.raises(
        HookError, match=r"before-start hook check-licence .*: exit code 3: no licence\. Run it by hand"
    ):
        units.start(clock.deadline(600))
    assert machine.unit(FIRST) == "failed"
    machine.refusing["check-licence"] = OK
    with pytest.raises(ServiceError, match="is failed after systemctl start"):  # nothing is mounted
        units.start(clock.deadline(600))


def test_a_hook_that_failed_before_is_not_named_for_a_start_that_fails_without_it(
    machine: FakeOs, clock: FakeClock
) -> None:
    """systemd looks at the mounts before it runs a hook, so the words of an earlier start were still there."""
    machine.paths.run.mkdir(parents=True, exist_ok=True)
    machine.paths.before_start_report.write_text("check-licence: exit code 3: no licence\n")
    with pytest.raises(ServiceError, match="its condition on the mount may have failed"):
        ServiceUnits(machine, service(), UnitSettings(machine, service(), machine.paths)).start(clock.deadline(600))
