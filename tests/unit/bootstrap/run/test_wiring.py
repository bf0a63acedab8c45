"""The parts are joined as the rules need them: real composition (build_instance, Boot), with AWS written down.

Each part has its own tests; here a part that is right and not connected is seen.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.errors import DeadlineExceeded, LeaseRefused, RecordOfAnotherKind
from bootstrap.lease.rules.observation import NoAnswer
from bootstrap.lease.rules.record import HISTORY, file_name
from bootstrap.run.kept_parts import DnsRecord
from tests.kit.clock import FakeClock
from tests.kit.fake_os import FakeOs
from tests.kit.lease import TIMING, SeenTroubles
from tests.kit.wired import OLD_RECORD, Wired


@pytest.fixture
def world(machine: FakeOs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Wired:
    return Wired(machine, clock, monkeypatch)


# ------------------------------------------------------------------ what others use is touched by the holder only
def lose_the_lease(world: Wired) -> None:
    world.put(2)
    (world.machine.paths.lease_root / file_name(2)).rename(world.machine.paths.lease_root / file_name(1))


STALE = {
    "replaced": lambda world: world.put(2),
    "slept past the deadline": lambda world: world.clock.advance(TIMING.renew_deadline_s + 1),
    "lost sight of the lease": lambda world: setattr(world.worker, "silent", "server away"),
    "lost the lease": lose_the_lease,
}


def test_the_holder_attaches_and_moves_the_record(world: Wired) -> None:
    world.take()
    assert world.boot.network_interface(world.clock.deadline()) == "10.0.100.10 on vec1"
    world.boot.connection(world.clock.deadline())
    assert [what for what, _ in world.api.changes] == ["attach", "record"]


@pytest.mark.parametrize("step", ["network_interface", "connection"])
@pytest.mark.parametrize("become_stale", STALE.values(), ids=STALE)
def test_a_stale_instance_touches_nothing(world: Wired, become_stale: Callable[[Wired], None], step: str) -> None:
    world.take()
    become_stale(world)
    with pytest.raises(DeadlineExceeded, match="nothing is touched"):
        getattr(world.boot, step)(world.clock.deadline())
    assert world.api.changes == []


def test_without_a_lease_nothing_is_touched(world: Wired) -> None:
    for step in (world.boot.network_interface, world.boot.connection):
        with pytest.raises(DeadlineExceeded, match="the lease is not held: nothing is touched"):
            step(world.clock.deadline())
    assert world.api.changes == []


@pytest.mark.parametrize(("before", "ttl_s"), [(0, 9), (1, 8), (7, 10), (8, 9)])
def test_the_record_carries_the_generation_and_names_the_old_one_exactly(world: Wired, before: int, ttl_s: int) -> None:
    if before:
        world.put(before, is_released=True)
    world.take()
    world.boot.connection(world.clock.deadline())
    ((_, change),) = world.api.changes
    delete, create = change["ChangeBatch"]["Changes"]
    assert (delete["Action"], delete["ResourceRecordSet"]) == ("DELETE", OLD_RECORD)
    assert (create["Action"], create["ResourceRecordSet"]["TTL"]) == ("CREATE", ttl_s)


def test_a_record_of_another_kind_is_a_trouble_of_this_instance_until_the_upkeep_has_made_its_own(world: Wired) -> None:
    troubles = SeenTroubles()
    world.listeners = replace(world.listeners, troubles=troubles)
    world.build()
    world.take()
    world.api.record = {"Name": "demo.lab.internal.", "Type": "A", "AliasTarget": {"DNSName": "lb.example.com."}}
    with pytest.raises(RecordOfAnotherKind):
        world.boot.connection(world.clock.deadline())
    part = DnsRecord(world.instance)
    with pytest.raises(RecordOfAnotherKind):
        part.drift(world.clock.deadline())
    assert (world.api.changes, troubles.seen) == ([], ["record-of-another-kind"])
    world.api.record = OLD_RECORD
    assert part.drift(world.clock.deadline())
    part.mend(world.clock.deadline())
    assert troubles.seen[1:] == ["record-of-another-kind is over"]


# ------------------------------------------------------------------ the lease's own parts
def test_the_policy_of_the_document_decides_without_an_answer(world: Wired) -> None:
    world.evidence.holder = world.evidence.group = NoAnswer(reason="EndpointConnectionError")
    world.put(7)
    world.build(fence="proof")
    with pytest.raises(LeaseRefused, match="fence: proof claims nothing without proof of death") as refused:
        world.take()
    assert refused.value.reason == "takeover-deadline"
    world.build(fence="proof-or-lease")
    began_s = world.clock.now_s
    world.take()
    assert world.instance.lease.keeper.generation == 8
    assert TIMING.lease_duration_s <= world.clock.now_s - began_s < TIMING.lease_duration_s + 10


def test_the_timings_of_the_document_are_those_of_takeover_and_renewal(world: Wired) -> None:
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


def test_the_fence_is_told_every_place_of_the_data_by_takeover_and_renewal(world: Wired) -> None:
    places = (str(world.machine.paths.data_root), str(world.target))
    world.take()
    world.instance.lease.keeper.renew()
    asked = [request.mounts for request in world.fence.requests if request.verb in ("hold", "look") and request.mounts]
    holds = [request.mounts for request in world.fence.requests if request.verb == "hold"]
    assert holds == [places, places]
    assert set(asked) == {places}, "what is left of an earlier run is looked for in the same places"


def test_who_is_to_know_is_told_of_the_lease(world: Wired) -> None:
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


def test_what_an_earlier_run_left_is_stopped_with_the_services_own_units(world: Wired) -> None:
    units = ("demo-store.service", "demo.service")
    for unit in units:
        world.machine.set_unit(unit, "active")
    world.put(7, is_released=True)
    world.take()
    assert [world.machine.unit(unit) for unit in units] == ["inactive", "inactive"]
    assert world.instance.lease.keeper.generation == 8


def test_renewing_begins_with_deleting_all_but_the_last_generations(world: Wired) -> None:
    for generation in range(1, HISTORY + 10):
        world.put(generation, is_released=True)
    world.take()
    world.clock.at(7, world.instance.lease.keeper._ending.set)
    world.instance.lease.keeper._run(world.listeners.on_lost, world.listeners.beat_lease)
    left = sorted(path.name for path in Path(world.machine.paths.lease_root).glob("generation-*"))
    assert left == [file_name(generation) for generation in range(11, HISTORY + 11)]


# ------------------------------------------------------------------ the lease directory's own mount
def test_the_lease_is_mounted_uncached_before_anything_else(world: Wired) -> None:
    world.boot.mount_lease(world.clock.deadline())
    (line,) = world.machine.log()
    assert line.endswith(f":/demo/lease {world.machine.paths.lease_root}")
    options = line.split()[4].split(",")
    assert {"hard", "noac", "lookupcache=none"} <= set(options)
