"""Mounts and links as the kernel shows them, what they lack, and directories that show exactly their source."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bootstrap.base.errors import MountError
from bootstrap.machine.commands import Completed
from bootstrap.machine.directories import DataDirectories, bind_difference
from bootstrap.machine.file_system import FileSystems
from bootstrap.machine.links import LinkPlan, LinkState, missing, plan_link
from bootstrap.machine.mountinfo import Mount, mount_at, parse_mountinfo
from tests.kit.clock import FakeClock
from tests.kit.documents import document
from tests.kit.fake_os import OK, FakeOs

TEXT = r"""20 1 254:0 / / rw,relatime shared:1 - ext4 /dev/ubda rw
36 20 0:45 / /srv/soloist/data rw,relatime shared:20 master:3 - nfs4 10.0.0.20:/demo/data rw,vers=4.1,hard
40 20 0:45 /demo\040one /var/lib/demo rw,relatime - nfs4 10.0.0.20:/demo/data rw,vers=4.1,hard
41 20 0:46 / /var/lib/demo ro - tmpfs tmpfs rw
"""


def test_line_with_optional_fields_and_escapes() -> None:
    mounts = parse_mountinfo(TEXT)
    assert len(mounts) == 4
    assert mounts[2] == Mount(
        device="0:45",
        target="/var/lib/demo",
        kind="nfs4",
        source="10.0.0.20:/demo/data",
        options=frozenset({"rw", "relatime", "vers=4.1", "hard"}),
    )


@pytest.mark.parametrize(
    ("target", "kind"), [("/srv/soloist/data", "nfs4"), ("/var/lib/demo", "tmpfs"), ("/srv", None)]
)
def test_topmost_mount_at_exactly_the_target(target: str, kind: str | None) -> None:
    found = mount_at(TEXT, target)
    assert (found.kind if found else None) == kind


def test_a_line_the_kernel_would_not_write_is_an_error() -> None:
    with pytest.raises(ValueError, match="'-' is not in list"):
        parse_mountinfo("1 2 3:4 / / rw relatime ext4 x rw")


# ------------------------------------------------------------------ directories
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
def test_a_directory_that_does_not_show_its_source_is_named(data: Mount, seen: Mount | None, why: str) -> None:
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
    ("result", "why"), [(Completed(exit_code=32, output="busy"), "exit code 32: busy"), (OK, "nothing is mounted at")]
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


# ------------------------------------------------------------------ links
PLAN = LinkPlan(
    device="ens6",
    index=3,
    address="10.0.100.10",
    prefix=24,
    subnet="10.0.100.0/24",
    gateway="10.0.100.1",
    table=20003,
    priority=20003,
)
DONE = LinkState(
    is_up=True,
    addresses=frozenset({"10.0.100.10/24"}),
    rules=frozenset({("10.0.100.10", 20003, 20003)}),
    routes=frozenset({("10.0.100.0/24", ""), ("default", "10.0.100.1")}),
)


def test_plan_takes_the_subnets_first_host_as_gateway() -> None:
    assert plan_link("ens6", 3, "10.0.100.10", "10.0.100.0/24") == PLAN


@pytest.mark.parametrize(
    ("changes", "lack"),
    [
        ({}, ""),
        ({"is_up": False}, "ens6 is down"),
        ({"addresses": frozenset({"10.0.100.10/32"})}, "ens6 has no address 10.0.100.10/24"),
        ({"rules": frozenset({("10.0.100.10", 20002, 20003)})}, "no rule from 10.0.100.10 to table 20003"),
        ({"routes": frozenset({("default", "10.0.100.1")})}, "table 20003 has no route to 10.0.100.0/24"),
        (
            {"routes": frozenset({("10.0.100.0/24", ""), ("default", "10.0.100.254")})},
            "table 20003 has no default route by 10.0.100.1",
        ),
    ],
)
def test_each_missing_part_is_named(changes: dict[str, Any], lack: str) -> None:
    assert missing(PLAN, replace(DONE, **changes)) == ([lack] if lack else [])
