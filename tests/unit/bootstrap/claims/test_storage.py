"""The contract of storage, with a second kind: an EBS volume, attached to the holder and then mounted as a disk."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import DeadlineExceeded, MountError
from bootstrap.claims.storage.contract import Storage, ensure_mounted
from bootstrap.machine.commands import Completed
from bootstrap.machine.file_system import FileSystems, MountPlan
from tests.kit.clock import FakeClock
from tests.kit.fake_os import FakeOs

DEVICE = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol1"


class EbsVolume:
    """A volume that one instance at a time may attach; `holder` is who has it."""

    def __init__(self, machine: FakeOs) -> None:
        self._file_systems = FileSystems(machine, machine.paths.mountinfo)
        self.root = str(machine.paths.data_root)
        self.holder = ""
        self.doubts: list[str] = []  # what verify says, in turn

    def plan(self) -> list[MountPlan]:
        return [
            MountPlan(
                argv=("mount", "-t", "xfs", "-o", "hard", DEVICE, self.root),
                target=self.root,
                kind="xfs",
                sources=frozenset({DEVICE}),
                options=frozenset({"rw"}),
                by=DEVICE,
            )
        ]

    def mount(self, plan: MountPlan, attempt: Deadline) -> str:
        if self.holder not in ("", "me"):
            return f"vol-1 is attached to {self.holder}"
        self.holder = "me"
        return self._file_systems.mount(plan, attempt)

    def verify(self, _attempt: Deadline) -> str:
        return self.doubts.pop(0) if self.doubts else ""

    def sync(self, deadline: Deadline) -> list[str]:
        return [] if self._file_systems.sync(self.root, deadline) else ["not written back"]

    def unmount(self, deadline: Deadline, *, may_be_lazy: bool) -> list[str]:
        if not self._file_systems.unmount(self.root, deadline, may_be_lazy=may_be_lazy):
            return [f"{self.root} could not be unmounted"]
        if self.holder == "me":
            self.holder = ""
        return []


@pytest.fixture
def volume(machine: FakeOs) -> EbsVolume:
    return EbsVolume(machine)


def mounted(storage: Storage, clock: FakeClock) -> str:
    return ensure_mounted(storage, clock.deadline(30), 20)


def test_another_kind_is_mounted_and_taken_away(volume: EbsVolume, machine: FakeOs, clock: FakeClock) -> None:
    for _ in range(2):
        assert mounted(volume, clock) == f"by {DEVICE}"
        assert (volume.holder, machine.mounts()) == ("me", [volume.root])
    assert volume.unmount(clock.deadline(), may_be_lazy=False) == []
    assert (volume.holder, machine.mounts()) == ("", [])


def test_a_volume_that_its_holder_gives_up_is_waited_for(volume: EbsVolume, clock: FakeClock) -> None:
    volume.holder = "i-other"
    with pytest.raises(DeadlineExceeded, match="last seen: vol-1 is attached to i-other"):
        mounted(volume, clock)
    clock.at(3, lambda: setattr(volume, "holder", ""))
    assert mounted(volume, clock) == f"by {DEVICE}"


def test_what_cannot_be_verified_is_taken_away_before_the_next_attempt(
    volume: EbsVolume, machine: FakeOs, clock: FakeClock
) -> None:
    volume.doubts = ["it holds the data of another service"]
    assert mounted(volume, clock) == f"by {DEVICE}"
    assert [line.split()[0] for line in machine.log()] == ["mount", "umount", "mount"]


def test_a_refusal_that_will_not_change_is_raised_at_once(volume: EbsVolume, clock: FakeClock) -> None:
    def refuse(_plan: MountPlan, _attempt: Deadline) -> str:
        raise MountError("vol-1 does not exist")

    volume.mount = refuse  # type: ignore[method-assign]
    with pytest.raises(MountError, match="vol-1 does not exist"):
        mounted(volume, clock)
    assert clock.waits == []


def test_an_attempt_that_hangs_costs_only_its_time(volume: EbsVolume, machine: FakeOs, clock: FakeClock) -> None:
    machine.refusing["mount -t xfs"] = Completed(exit_code=None, output="")
    with pytest.raises(DeadlineExceeded, match="killed at its deadline"):
        mounted(volume, clock)
    assert not Path(volume.root, "anything").exists()
