"""Each target shows exactly its source, or the boot has a reason."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.errors import MountError
from bootstrap.machine.commands import Completed
from bootstrap.machine.directories import DataDirectories, bind_difference
from bootstrap.machine.file_system import FileSystems
from bootstrap.machine.mountinfo import Mount
from tests.kit.clock import FakeClock
from tests.kit.documents import document
from tests.kit.fake_os import OK, FakeOs

DATA = Mount(device="0:45", target="/srv", kind="nfs4", source="x:/", options=frozenset())
ITEM = document().file_system.directories[0]
BOUND = replace(DATA, target="/var/lib/demo", source="x:/demo")


@pytest.mark.parametrize(
    ("data", "seen", "why"),
    [
        (DATA, BOUND, ""),
        (replace(DATA, source="x:/sub"), replace(BOUND, source="x:/sub/demo"), ""),
        (DATA, None, "nothing is mounted at /var/lib/demo"),
        (DATA, replace(BOUND, source="x:/other"), "/var/lib/demo shows x:/other on 0:45, not x:/demo on 0:45"),
        (DATA, replace(BOUND, device="0:44"), "/var/lib/demo shows x:/demo on 0:44, not x:/demo on 0:45"),
    ],
)
def test_bind_difference(data: Mount, seen: Mount | None, why: str) -> None:
    assert bind_difference(data, ITEM, seen) == why


class World:
    def __init__(self, machine: FakeOs, clock: FakeClock) -> None:
        self.machine, self.clock = machine, clock
        self.file_systems = FileSystems(machine, machine.paths.mountinfo)
        self.root = str(machine.paths.data_root)
        Path(self.root).mkdir(parents=True)
        target = machine.root / "service"
        target.mkdir()
        (target / "factory").write_text("x")
        directories = document(str(target)).file_system.directories
        self.directories = DataDirectories(self.file_systems, self.root, directories, "/nowhere")
        self.mount()

    def mount(self) -> None:
        self.machine.run(("mount", "-t", "nfs4", "-o", "hard", "x:/d", self.root), self.clock.deadline())

    def ensure(self) -> str:
        return self.directories.ensure(self.clock.deadline())


@pytest.fixture
def world(machine: FakeOs, clock: FakeClock) -> World:
    return World(machine, clock)


def test_prepared_bound_and_again(world: World) -> None:
    assert world.ensure() == "demo copied 1 entries of the image"
    assert world.ensure() == "demo was ready"
    assert world.machine.mounts() == [world.root, str(world.machine.root / "service")]


def test_bind_of_an_earlier_mount_is_replaced(world: World, clock: FakeClock) -> None:
    world.ensure()
    world.file_systems.unmount(world.root, clock.deadline())
    world.machine.run(("mount", "-t", "nfs4", "-o", "hard", "y:/other", "/elsewhere"), clock.deadline())
    world.mount()
    world.ensure()
    assert world.machine.mounts().count(str(world.machine.root / "service")) == 1


@pytest.mark.parametrize(
    ("result", "why"),
    [(Completed(exit_code=32, output="busy"), "exit code 32: busy"), (OK, "nothing is mounted at")],
)
def test_bind_that_failed_or_only_says_it_did_not(world: World, result: Completed, why: str) -> None:
    world.machine.refusing["--bind"] = result
    with pytest.raises(MountError, match=why):
        world.ensure()


def test_without_the_data_mount_nothing_is_touched(world: World, clock: FakeClock) -> None:
    world.file_systems.unmount(world.root, clock.deadline())
    with pytest.raises(MountError, match="Mount the data file system first"):
        world.ensure()
    assert not any("data_child.py" in line for line in world.machine.log())


def test_release_names_what_stays(world: World, clock: FakeClock) -> None:
    world.ensure()
    target = str(world.machine.root / "service")
    world.machine.hung.add(target)
    assert world.directories.release(clock.deadline()) == [target]
    assert world.file_systems.mount_at(target) is not None, "detached lazily it could still be written back"
    world.machine.hung.clear()
    assert world.directories.release(clock.deadline()) == []
