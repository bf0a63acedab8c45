"""The parts are joined as the rules need them: real composition (build_instance, Boot), with AWS written down.

Each part has its own tests; here a part that is right and not connected is seen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap.base.document import parse_tree
from bootstrap.base.errors import DeadlineExceeded, LeaseRefused
from bootstrap.base.timing import FencePolicy, LeaseTiming
from bootstrap.lease.keeper import LeaseKeeper
from bootstrap.lease.rules.observation import NoAnswer
from bootstrap.lease.rules.record import HISTORY, file_name, new_record, released, render_record
from bootstrap.lease.rules.renew import Hold
from bootstrap.run.boot import Boot
from bootstrap.run.instance import Instance, Listeners, build_instance
from bootstrap.run.kinds import KINDS
from tests.kit.clock import FakeClock
from tests.kit.documents import document_tree
from tests.kit.fake_os import FakeOs
from tests.kit.fence import FenceInProcess
from tests.kit.instance import fake_machine, identity
from tests.kit.lease import OTHER, DirectWorker, FakeEvidence, applicant

TIMING = LeaseTiming()
OLD_RECORD = {
    "Name": "demo.lab.internal.",
    "Type": "A",
    "TTL": 10,
    "ResourceRecords": [{"Value": "10.0.101.10"}],
}


class Api:
    """EC2 and Route 53 of one network interface and one record; what changes something is written down."""

    def __init__(self) -> None:
        self.attached = ""
        self.record: dict[str, Any] = OLD_RECORD
        self.changes: list[tuple[str, dict[str, Any]]] = []

    def describe_network_interfaces(self, **_: Any) -> dict[str, Any]:
        attachment = {"AttachmentId": "eni-attach-1", "Status": "attached", "InstanceId": self.attached}
        status = {"Status": "in-use", "Attachment": attachment} if self.attached else {"Status": "available"}
        return {"NetworkInterfaces": [{"NetworkInterfaceId": "eni-1", "MacAddress": "02:00:00:00:00:42", **status}]}

    def describe_instances(self, **_: Any) -> dict[str, Any]:
        return {"Reservations": []}

    def attach_network_interface(self, **arguments: Any) -> None:
        self.changes.append(("attach", arguments))
        self.attached = arguments["InstanceId"]

    def list_resource_record_sets(self, **_: Any) -> dict[str, Any]:
        return {"ResourceRecordSets": [self.record]}

    def change_resource_record_sets(self, **arguments: Any) -> None:
        self.changes.append(("record", arguments))
        self.record = arguments["ChangeBatch"]["Changes"][-1]["ResourceRecordSet"]


class World:
    """An instance as the agent builds it, whose lease is kept without a thread."""

    def __init__(self, machine: FakeOs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> None:
        self.machine, self.clock, self.api = machine, clock, Api()
        self.evidence = FakeEvidence()
        self.told: list[object] = []
        self.listeners = Listeners(
            on_held=self.told.append, on_lost=self.told.append, beat_lease=lambda: self.told.append("beat")
        )
        self.started: list[tuple[Callable[[str], None], Callable[[], None]]] = []
        machine.paths.run.mkdir(parents=True)
        machine.paths.lease_root.mkdir(parents=True)
        monkeypatch.setattr(LeaseKeeper, "start", self._start)
        self.instance = self.build()

    def build(self, fence: FencePolicy = "proof-or-lease", **timing_s: float) -> Instance:
        tree = document_tree(lease={"fence": fence, "timing": timing_s})
        clients: Any = SimpleNamespace(ec2=lambda: self.api, route53=lambda: self.api)
        plain = build_instance(
            parse_tree(tree, KINDS),
            identity(),
            machine=fake_machine(self.machine, self.clock),
            clients=clients,
            listeners=self.listeners,
        )
        evidence: Any = self.evidence
        self.instance = replace(plain, lease=replace(plain.lease, evidence=evidence))
        return self.instance

    def _start(self, hold: Hold, on_lost: Callable[[str], None], beat: Callable[[], None]) -> None:
        self.instance.lease.keeper._hold = hold
        self.started.append((on_lost, beat))

    @property
    def boot(self) -> Boot:
        return Boot(self.instance)

    @property
    def worker(self) -> DirectWorker:
        worker: Any = self.instance.lease.parts.directory._worker
        return worker  # type: ignore[no-any-return]

    @property
    def fence(self) -> FenceInProcess:
        fence: Any = self.instance.lease.parts.fence
        return fence  # type: ignore[no-any-return]

    def take(self) -> None:
        self.boot.lease(self.clock.deadline(TIMING.longest_wait_s + 30))

    def put(self, generation: int, *, is_released: bool = False) -> None:
        """A generation of the other instance."""
        record = new_record(applicant(OTHER), TIMING, generation=generation, nonce="theirs")
        text = render_record(released(record) if is_released else record)
        (self.machine.paths.lease_root / file_name(generation)).write_text(text)


@pytest.fixture
def world(machine: FakeOs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> World:
    return World(machine, clock, monkeypatch)


# ------------------------------------------------------------------ what others use is touched by the holder only
def be_replaced(world: World) -> None:
    world.put(2)


def sleep_past_the_deadline(world: World) -> None:
    world.clock.advance(TIMING.renew_deadline_s + 1)


def lose_sight_of_the_lease(world: World) -> None:
    world.worker.silent = "server away"


def lose_the_lease(world: World) -> None:
    world.put(2)
    (world.machine.paths.lease_root / file_name(2)).rename(world.machine.paths.lease_root / file_name(1))


STALE = [be_replaced, sleep_past_the_deadline, lose_sight_of_the_lease, lose_the_lease]


def test_the_holder_attaches_and_moves_the_record(world: World) -> None:
    world.take()
    assert world.boot.network_interface(world.clock.deadline()) == "10.0.100.10 on vec1"
    world.boot.connection(world.clock.deadline())
    assert [what for what, _ in world.api.changes] == ["attach", "record"]


@pytest.mark.parametrize("become_stale", STALE, ids=lambda act: act.__name__)
def test_a_stale_instance_attaches_nothing(world: World, become_stale: Callable[[World], None]) -> None:
    world.take()
    become_stale(world)
    with pytest.raises(DeadlineExceeded, match="nothing is touched"):
        world.boot.network_interface(world.clock.deadline())
    assert world.api.changes == []


@pytest.mark.parametrize("become_stale", STALE, ids=lambda act: act.__name__)
def test_a_stale_instance_moves_no_record(world: World, become_stale: Callable[[World], None]) -> None:
    world.take()
    become_stale(world)
    with pytest.raises(DeadlineExceeded, match="nothing is touched"):
        world.boot.connection(world.clock.deadline())
    assert world.api.changes == []


def test_without_a_lease_nothing_is_touched(world: World) -> None:
    for step in (world.boot.network_interface, world.boot.connection):
        with pytest.raises(DeadlineExceeded, match="the lease is not held: nothing is touched"):
            step(world.clock.deadline())
    assert world.api.changes == []


@pytest.mark.parametrize(("before", "ttl_s"), [(0, 9), (1, 8), (7, 10), (8, 9)])
def test_the_record_carries_the_generation_and_names_the_old_one_exactly(world: World, before: int, ttl_s: int) -> None:
    if before:
        world.put(before, is_released=True)
    world.take()
    world.boot.connection(world.clock.deadline())
    ((_, change),) = world.api.changes
    delete, create = change["ChangeBatch"]["Changes"]
    assert (delete["Action"], delete["ResourceRecordSet"]) == ("DELETE", OLD_RECORD)
    assert (create["Action"], create["ResourceRecordSet"]["TTL"]) == ("CREATE", ttl_s)


# ------------------------------------------------------------------ the lease's own parts
def test_the_policy_of_the_document_decides_without_an_answer(world: World) -> None:
    world.evidence.holder = world.evidence.group = NoAnswer(reason="EndpointConnectionError")
    world.put(7)
    world.build(fence="proof")
    with pytest.raises(LeaseRefused, match="fence: proof claims nothing without proof of death"):
        world.take()
    world.build(fence="proof-or-lease")
    world.take()
    assert world.instance.lease.keeper.generation == 8


def test_the_timings_of_the_document_are_those_of_takeover_and_renewal(world: World) -> None:
    world.build(settle_s=2.0, renew_deadline_s=50.0, lease_duration_s=99.0)
    began_s = world.clock.now_s
    world.take()
    assert world.clock.now_s - began_s == 2.0
    assert world.fence.memory.deadline_s == began_s + 50.0
    record = world.instance.lease.parts.directory.look(1)
    assert not isinstance(record, NoAnswer)
    assert record.record is not None
    assert record.record.lease_duration_s == 99.0
    sent_s = world.clock.now_s
    world.instance.lease.keeper.renew()
    assert world.fence.memory.deadline_s == sent_s + 50.0


def test_the_fence_is_told_every_place_of_the_data_by_takeover_and_renewal(world: World) -> None:
    places = (str(world.machine.paths.data_root), "/var/lib/demo")
    world.take()
    world.instance.lease.keeper.renew()
    asked = [request.mounts for request in world.fence.requests if request.verb in ("hold", "look") and request.mounts]
    holds = [request.mounts for request in world.fence.requests if request.verb == "hold"]
    assert holds == [places, places]
    assert set(asked) == {places}, "what is left of an earlier run is looked for in the same places"


def test_who_is_to_know_is_told_of_the_lease(world: World) -> None:
    world.put(6, is_released=True)
    world.take()
    assert world.told == [7], "the agent knows its generation"
    ((on_lost, beat),) = world.started
    beat()
    on_lost("gone")
    assert world.told == [7, "beat", "gone"]
    run = world.machine.paths.run
    assert (run / "generation").read_text() == "7\n"
    assert (run / "generation.env").read_text() == "SOLOIST_GENERATION=7\n"


def test_what_an_earlier_run_left_is_stopped_with_the_services_own_units(world: World) -> None:
    units = ("demo-store.service", "demo.service")
    for unit in units:
        world.machine.set_unit(unit, "active")
    world.put(7, is_released=True)
    world.take()
    assert [world.machine.unit(unit) for unit in units] == ["inactive", "inactive"]
    assert world.instance.lease.keeper.generation == 8


def test_renewing_begins_with_deleting_all_but_the_last_generations(world: World) -> None:
    for generation in range(1, HISTORY + 10):
        world.put(generation, is_released=True)
    world.take()
    world.clock.at(7, world.instance.lease.keeper._ending.set)
    world.instance.lease.keeper._run(world.listeners.on_lost, world.listeners.beat_lease)
    left = sorted(path.name for path in Path(world.machine.paths.lease_root).iterdir())
    assert left == [file_name(generation) for generation in range(11, HISTORY + 11)]


# ------------------------------------------------------------------ the lease directory's own mount
def test_the_lease_is_mounted_uncached_before_anything_else(world: World) -> None:
    world.boot.mount_lease(world.clock.deadline())
    (line,) = world.machine.log()
    assert line.endswith(f":/demo/lease {world.machine.paths.lease_root}")
    options = line.split()[4].split(",")
    assert {"hard", "noac", "lookupcache=none"} <= set(options)
