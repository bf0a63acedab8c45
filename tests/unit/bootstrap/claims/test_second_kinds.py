"""The contracts of connection and storage, each with a second kind: an Elastic IP address and an EBS volume."""

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import AgentError, CloudError, DeadlineExceeded, MountError
from bootstrap.claims.connection.contract import Connection, establish
from bootstrap.claims.storage.contract import Storage, ensure_mounted
from bootstrap.cloud.clients import passes_with_time
from bootstrap.machine.commands import Completed
from bootstrap.machine.file_system import FileSystems, MountPlan, difference
from tests.kit.clock import FakeClock
from tests.kit.cloud import cloud_error
from tests.kit.fake_os import FakeOs


@dataclass
class ElasticIp:
    """Associations of one address, as EC2 would keep them."""

    name: str = "203.0.113.7"
    mine: str = "eni-1"
    associated: str = "eni-0"

    errors: list[CloudError] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def claim(self, generation: int) -> str:
        self.said.append(f"claim {generation}")

        if self.errors:
            raise self.errors.pop(0)
        before, self.associated = self.associated, self.mine
        return f"{self.name} moves from {before} to {self.mine}"

    def verify(self, _generation: int) -> str:
        return "" if self.associated == self.mine else f"{self.name} is associated with {self.associated}"

    def release(self, _deadline: Deadline) -> list[str]:
        self.associated = ""
        return []

    def passes(self, error: AgentError, elapsed_s: float) -> bool:
        return passes_with_time(error, elapsed_s)


def established(connection: Connection, clock: FakeClock) -> str:
    return establish(connection, 8, clock.deadline(30))


def test_another_kind_is_claimed_with_the_generation_and_verified(clock: FakeClock) -> None:
    address = ElasticIp(errors=[cloud_error("RequestLimitExceeded")])
    assert established(address, clock) == "203.0.113.7 moves from eni-0 to eni-1"
    assert address.said == ["claim 8", "claim 8"]
    assert clock.waits == [1]


class Forgetful(ElasticIp):
    def claim(self, generation: int) -> str:
        super().claim(generation)
        self.associated = "eni-9"
        return "moved"


def test_a_claim_that_is_not_there_afterwards_is_not_believed(clock: FakeClock) -> None:
    with pytest.raises(DeadlineExceeded, match=r"last seen: 203\.0\.113\.7 is associated with eni-9"):
        established(Forgetful(), clock)


def test_an_error_that_does_not_pass_is_raised_at_once(clock: FakeClock) -> None:
    with pytest.raises(CloudError, match="InvalidAllocationID"):
        established(ElasticIp(errors=[cloud_error("InvalidAllocationID.NotFound", retryable=False)]), clock)
    assert clock.waits == []


# ------------------------------------------------------------------ storage
DEVICE = "/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_vol1"


class EbsVolume:
    """A volume that one instance at a time may attach; `holder` is who has it."""

    def __init__(self, machine: FakeOs) -> None:
        self._file_systems = FileSystems(machine, machine.paths.mountinfo)
        self.root = str(machine.paths.data_root)
        self.holder = ""
        self.doubts: list[str] = []  # what verify says, in turn
        self.to_look_at = "Look at the volume vol-1"

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

    def drift(self) -> str:
        return difference(self.plan()[0], self._file_systems.mount_at(self.root))

    def inspect(self, attempt: Deadline) -> str:
        return self.verify(attempt)

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
