"""Storage on EFS: exact commands, mountinfo as the only proof, and attempts that end."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.clock import Deadline
from bootstrap.base.document import EfsSettings, MountTarget
from bootstrap.base.errors import DeadlineExceeded
from bootstrap.claims.storage.contract import Storage, ensure_mounted
from bootstrap.claims.storage.efs import PATIENCE_S, plan_mounts
from bootstrap.claims.storage.kinds import storage_of
from bootstrap.machine.commands import Completed
from bootstrap.machine.file_system import FileSystems, MountPlan, MountRefused, difference
from bootstrap.machine.mountinfo import Mount
from tests.kit.clock import FakeClock
from tests.kit.documents import document
from tests.kit.fake_os import FakeOs

NFS = document().file_system
EFS = replace(NFS, transport="efs-tls")
OPTIONS = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,timeo=600,retrans=2,noresvport"
LEASE = "noac,lookupcache=none,nosharecache"
DATA = "tls,iam,accesspoint=fsap-data,noresvport"
DNS = "fs-1.efs.us-east-1.amazonaws.com"


def plans_of(file_system: EfsSettings, *, is_lease: bool) -> list[MountPlan]:
    return plan_mounts(file_system, is_lease=is_lease, target="/mnt", mount_targets=file_system.mount_targets)


@pytest.mark.parametrize(
    ("file_system", "is_lease", "options", "place"),
    [
        (NFS, False, f"nfs4 -o {OPTIONS}", "demo/data"),
        (NFS, True, f"nfs4 -o {OPTIONS},{LEASE}", "demo/lease"),
        (EFS, False, "efs -o tls,iam,accesspoint=fsap-data,noresvport", ""),
        (EFS, True, f"efs -o tls,iam,accesspoint=fsap-lease,noresvport,{LEASE}", ""),
    ],
    ids=["nfs data", "nfs lease", "efs data", "efs lease"],
)
def test_exact_commands_by_name_first(file_system: EfsSettings, *, is_lease: bool, options: str, place: str) -> None:
    by_name, by_address = (" ".join(plan.argv) for plan in plans_of(file_system, is_lease=is_lease))
    if file_system is NFS:
        assert by_name == f"mount -t {options} {DNS}:/{place} /mnt"
        assert by_address == f"mount -t {options} 10.0.0.20:/{place} /mnt"
    else:
        scope = "systemd-run --scope --quiet --collect --description=proxy of an EFS mount"
        scope += " --property=Before=soloist-agent.service --"
        assert by_name == f"{scope} mount -t {options} fs-1:/ /mnt"
        assert by_address == f"{scope} mount -t {options},mounttargetip=10.0.0.20 fs-1:/ /mnt"


GOOD = Mount(
    device="0:45", target="/mnt", kind="nfs4", source=f"{DNS}:/demo/data", options=frozenset({"rw", "hard", "vers=4.1"})
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
def test_a_mount_that_differs_from_its_plan_is_named(mount: Mount | None, why: str) -> None:
    assert difference(plans_of(NFS, is_lease=False)[0], mount) == why


UNCACHED = frozenset({"rw", "hard", "noac", "lookupcache=none"})
LEASE_MOUNT = {
    "nfs": replace(GOOD, source=f"{DNS}:/demo/lease", options=UNCACHED),
    "efs-tls": replace(GOOD, source="127.0.0.1:/", options=UNCACHED),
}


@pytest.mark.parametrize("option", ["", "hard", "noac", "lookupcache=none"])
@pytest.mark.parametrize("file_system", [NFS, EFS], ids=lambda item: item.transport)
def test_a_lease_mount_that_lacks_an_option_is_refused(file_system: EfsSettings, option: str) -> None:
    mount = LEASE_MOUNT[file_system.transport]
    lacking = replace(mount, options=mount.options - {option})
    for plan in plans_of(file_system, is_lease=True):
        assert difference(plan, lacking) == (f"/mnt is mounted without {option}" if option else "")


@pytest.mark.parametrize("instead", ["lookupcache=positive", "lookupcache=pos", "ac", "soft"])
def test_another_value_of_an_option_is_not_the_option(instead: str) -> None:
    lost = {"soft": "hard", "ac": "noac"}.get(instead, "lookupcache=none")
    mount = replace(LEASE_MOUNT["nfs"], options=LEASE_MOUNT["nfs"].options - {lost} | {instead})
    assert difference(plans_of(NFS, is_lease=True)[0], mount) == f"/mnt is mounted without {lost}"


class World:
    """The data part of the file system on the fake machine."""

    def __init__(self, machine: FakeOs, clock: FakeClock) -> None:
        self.machine, self.clock = machine, clock
        self.root = str(machine.paths.data_root)
        self.file_systems = FileSystems(machine, machine.paths.mountinfo)
        self.data = self.part(self.root, "demo")
        self.lease = self.part(str(machine.paths.lease_root))

    def part(self, root: str, service: str = "", file_system: EfsSettings = NFS) -> Storage:
        return storage_of(file_system, self.file_systems, "us-east-1a", root, service)

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


@pytest.mark.parametrize(
    "result",
    [Completed(exit_code=32, output="Name or service not known"), Completed(exit_code=None, output="")],
    ids=["the name is not known", "the attempt hangs"],
)
def test_falls_back_to_the_mount_target_address(world: World, result: Completed) -> None:
    world.machine.refusing[f"{DNS}:/demo/data"] = result
    assert world.mount() == "by 10.0.0.20"


ZONES = tuple(MountTarget(zone=f"us-east-1{zone}", address=f"10.0.{n}.20") for n, zone in enumerate("abc"))
AWAY = Completed(exit_code=32, output="Connection refused")


@pytest.mark.parametrize("transport", ["nfs", "efs-tls"])
def test_another_zones_mount_target_is_taken_once_the_own_has_failed_for_a_while(world: World, transport: str) -> None:
    """A takeover in a zone whose mount target is away. It costs traffic between zones, so a moment is not enough."""
    data = world.part(world.root, "demo", replace(NFS, transport=transport, mount_targets=(ZONES[1], ZONES[0])))
    for own in (f"{DNS}:/demo/data", f"{ZONES[0].address}:/demo/data", f"{DATA} fs-1:/", f"{ZONES[0].address} fs-1:/"):
        world.machine.refusing[own] = AWAY
    assert ensure_mounted(data, world.clock.deadline(100), 20) == (
        "by 10.0.1.20 of us-east-1b, the own zone's mount target is away"
    )
    assert PATIENCE_S <= sum(world.clock.waits) <= PATIENCE_S + max(world.clock.waits)
    assert data.drift() == ""
    world.machine.refusing.clear()
    assert ensure_mounted(data, world.clock.deadline(100), 20)
    assert [line for line in world.commands("umount") if "-l" in line] == [], "nothing is moved back under a service"


def test_every_zones_mount_target_is_tried_and_a_name_that_hangs_costs_one_attempt(world: World) -> None:
    data, run = world.part(world.root, "demo", replace(NFS, mount_targets=ZONES)), world.machine.run

    def hang(argv: Sequence[str], deadline: Deadline, *, text_in: str = "") -> Completed:
        if not any(DNS in word or ZONES[0].address in word for word in argv):
            return run(argv, deadline, text_in=text_in)
        world.clock.advance(deadline.remaining_s)
        return Completed(exit_code=None, output="")

    world.machine.run = hang  # type: ignore[method-assign]
    world.machine.refusing[ZONES[1].address] = AWAY
    assert ensure_mounted(data, world.clock.deadline(100), PATIENCE_S).startswith("by 10.0.2.20 of us-east-1c")
    assert world.clock.waits == []


@pytest.mark.parametrize("transport", ["nfs", "efs-tls"])
@pytest.mark.parametrize(
    "state",
    [
        Completed(exit_code=32, output="Failed to resolve name"),
        Completed(exit_code=32, output="Connection refused"),
        Completed(exit_code=32, output="access denied by server while mounting 127.0.0.1:/"),
        Completed(exit_code=None, output=""),
    ],
    ids=["its name is not known", "refuses", "the access point is new", "hangs"],
)
def test_mount_targets_that_are_being_created_are_waited_for(world: World, state: Completed, transport: str) -> None:
    """EFS API reference, LifeCycleState: creating takes a minute or two, longer than any single attempt."""
    limits = document().deadlines
    storage = world.part(world.root, "demo", replace(NFS, transport=transport, mount_targets=ZONES))
    world.machine.refusing["mount -t"] = state
    world.clock.at(150, world.machine.refusing.clear)
    assert ensure_mounted(storage, world.clock.deadline(limits.boot_s), limits.mount_s) == f"by {DNS}"


def test_the_end_in_vain_names_each_way_with_its_failure_and_what_to_look_at(world: World) -> None:
    names = {DNS: "name not known", ZONES[0].address: "Connection timed out", ZONES[1].address: "access denied"}
    for way, output in names.items():
        world.machine.refusing[f"{way}:/demo"] = Completed(exit_code=32, output=output)
    world.machine.refusing[f"{ZONES[2].address}:/demo"] = world.machine.refusing[f"{ZONES[0].address}:/demo"]
    for root, service, access_point in ((world.root, "demo", "fsap-data"), (world.lease.root, "", "fsap-lease")):
        storage = world.part(root, service, replace(NFS, mount_targets=ZONES))
        with pytest.raises(DeadlineExceeded) as over:
            ensure_mounted(storage, world.clock.deadline(PATIENCE_S + 10), 20)
        nothing = f"nothing is mounted at {root} (mount: exit code 32:"
        assert str(over.value) == (
            f"test: not done after 30 s; last seen: {nothing} name not known), tried by {DNS}; "
            f"{nothing} access denied), tried by 10.0.1.20 of us-east-1b, the own zone's mount target is away; "
            f"{nothing} Connection timed out), tried by 10.0.2.20 of us-east-1c, the own zone's mount target is away, "
            "then by 10.0.0.20. "
            "Look at the mount target of us-east-1a (10.0.0.20), whose state must be available and whose security "
            "group must let port 2049 in (aws efs describe-mount-targets --file-system-id fs-1), and, where access was "
            f"denied, at the access point {access_point}, the policy of the file system and the role of the instance."
        )


def test_exit_code_zero_without_a_mount_is_not_believed(world: World) -> None:
    world.machine.refusing["mount -t"] = Completed(exit_code=0, output="network not ready")
    with pytest.raises(DeadlineExceeded, match=r"nothing is mounted at .* \(mount: exit code 0: network not ready\)"):
        world.mount(30)


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
    lease = storage_of(file_system, FileSystems(machine, machine.paths.mountinfo), "us-east-1a", target)
    with pytest.raises(DeadlineExceeded, match=f"{target} is mounted without {option}"):
        ensure_mounted(lease, clock.deadline(30), 20)
    assert machine.mounts() == [], "what cannot be trusted is not left there"
    machine.dropped = ()
    assert ensure_mounted(lease, clock.deadline(30), 20)


def test_a_cached_lease_mount_of_an_earlier_run_is_replaced_and_gets_no_marker(world: World, clock: FakeClock) -> None:
    target = world.lease.root
    world.machine.run(("mount", "-t", "nfs4", "-o", OPTIONS, f"{DNS}:/demo/lease", target), clock.deadline())
    ensure_mounted(world.lease, clock.deadline(), 20)
    mount = world.file_systems.mount_at(target)
    assert difference(world.lease.plan()[0], mount) == ""
    assert list(Path(target).iterdir()) == [], "no marker is needed"
    assert world.machine.mounts() == [target]
