"""Signs of life only while every loop lives."""

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.codec import encode
from bootstrap.base.document import render_user_data
from bootstrap.base.errors import ExitCode
from bootstrap.claims.group import LaunchHeartbeat, LifecycleWatch
from bootstrap.cloud.clients import Clients
from bootstrap.lease.keeper import Lost
from bootstrap.machine.systemd import EXTEND_S, ServiceNotifier
from bootstrap.run.agent import LEASE_LOOP, Adapters, Agent
from bootstrap.run.data_watch import DataWatch
from bootstrap.run.ending import longest_ending_s
from bootstrap.run.instance import build_instance
from bootstrap.run.pulse import INTERVAL_S, Pulse
from bootstrap.run.watched_data import watched_parts
from tests.kit.clock import FakeClock
from tests.kit.documents import document
from tests.kit.fake_os import FakeOs
from tests.kit.instance import FakeMetadata, fake_machine, identity
from tests.kit.lease import Holder


def test_a_late_loop_stops_the_signs_and_its_beat_brings_them_back(clock: FakeClock) -> None:
    sent: list[float] = []
    pulse = Pulse(clock, lambda: sent.append(clock.now_s))
    assert pulse.send_if_alive(), "before any loop has begun"
    pulse.beat("lease", 10)
    pulse.beat("supervise", 100)
    clock.advance(10)
    assert pulse.send_if_alive()
    clock.advance(1)
    assert pulse.late() == ["lease"]
    assert not pulse.send_if_alive()
    pulse.beat("lease", 10)
    assert pulse.send_if_alive()
    assert len(sent) == 3


def test_an_ending_is_no_hang_for_as_long_as_it_may_take(clock: FakeClock) -> None:
    pulse = Pulse(clock, lambda: None)
    pulse.beat("lease", 10)
    pulse.rest(1000)
    pulse.beat("lease", 10)  # a loop that has not noticed yet
    clock.advance(1000)
    assert pulse.send_if_alive()
    clock.advance(1)
    assert pulse.late() == ["end"]


def test_a_loop_that_is_over_is_never_late(clock: FakeClock) -> None:
    pulse = Pulse(clock, lambda: None)
    pulse.beat("boot", 10)
    pulse.over("boot")
    clock.advance(1000)
    assert pulse.send_if_alive()


def test_each_sign_extends_the_time_out_of_a_start_or_a_stop() -> None:
    """A stop_timeout_s of 1200 passed every check, and systemd ended the agent after 900 s (fc-nixos#396)."""
    notes, extended = SystemdNotes(), ["WATCHDOG=1", "EXTEND_TIMEOUT_USEC=60000000"]
    notes.alive()
    assert notes.got == extended
    notes.ready("serves")
    notes.alive()
    assert notes.got[-1] == "WATCHDOG=1", "it would put off the watchdog as well"
    notes.stopping("told to stop")
    notes.alive()
    assert notes.got[-2:] == extended
    assert INTERVAL_S * 3 < EXTEND_S


def test_an_ending_may_take_as_long_as_its_parts_together() -> None:
    plain = document()
    slow = replace(plain, service=replace(plain.service, stop_timeout_s=1200.0))
    assert longest_ending_s(slow) > 1200 * len(slow.service.units) + 4 * slow.deadlines.release_s


# ------------------------------------------------------------------ as the agent joins it
class SystemdNotes(ServiceNotifier):
    """What systemd would get."""

    def __init__(self) -> None:
        super().__init__("")
        self.got: list[str] = []

    def send(self, *lines: str) -> bool:
        self.got.extend(lines)
        return True


class NoSteps:
    """A boot that is done at once."""

    def __init__(self, *_: object) -> None:
        """Takes what Runner takes."""

    def run(self, overall: Deadline) -> None:
        """Nothing to do."""


class Joined:
    """The agent over a fake machine, its pulse without a thread: `signs` asks for one, as the thread does."""

    def __init__(self, machine: FakeOs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machine, self.clock, self.notes, self.stop = machine, clock, SystemdNotes(), StopRequest()
        self.pulses = 0
        machine.paths.run.mkdir(parents=True)
        metadata: Any = None
        parts = fake_machine(machine, clock)
        self.agent = Agent(Adapters(machine=parts, metadata=metadata, notifier=self.notes), self.stop)
        self.listeners = self.agent._listeners(document())
        self.instance = build_instance(
            document(), identity(), machine=parts, clients=Clients("us-east-1"), listeners=self.listeners
        )
        monkeypatch.setattr("bootstrap.run.agent.Runner", NoSteps)
        # No step, so nothing to keep, and no notices.
        monkeypatch.setattr("bootstrap.run.agent.all_parts", lambda instance, _metadata: watched_parts(instance))
        monkeypatch.setattr(LifecycleWatch, "start", lambda _self: None)
        monkeypatch.setattr(DataWatch, "start", lambda _self: None)
        monkeypatch.setattr(LaunchHeartbeat, "during", lambda _self, _seconds: nullcontext())
        monkeypatch.setattr(Pulse, "start", self._pulse_started)

    def _pulse_started(self) -> None:
        self.pulses += 1

    def live(self, ending: object) -> ExitCode:
        for unit in self.instance.document.service.units:
            self.machine.set_unit(unit, "active")
        told: Any = SimpleNamespace(took_over=lambda _sentence, _standing: None)
        return self.agent._live(self.instance, ending, told)  # type: ignore[arg-type]

    def is_petted(self) -> bool:
        before = self.notes.got.count("WATCHDOG=1")
        self.agent._pulse.send_if_alive()
        return self.notes.got.count("WATCHDOG=1") > before


@pytest.fixture
def joined(machine: FakeOs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Joined:
    return Joined(machine, clock, monkeypatch)


def test_systemd_is_petted_while_the_lease_is_renewed_and_not_while_its_loop_hangs(
    joined: Joined, tmp_path: Path
) -> None:
    """The keeper's own loop with the agent's own listeners; one look into the lease directory does not return."""
    (tmp_path / "lease").mkdir()
    holder = Holder(tmp_path / "lease", joined.clock)
    real, petted = holder.worker.ask, []

    def ask(timeout_s: float, **request: object) -> object:
        petted.append(joined.is_petted())
        if len(petted) == 13:
            joined.clock.advance(26)  # longer than a cycle may take: a period and two requests, 25 s by default
            petted.append(joined.is_petted())
            holder.keeper._ending.set()
        return real(timeout_s, **request)

    holder.worker.ask = ask  # type: ignore[method-assign, assignment]
    holder.keeper._hold = holder.hold
    holder.keeper._run(joined.listeners.on_lost, joined.listeners.beat_lease)
    assert petted[:13] == [True] * 13
    assert not any(petted[13:])
    assert joined.agent._pulse.late() == [], "the loop came back"
    joined.clock.advance(26)
    assert joined.agent._pulse.late() == [LEASE_LOOP], "a loop that has ended unseen is a hang as well"


def test_systemd_is_petted_while_the_service_is_supervised_and_not_while_a_cycle_hangs(joined: Joined) -> None:
    service = joined.instance.document.service
    longest_s = (service.start_timeout_s + service.stop_timeout_s) * len(service.units) + 240
    petted: list[bool] = []

    def failures(_deadline: Deadline) -> list[str]:
        petted.append(joined.is_petted())
        if len(petted) == 20:
            joined.clock.advance(longest_s)
            petted.append(joined.is_petted())
            joined.stop.request("enough")
        return []

    class Endings:
        def stopped(self, sentence: str, *, has_served: bool) -> ExitCode:
            joined.clock.advance(longest_s)
            petted.append(joined.is_petted())
            return ExitCode.OK

    joined.instance.service.prober.failures = failures  # type: ignore[method-assign, assignment]
    assert joined.live(Endings()) is ExitCode.OK
    assert petted == [True] * 20 + [False, True], "twenty cycles, a hang, and an ending that has deadlines of its own"
    assert joined.pulses == 1, "nobody sends the signs"


def test_a_lease_lost_while_supervising_ends_as_lost_and_stops_the_loop_at_once(joined: Joined) -> None:
    lost = Lost(is_taken=True, sentence="generation 1 is lost: there is generation 2")

    def failures(_deadline: Deadline) -> list[str]:
        joined.instance.lease.keeper._lost = lost
        joined.listeners.on_lost(lost.sentence)
        return []

    ended: list[Lost] = []

    class Endings:
        def lease_lost(self, how: Lost) -> ExitCode:
            ended.append(how)
            return ExitCode.NOT_TOLD

    joined.instance.service.prober.failures = failures  # type: ignore[method-assign, assignment]
    began_s = joined.clock.now_s
    assert joined.live(Endings()) is ExitCode.NOT_TOLD
    assert ended == [lost]
    assert joined.clock.now_s == began_s, "it waited for a cycle"


# ------------------------------------------------------------------ nobody was told
@pytest.mark.parametrize(("is_told", "code"), [(True, ExitCode.BAD_BOOT_DOCUMENT), (False, ExitCode.NOT_TOLD)])
def test_a_document_that_does_not_know_the_zone_ends_as_such_only_once_the_group_was_told(
    joined: Joined, monkeypatch: pytest.MonkeyPatch, code: ExitCode, *, is_told: bool
) -> None:
    monkeypatch.setattr("bootstrap.run.agent.abandon_instance", lambda *_given: is_told)
    begun: list[str] = []
    monkeypatch.setattr(
        "bootstrap.run.agent.warm_up",
        lambda _clients, afterwards: begun.extend(type(each.__self__).__name__ for each in afterwards),
    )
    monkeypatch.setattr("bootstrap.run.agent.Report.reach", lambda *_given: None)
    monkeypatch.setattr("bootstrap.run.agent.Telling.start", lambda _self: None)  # its thread would spin on this clock
    metadata: Any = FakeMetadata(render_user_data(encode(document())), "us-east-1z")
    parts = fake_machine(joined.machine, joined.clock)
    assert Agent(Adapters(machine=parts, metadata=metadata, notifier=joined.notes), StopRequest()).run() is code
    assert begun == ["Heartbeat", "LogCopy"], "after the clients that a boot needs"
