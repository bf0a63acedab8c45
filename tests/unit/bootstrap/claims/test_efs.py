"""Storage on EFS: exact commands, mountinfo as the only proof, and attempts that end."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.document import EfsSettings
from bootstrap.base.errors import DeadlineExceeded
from bootstrap.claims.storage.contract import ensure_mounted
from bootstrap.claims.storage.efs import EfsPart, plan_mounts
from bootstrap.machine.commands import Completed
from bootstrap.machine.file_system import FileSystems, MountRefused, difference
from bootstrap.machine.mountinfo import Mount
from tests.kit.clock import FakeClock
from tests.kit.documents import document
from tests.kit.fake_os import FakeOs

NFS = document().file_system
EFS = replace(NFS, transport="efs-tls")
OPTIONS = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport"
LEASE = "noac,lookupcache=none,nosharecache"
EFS_LEASE = f"tls,iam,accesspoint=fsap-lease,noresvport,{LEASE}"
DNS = "fs-1.efs.us-east-1.amazonaws.com"


@pytest.mark.parametrize(
    ("file_system", "is_lease", "commands"),
    [
        (
            NFS,
            False,
            [
                f"mount -t nfs4 -o {OPTIONS} {DNS}:/demo/data /mnt",
                f"mount -t nfs4 -o {OPTIONS} 10.0.0.20:/demo/data /mnt",
            ],
        ),
        (
            NFS,
            True,
            [
                f"mount -t nfs4 -o {OPTIONS},{LEASE} {DNS}:/demo/lease /mnt",
                f"mount -t nfs4 -o {OPTIONS},{LEASE} 10.0.0.20:/demo/lease /mnt",
            ],
        ),
        (
            EFS,
            False,
            [
                "mount -t efs -o tls,iam,accesspoint=fsap-data,noresvport fs-1:/ /mnt",
                "mount -t efs -o tls,iam,accesspoint=fsap-data,noresvport,mounttargetip=10.0.0.20 fs-1:/ /mnt",
            ],
        ),
        (
            EFS,
            True,
            [
                f"mount -t efs -o {EFS_LEASE} fs-1:/ /mnt",
                f"mount -t efs -o {EFS_LEASE},mounttargetip=10.0.0.20 fs-1:/ /mnt",
            ],
        ),
    ],
)
def test_exact_commands_by_name_first(file_system: EfsSettings, *, is_lease: bool, commands: list[str]) -> None:
    plans = plan_mounts(file_system, is_lease=is_lease, target="/mnt", mount_target_address="10.0.0.20")
    assert [" ".join(plan.argv) for plan in plans] == commands


GOOD = Mount(
    device="0:45",
    target="/mnt",
    kind="nfs4",
    source=f"{DNS}:/demo/data",
    options=frozenset({"rw", "hard", "vers=4.1"}),
)


@pytest.mark.parametrize(
    ("mount", "why"),
    [
        (GOOD, ""),
        (replace(GOOD, source="10.0.0.20:/demo/data"), ""),
        (None, "nothing is mounted at /mnt"),
        (replace(GOOD, kind="ext4"), "/mnt is ext4, not nfs4"),
        (
            replace(GOOD, source="10.0.0.99:/demo/data"),
            f"/mnt shows 10.0.0.99:/demo/data, not 10.0.0.20:/demo/data or {DNS}:/demo/data",
        ),
        (replace(GOOD, options=frozenset({"rw", "soft"})), "/mnt is mounted without hard"),
        (replace(GOOD, options=frozenset({"ro", "hard"})), "/mnt is mounted read-only"),
    ],
)
def test_difference(mount: Mount | None, why: str) -> None:
    plan = plan_mounts(NFS, is_lease=False, target="/mnt", mount_target_address="10.0.0.20")[0]
    assert difference(plan, mount) == why


LEASE_MOUNT = {
    "nfs": replace(GOOD, source=f"{DNS}:/demo/lease", options=frozenset({"rw", "hard", "noac", "lookupcache=none"})),
    "efs-tls": replace(GOOD, source="127.0.0.1:/", options=frozenset({"rw", "hard", "noac", "lookupcache=none"})),
}


@pytest.mark.parametrize("option", ["", "hard", "noac", "lookupcache=none"])
@pytest.mark.parametrize("file_system", [NFS, EFS], ids=lambda item: item.transport)
def test_a_lease_mount_that_lacks_an_option_is_refused(file_system: EfsSettings, option: str) -> None:
    mount = LEASE_MOUNT[file_system.transport]
    lacking = replace(mount, options=mount.options - {option})
    for plan in plan_mounts(file_system, is_lease=True, target="/mnt", mount_target_address="10.0.0.20"):
        assert difference(plan, lacking) == (f"/mnt is mounted without {option}" if option else "")


@pytest.mark.parametrize("instead", ["lookupcache=positive", "lookupcache=pos", "ac", "soft"])
def test_another_value_of_an_option_is_not_the_option(instead: str) -> None:
    lost = {"soft": "hard", "ac": "noac"}.get(instead, "lookupcache=none")
    mount = replace(LEASE_MOUNT["nfs"], options=LEASE_MOUNT["nfs"].options - {lost} | {instead})
    plan = plan_mounts(NFS, is_lease=True, target="/mnt", mount_target_address="10.0.0.20")[0]
    assert difference(plan, mount) == f"/mnt is mounted without {lost}"


class World:
    """The data part of the file system on the fake machine."""

    def __init__(self, machine: FakeOs, clock: FakeClock) -> None:
        self.machine, self.clock = machine, clock
        self.root = str(machine.paths.data_root)
        self.file_systems = FileSystems(machine, machine.paths.mountinfo)
        self.data = EfsPart(self.file_systems, NFS, self.root, "10.0.0.20", "demo")
        self.lease = EfsPart(self.file_systems, NFS, str(machine.paths.lease_root), "10.0.0.20")

    def mount(self, seconds: float = 100) -> str:
        return ensure_mounted(self.data, self.clock.deadline(seconds), 20)

    def commands(self, verb: str = "mount") -> list[str]:
        return [line for line in self.machine.log() if line.startswith(verb)]


@pytest.fixture
def world(machine: FakeOs, clock: FakeClock) -> World:
    return World(machine, clock)


def test_mounts_by_name_and_writes_the_marker_once(world: World) -> None:
    assert world.mount() == f"by {DNS}"
    marker = Path(world.root) / ".soloist-file-system"
    assert json.loads(marker.read_text()) == {"file_system": "fs-1", "service": "demo"}
    assert world.mount() == f"by {DNS}"
    assert len(world.commands()) == 1


def test_falls_back_to_the_mount_target_address(world: World) -> None:
    world.machine.refusing[f"{DNS}:/demo/data"] = Completed(exit_code=32, output="Name or service not known")
    assert world.mount() == "by 10.0.0.20"


def test_exit_code_zero_without_a_mount_is_not_believed(world: World) -> None:
    world.machine.refusing["mount -t"] = Completed(exit_code=0, output="network not ready")
    with pytest.raises(DeadlineExceeded, match=r"nothing is mounted at .* \(mount: exit code 0: network not ready\)"):
        world.mount(30)


def test_mount_that_hangs_costs_an_attempt(world: World) -> None:
    world.machine.refusing[f"{DNS}:/demo/data"] = Completed(exit_code=None, output="")
    assert world.mount() == "by 10.0.0.20"


def test_failing_for_ever_ends_at_the_deadline_with_what_was_seen(world: World) -> None:
    world.machine.refusing["mount -t"] = Completed(exit_code=32, output="Connection timed out")
    with pytest.raises(DeadlineExceeded, match="Connection timed out"):
        world.mount(30)
    assert world.clock.waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert max(world.clock.waits) <= 5.0


def test_server_that_hangs_after_the_mount_is_taken_away_and_the_other_tried(world: World) -> None:
    world.machine.hung.add(world.root)
    with pytest.raises(DeadlineExceeded, match="does not answer"):
        world.mount(30)
    assert world.root not in world.machine.mounts()
    assert f"umount -f -l {world.root}" in world.commands("umount")
    world.machine.hung.clear()
    world.mount()


def test_wrong_mount_in_the_way_is_replaced(world: World, clock: FakeClock) -> None:
    world.machine.run(("mount", "-t", "nfs4", "-o", "hard", "10.0.0.99:/x", world.root), clock.deadline())
    assert world.mount() == f"by {DNS}"
    assert world.machine.mounts() == [world.root]


def test_marker_of_another_service_is_refused_at_once(world: World) -> None:
    Path(world.root).mkdir(parents=True)
    (Path(world.root) / ".soloist-file-system").write_text('{"file_system": "fs-1", "service": "other"}')
    with pytest.raises(MountRefused, match=r'not \{"file_system": "fs-1", "service": "demo"\}\. Mount the right file'):
        world.mount()
    assert world.clock.waits == []


def test_lease_part_needs_no_marker(world: World, clock: FakeClock) -> None:
    ensure_mounted(world.lease, clock.deadline(), 20)
    assert list(Path(world.lease.root).iterdir()) == []


def test_unmount_says_whether_it_was_clean(world: World, clock: FakeClock) -> None:
    world.mount()
    assert world.file_systems.unmount(world.root, clock.deadline())
    assert world.file_systems.unmount(world.root, clock.deadline())
    world.mount()
    world.machine.hung.add(world.root)
    assert not world.file_systems.unmount(world.root, clock.deadline())
    assert world.machine.mounts() == []


class ForgetfulOs(FakeOs):
    """A kernel (or a mount helper) that says the mount succeeded and has dropped some of its options."""

    def __init__(self, root: Path, *dropped: str) -> None:
        super().__init__(root)
        self.dropped = dropped

    def _replace_mounts(self, lines: list[str]) -> None:
        text = "\n".join(lines)
        for option in self.dropped:
            text = text.replace(f",{option}", "")
        super()._replace_mounts(text.split("\n"))


@pytest.mark.parametrize("option", ["hard", "noac", "lookupcache=none"])
@pytest.mark.parametrize("file_system", [NFS, EFS], ids=lambda item: item.transport)
def test_options_of_the_lease_mount_are_those_in_force_not_those_asked_for(
    tmp_path: Path, clock: FakeClock, file_system: EfsSettings, option: str
) -> None:
    machine = ForgetfulOs(tmp_path / "machine", option)
    target = str(machine.paths.lease_root)
    lease = EfsPart(FileSystems(machine, machine.paths.mountinfo), file_system, target, "10.0.0.20")
    with pytest.raises(DeadlineExceeded, match=f"{target} is mounted without {option}"):
        ensure_mounted(lease, clock.deadline(30), 20)
    assert machine.mounts() == [], "what cannot be trusted is not left there"
    machine.dropped = ()
    assert ensure_mounted(lease, clock.deadline(30), 20)


def test_a_cached_lease_mount_of_an_earlier_run_is_replaced(world: World, clock: FakeClock) -> None:
    target = world.lease.root
    world.machine.run(("mount", "-t", "nfs4", "-o", OPTIONS, f"{DNS}:/demo/lease", target), clock.deadline())
    ensure_mounted(world.lease, clock.deadline(), 20)
    mount = world.file_systems.mount_at(target)
    assert difference(world.lease.plan()[0], mount) == ""
    assert world.machine.mounts() == [target]
