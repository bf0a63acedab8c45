"""Ready is not once: each thing that the boot set up is looked at again, mended a bounded number of times, and said.

Reports by others, each of a service that was healthy and out of reach: keepalived#836 and #534 and systemd#12050 (a
restart of systemd-networkd takes addresses away).
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.errors import Reason
from bootstrap.fence.protocol import FenceAnswer
from bootstrap.machine.commands import Completed
from bootstrap.machine.unit_settings import DROP_IN, seconds_of
from bootstrap.run.kept_parts import kept_parts
from bootstrap.run.ladder import Decision, ServiceAction, with_upkeep
from bootstrap.run.restarts import Restarts
from bootstrap.run.supervise import Supervisor
from bootstrap.run.upkeep import Upkeep
from bootstrap.run.upkeep_rules import PAUSE_S, WINDOW_S, History, Step, Terms, Verdict, judge
from tests.kit.clock import FakeClock
from tests.kit.fake_os import OK, FakeOs
from tests.kit.lease import ME, SeenTroubles
from tests.kit.wired import OLD_RECORD, Wired

VITAL = Terms(name="address", reason="gone", most_mends=2, is_vital=True)
MINOR = Terms(name="record", reason="contested", most_mends=2)
PATIENT = Terms(name="fence", reason="silent", patience_s=30.0, is_vital=True)
TWICE = (900.0, 990.0)


@pytest.mark.parametrize(
    ("terms", "drift", "history", "step", "sentence"),
    [
        (VITAL, "", History(), Step.NOTHING, ""),
        (VITAL, "none", History(since_s=1000.0), Step.MEND, "address: none"),
        (VITAL, "none", History(since_s=1000.0, mended_at_s=(900.0,)), Step.MEND, "address: none"),
        (VITAL, "none", History(since_s=1000.0, mended_at_s=(1000.0 - WINDOW_S, 990.0)), Step.MEND, "address: none"),
        (
            VITAL,
            "none",
            History(since_s=1000.0, mended_at_s=TWICE),
            Step.REPLACE,
            "address: none; mended 2 times within 60 min, which did not last: replace this instance",
        ),
        (
            MINOR,
            "moved",
            History(since_s=1000.0, mended_at_s=TWICE),
            Step.TROUBLE,
            "record: moved; mended 2 times within 60 min, which did not last",
        ),
        (MINOR, "moved", History(since_s=1000.0, not_before_s=1001.0), Step.TROUBLE, "record: moved"),
        (MINOR, "moved", History(since_s=1000.0, not_before_s=1000.0), Step.MEND, "record: moved"),
        (PATIENT, "silent", History(since_s=971.0), Step.NOTHING, ""),
        (PATIENT, "silent", History(since_s=970.0), Step.REPLACE, "fence: silent: replace this instance"),
    ],
)
def test_what_is_done_about_a_drift(terms: Terms, drift: str, history: History, step: Step, sentence: str) -> None:
    verdict = judge(terms, drift, history, 1000.0)
    assert (verdict.step, verdict.sentence) == (step, sentence)
    assert verdict.reason == (terms.reason if sentence else None)


class World(Wired):
    """An instance that serves, and its upkeep."""

    def __init__(self, machine: FakeOs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(machine, clock, monkeypatch)
        machine.refusing["probe"] = OK
        self.serve()
        self.stop, self.troubles = StopRequest(), SeenTroubles()
        self.upkeep = Upkeep(kept_parts(self.instance), clock, self.stop, self.troubles)
        self.api.asked = 0

    def cycle(self, after_s: float = 5.0) -> Verdict:
        """One cycle, and the lease renewed before it."""
        self.clock.advance(after_s)
        self.renew()
        return self.upkeep.cycle()

    def renew(self) -> None:
        keeper, deadline_s = self.instance.lease.keeper, self.clock.now_s + 45
        assert keeper.hold is not None
        keeper._hold = replace(keeper.hold, deadline_s=deadline_s)
        self.fence.guard._memory = replace(self.fence.memory, deadline_s=deadline_s)

    # ------------------------------------------------------------------ what somebody does to the machine
    def take_the_address_away(self) -> None:
        self.machine.know(links={})

    def unplug(self) -> None:
        """Detached by API: EC2 shows it, and the device is gone until it is attached again."""
        self.api.attached = ""
        self.machine.know(is_unplugged=True)
        attach = self.api.attach_network_interface

        def plug(**arguments: Any) -> None:
            attach(**arguments)
            self.machine.know(is_unplugged=False, links={})

        self.api.attach_network_interface = plug  # type: ignore[method-assign]

    def detach_the_data(self) -> None:
        self.machine.unmount(str(self.machine.paths.data_root), is_lazy=True)

    def detach_a_directory(self) -> None:
        self.machine.unmount(str(self.target), is_lazy=True)

    def remount_read_only(self) -> None:
        path, root = self.machine.paths.mountinfo, str(self.machine.paths.data_root)
        lines = path.read_text().splitlines()
        path.write_text("\n".join(line.replace(" rw ", " ro ", 1) if root in line else line for line in lines) + "\n")

    def detach_the_lease_directory(self) -> None:
        self.machine.unmount(str(self.machine.paths.lease_root), is_lazy=True)

    def move_the_record(self) -> None:
        self.api.record = OLD_RECORD

    @property
    def drop_in(self) -> Path:
        return self.machine.paths.unit_settings / "demo.service.d" / DROP_IN

    def remove_the_drop_in(self) -> None:
        self.drop_in.unlink()

    def override_the_time_out(self) -> None:
        self.machine.know(overridden={"TimeoutStopUSec": "1min 30s"})

    def remove_the_environment(self) -> None:
        self.machine.paths.generation_environment.unlink()

    def move_the_unit(self) -> None:
        self.machine.know(overridden={"Slice": "system.slice"})

    def unbind_the_unit(self) -> None:
        self.machine.know(overridden={"BindsTo": "soloist-agent.service"})

    def remove_the_marker(self) -> None:
        (self.machine.paths.data_root / ".soloist-file-system").unlink()

    def write_beside_the_service(self) -> None:
        one = {"pid": 42, "name": "backup", "group": "/system.slice/backup.service", "ends_by": [], "is_writing": True}
        self.machine.know(outsiders=[{**one, "uses": "has /var/lib/demo/x open"}])

    def kill_the_fence(self) -> None:
        self.fence.is_dead = True

    def tell_the_fence_to_stop(self) -> None:
        self.fence.is_stopping = True

    def let_the_fence_guard_nothing(self) -> None:
        self.fence.ask = lambda _request: FenceAnswer(is_accepted=True, sentence="nothing is held")  # type: ignore[method-assign]


@pytest.fixture
def world(machine: FakeOs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(machine, clock, monkeypatch)


Break = Callable[[World], None]
MENDED: list[tuple[Break, float, str]] = [
    (World.take_the_address_away, 5, "mended address: vec1 is down; vec1 has no address 10.0.100.10/24; no rule"),
    (
        World.unplug,
        5,
        "mended address: no device with MAC 02:00:00:00:00:42 in the operating system: eni-1 is",
    ),
    (lambda world: setattr(world.api, "attached", ""), 900, "mended network-interface: eni-1 is available"),
    (World.detach_the_data, 5, "mended data: nothing is mounted at "),
    (World.detach_a_directory, 5, "mended data: nothing is mounted at "),
    (World.remount_read_only, 5, "is mounted read-only; done: stopped the service, mounted by fs-1"),
    (World.detach_the_lease_directory, 5, "mended lease-directory: nothing is mounted at "),
    (World.move_the_record, 600, "mended connection: demo.lab.internal moves from 10.0.101.10 to 10.0.100.10; done:"),
    (World.remove_the_drop_in, 5, f"demo.service.d/{DROP_IN} was changed; done: wrote them again"),
    (World.remove_the_environment, 5, "generation.env was changed; done: wrote them again"),
]


@pytest.mark.parametrize(("damage", "look_s", "sentence"), MENDED)
def test_a_drift_is_mended_and_said_for_an_hour(world: World, damage: Break, look_s: float, sentence: str) -> None:
    assert world.cycle() == Verdict()
    damage(world)
    verdict = world.cycle(look_s)
    assert (verdict.step, sentence in verdict.sentence) == (Step.NOTHING, True), verdict
    assert world.cycle().sentence == verdict.sentence
    assert world.machine.unit("demo.service") == "active"
    assert len(world.machine.mounts()) == 3
    assert world.cycle(WINDOW_S) == Verdict()


REPLACED: list[tuple[Break, int, str]] = [
    (World.take_the_address_away, 6, "network-interface-unusable"),
    (World.detach_the_data, 2, "mount-failed"),
    (World.detach_the_lease_directory, 2, "mount-failed"),
]


@pytest.mark.parametrize(("damage", "mends", "reason"), REPLACED)
def test_what_does_not_stay_mended_ends_in_a_replacement(world: World, damage: Break, mends: int, reason: str) -> None:
    for _ in range(mends):
        damage(world)
        assert world.cycle().step is Step.NOTHING
    damage(world)
    verdict = world.cycle()
    assert (verdict.step, verdict.reason) == (Step.REPLACE, reason)
    assert f"mended {mends} times within 60 min" in verdict.sentence


WITHOUT_A_MEND: list[tuple[Break, float, int, Step, str]] = [
    (World.kill_the_fence, 11, 4, Step.REPLACE, "fence-unavailable"),
    (World.let_the_fence_guard_nothing, 11, 4, Step.REPLACE, "fence-unavailable"),
    (World.tell_the_fence_to_stop, 5, 1, Step.REPLACE, "fence-unavailable"),
    (World.move_the_unit, 61, 2, Step.REPLACE, "unit-outside-fence"),
    (World.unbind_the_unit, 61, 2, Step.REPLACE, "unit-outside-fence"),
    (World.write_beside_the_service, 600, 1, Step.TROUBLE, "data-outside-fence"),
    (World.remove_the_marker, 900, 1, Step.TROUBLE, "file-system-refused"),
]


@pytest.mark.parametrize(("damage", "look_s", "looks", "step", "reason"), WITHOUT_A_MEND)
def test_what_cannot_be_mended_is_named(
    world: World, damage: Break, look_s: float, looks: int, step: Step, reason: str
) -> None:
    damage(world)
    for _ in range(looks - 1):
        assert world.cycle(look_s) == Verdict(), "once is no proof"
    verdict = world.cycle(look_s)
    assert (verdict.step, verdict.reason) == (step, reason)


def test_a_mend_that_fails_is_said_at_once_and_counts(world: World) -> None:
    world.machine.refusing["mount -t nfs4"] = Completed(exit_code=32, output="no route to host")
    world.detach_the_data()
    for _ in range(2):
        verdict = world.cycle()
        assert (verdict.step, verdict.reason) == (Step.TROUBLE, "mount-failed")
        assert "not mended" in verdict.sentence
        assert "no route to host" in verdict.sentence
    assert world.cycle().step is Step.REPLACE


def test_a_record_that_somebody_keeps_changing_never_ends_the_instance(world: World) -> None:
    for _ in range(3):
        world.move_the_record()
        assert world.cycle(600).step is Step.NOTHING
    world.move_the_record()
    for _ in range(2):
        verdict = world.cycle(600)
        assert (verdict.step, verdict.reason) == (Step.TROUBLE, "connection-contested")
    assert world.cycle(WINDOW_S).step is Step.NOTHING, "an hour after the first mend it is tried again"
    assert world.troubles.seen == ["connection-contested", "connection-contested is over"]


def test_aws_without_an_answer_ends_nothing_and_is_asked_once_a_minute(world: World) -> None:
    world.unplug()
    world.api.is_silent = True
    verdicts = [world.cycle() for _ in range(int(600 / 5))]
    assert {(verdict.step, verdict.reason) for verdict in verdicts} == {(Step.TROUBLE, "network-interface-unusable")}
    assert world.api.asked <= 600 / PAUSE_S + 2
    world.api.is_silent = False
    assert world.cycle(PAUSE_S).sentence.startswith("mended address")


def test_a_mend_that_is_refused_is_a_trouble_with_that_reason_and_never_a_replacement(world: World) -> None:
    world.unplug()
    plug = world.api.attach_network_interface
    refusal: Any = {"Error": {"Code": "UnauthorizedOperation", "Message": "not you"}}

    def refuse(**_: Any) -> None:
        world.renew()
        raise ClientError(refusal, "AttachNetworkInterface")

    world.api.attach_network_interface = refuse  # type: ignore[method-assign]
    for _ in range(10):
        verdict = world.cycle(PAUSE_S)
        assert (verdict.step, verdict.reason) == (Step.TROUBLE, "access-denied"), verdict
        assert "AttachNetworkInterface is refused" in verdict.sentence
    world.api.attach_network_interface = plug  # type: ignore[method-assign]
    assert world.cycle(PAUSE_S).sentence.startswith("mended address")
    assert world.troubles.seen == ["access-denied", "access-denied is over"]


def test_a_stale_holder_mends_nothing_that_others_use(world: World) -> None:
    world.put(2)
    world.move_the_record()
    verdict = world.cycle(600)
    assert "not mended: " in verdict.sentence
    assert [what for what, _ in world.api.changes] == ["attach", "record"], "both at the boot"


def test_a_quiet_hour_costs_ten_calls(world: World) -> None:
    for _ in range(3600 // 5):
        assert world.cycle() == Verdict()
    assert world.api.asked == 4 + 6


def test_after_a_mend_everything_is_looked_at(world: World) -> None:
    world.take_the_address_away()
    world.move_the_record()
    world.cycle()
    assert "connection" in world.cycle().sentence


def test_a_part_that_cannot_be_looked_at_is_said_once_and_is_no_drift(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    world.machine.refusing["data_child"] = Completed(exit_code=None, output="")
    with caplog.at_level(logging.WARNING):
        assert [world.cycle(900) for _ in range(2)] == [Verdict()] * 2
    assert sum("marker cannot be looked at" in record.message for record in caplog.records) == 1


def test_an_image_that_will_be_deprecated_does_not_hide_a_mend(clock: FakeClock) -> None:
    """It stands for weeks, and a mend is said for an hour."""
    image, address = Drifting("image-deprecated"), Drifting("network-interface-lost", most_mends=1)
    upkeep = Upkeep([image, address], clock, StopRequest(), SeenTroubles())
    assert upkeep.cycle().sentence == "mended network-interface-lost: differs; done: put back"


class Drifting:
    """A part that differs until it is mended."""

    mend_s, ends_service = 1.0, False

    def __init__(self, reason: Reason, most_mends: int = 0) -> None:
        self.terms = Terms(name=reason, reason=reason, most_mends=most_mends)
        self.seen = "differs"

    def drift(self, _deadline: Deadline) -> str:
        return self.seen

    def mend(self, _deadline: Deadline) -> str:
        self.seen = ""
        return "put back"


def test_what_a_start_needs_is_put_back_before_the_data_are(world: World) -> None:
    """On a machine the start within the mend of the data failed for want of the units' environment file."""
    mended = [part.terms.name for part in kept_parts(world.instance)]
    assert mended.index("unit-files") < mended.index("data")
    world.override_the_time_out()
    assert world.cycle(60).step is Step.NOTHING
    assert "TimeoutStopUSec of demo" in world.cycle().sentence


def test_a_device_that_goes_down_is_asked_for_at_ec2_and_set_up_without_its_answer(world: World) -> None:
    world.take_the_address_away()
    world.api.attached = ""
    world.cycle()
    assert world.api.attached == ME
    world.take_the_address_away()
    world.api.is_silent = True
    assert world.cycle().sentence.startswith("mended address")


def supervisor(world: World, said: list[str]) -> Supervisor:
    restarts = Restarts(world.machine.paths.restarts, world.clock)
    return Supervisor(world.instance, world.upkeep, world.stop, said.append, lambda _: None, restarts)


def test_a_stop_ends_a_mend(world: World) -> None:
    world.unplug()
    world.api.attach_network_interface = lambda **_: world.stop.request("SIGTERM received")  # type: ignore[method-assign]
    assert supervisor(world, []).run() == Decision(action=ServiceAction.STOP, sentence="SIGTERM received")


def test_the_supervisor_says_a_mend_and_gives_the_service_its_start_allowance(world: World) -> None:
    said: list[str] = []
    its = supervisor(world, said)
    world.detach_the_data()
    world.machine.refusing["probe"] = Completed(exit_code=1, output="not up yet")
    assert its.cycle().action is ServiceAction.NOTHING
    assert said[-1].startswith("unhealthy, but within the 30 s start allowance: probe")
    assert "; mended data: " in said[-1]


HEALTHY = Decision(action=ServiceAction.NOTHING, sentence="healthy")
STOPPED = Decision(action=ServiceAction.STOP, sentence="SIGTERM")
GONE = Verdict(step=Step.REPLACE, sentence="x: replace", reason="mount-failed")


@pytest.mark.parametrize(
    ("decision", "verdict", "expected"),
    [
        (HEALTHY, Verdict(), HEALTHY),
        (HEALTHY, Verdict(sentence="mended x"), replace(HEALTHY, sentence="healthy; mended x")),
        (HEALTHY, Verdict(step=Step.TROUBLE, sentence="x", reason="mount-failed"), HEALTHY),
        (STOPPED, Verdict(sentence="mended x"), STOPPED),
        (HEALTHY, GONE, Decision(action=ServiceAction.REPORT_UNHEALTHY, sentence="x: replace", reason="mount-failed")),
    ],
)
def test_what_is_said_of_service_and_upkeep(decision: Decision, verdict: Verdict, expected: Decision) -> None:
    assert with_upkeep(decision, verdict) == expected


@pytest.mark.parametrize(
    ("span", "seconds"),
    [("1min 30s", 90.0), ("20.500s", 20.5), ("1h 500ms", 3600.5), ("infinity", float("inf")), ("", float("inf"))],
)
def test_time_spans_of_systemd(span: str, seconds: float) -> None:
    assert seconds_of(span) == seconds
