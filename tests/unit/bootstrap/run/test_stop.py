"""Everything is given back in reverse, each part bounded, and what stays is named."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.timeline import Timeline
from bootstrap.claims.network_interface import Claim
from bootstrap.lease.release import release_all
from bootstrap.machine.commands import Completed
from bootstrap.run.stop import InstanceBelongings
from tests.kit.clock import FakeClock
from tests.kit.cloud import FakeInterfaces, attached_to, permitted
from tests.kit.fake_os import OK, FakeOs
from tests.kit.instance import build
from tests.kit.lease import ME


class World:
    def __init__(self, machine: FakeOs, clock: FakeClock) -> None:
        self.machine, self.clock = machine, clock
        self.target, self.root = str(machine.root / "service"), str(machine.paths.data_root)
        self.interfaces = FakeInterfaces(attached_to(ME))
        self.timeline = Timeline(clock, [])
        plain = build(machine, clock, target=self.target)
        claims = replace(plain.claims, network_interface=Claim(self.interfaces, plain.zone, ME, permitted))
        self.instance = replace(plain, claims=claims)
        machine.refusing["say-goodbye"] = OK

    def boot(self) -> None:
        Path(self.root).mkdir(parents=True)
        for source, target in (("x:/lease", str(self.machine.paths.lease_root)), ("x:/data", self.root)):
            self.machine.run(("mount", "-t", "nfs4", "-o", "hard", source, target), self.clock.deadline())
        self.machine.run(("mount", "--bind", f"{self.root}/demo", self.target), self.clock.deadline())
        self.instance.service.units.start(self.clock.deadline())

    def release(self) -> list[str]:
        return release_all(
            InstanceBelongings(self.instance), self.instance.lease.keeper, self.timeline, has_served=True
        )

    def outcomes(self) -> dict[str, str]:
        return {entry.name: entry.outcome for entry in self.timeline.entries()}


@pytest.fixture
def world(machine: FakeOs, clock: FakeClock) -> World:
    return World(machine, clock)


def test_all_is_given_back_in_reverse_order(world: World) -> None:
    world.boot()
    before = len(world.machine.log())
    assert world.release() == []
    done = [line for line in world.machine.log()[before:] if "show" not in line]
    assert done == [
        "say-goodbye",
        "systemctl stop demo.service",
        "systemctl stop demo-store.service",
        f"sync -f {world.root}",
        f"umount {world.target}",
        f"umount {world.root}",
        f"umount {world.machine.paths.lease_root}",
    ]
    assert world.interfaces.seen.status == "available"
    assert set(world.outcomes().values()) == {"ok"}


def test_half_done_boot_and_second_time_are_fine(world: World) -> None:
    world.interfaces.free()
    assert world.release() == []
    assert world.release() == []


def test_hung_file_system_is_named_and_the_rest_still_done(world: World) -> None:
    world.boot()
    world.machine.hung = {world.root, world.target}
    assert world.release() == [
        f"{world.root} was not written back in time",
        f"{world.target} could not be unmounted",
        f"{world.root} could not be unmounted",
    ]
    assert world.interfaces.seen.status == "available"
    assert world.outcomes()["unmount"] == "failed"


def test_hook_that_fails_does_not_keep_the_service_alive(world: World) -> None:
    world.boot()
    world.machine.refusing["say-goodbye"] = Completed(exit_code=1, output="")
    assert world.release() == []
    assert world.machine.unit("demo.service") == "inactive"


def test_interface_that_stays_is_named(world: World) -> None:
    world.interfaces.free = lambda: None  # type: ignore[method-assign]
    assert world.release() == ["eni-1 is not seen detached"]


def test_mount_that_is_not_there_is_not_synced(world: World) -> None:
    world.release()
    assert not any(line.startswith("sync") for line in world.machine.log())
