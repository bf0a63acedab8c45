"""Every fault does something and its undo leaves nothing behind; targets are who they are at that moment."""

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.aws.faults.faults import ApiCall, Faults
from lab.base.errors import LabError
from lab.chaos.actor import Actor
from lab.chaos.schedule import Fault, Kind
from lab.hardware.machine import ExecResult, HardwareRefused
from lab.hardware.network import Port
from lab.play.stage import Stage

ZONES = ("a", "b", "c")


@dataclass
class FakeMachine:
    name: str
    is_frozen: bool = False
    commands: list[str] = field(default_factory=list)

    def freeze(self) -> None:
        self.is_frozen = True

    def thaw(self) -> None:
        self.is_frozen = False

    def is_running(self) -> bool:
        return True

    def exec(self, command: str, timeout_s: float) -> ExecResult:
        self.commands.append(command)
        return ExecResult(0, "")

    def port(self, index: int) -> Port:
        if index > 1:
            raise HardwareRefused("no interface")
        return Port(subnet="s", cable=f"{self.name}-{index}", device="p")


class FakeLab:
    """Two instances: i-old serves in zone a, i-new was launched later in zone b."""

    def __init__(self) -> None:
        self.machines: dict[str, FakeMachine] = {"i-old": FakeMachine("i-old"), "i-new": FakeMachine("i-new")}
        self.conversations: set[tuple[str, str]] = set()
        self.zones_cut: set[str] = set()
        self.zones_away: set[str] = set()
        self.preferred: list[str] = []
        self.sizes: list[int] = []
        self.unhealthy: list[str] = []
        self.restarts: list[float] = []
        self.faults = Faults(lambda: 0.0)
        self.hypervisor = SimpleNamespace(machine=self.machines.get)
        self.file_server = SimpleNamespace(restart=lambda pause_s: self.restarts.append(pause_s) or pause_s)
        self.network = SimpleNamespace(
            cut_conversations=lambda port, peers: self.conversations.update((port.cable, peer) for peer in peers),
            heal_conversations=lambda port, peers: self.conversations.difference_update(
                (port.cable, peer) for peer in peers
            ),
            cut_zone=self.zones_cut.add,
            heal_zone=self.zones_cut.discard,
        )
        instances = [
            SimpleNamespace(id="i-old", zone="a", launched_at=1.0),
            SimpleNamespace(id="i-new", zone="b", launched_at=2.0),
        ]
        self.control_plane = SimpleNamespace(
            faults=self.faults,
            instances=lambda: instances,
            instance=lambda wanted: next((one for one in instances if one.id == wanted), None),
            group=lambda _name: SimpleNamespace(zones=ZONES),
            prefer_zones=self._prefer,
            mount_targets=lambda: [SimpleNamespace(address="10.0.0.4"), SimpleNamespace(address="10.0.1.4")],
            set_zone_available=self._set_zone,
        )

    def boto3_client(self, _service: str) -> Any:
        return SimpleNamespace(
            set_instance_health=lambda **call: self.unhealthy.append(call["InstanceId"]),
            update_auto_scaling_group=lambda **call: self.sizes.append(call["DesiredCapacity"]),
        )

    def crash(self, instance_id: str) -> None:
        del self.machines[instance_id]

    def _prefer(self, zones: list[str]) -> None:
        self.preferred = zones

    def _set_zone(self, zone: str, *, available: bool) -> None:
        (self.zones_away.discard if available else self.zones_away.add)(zone)

    def state(self) -> tuple[Any, ...]:
        """All that a fault may change and must change back."""
        frozen = [machine.name for machine in self.machines.values() if machine.is_frozen]
        fault = self.faults.take(
            ApiCall(service="ec2", action="DescribeInstances", caller="arn:aws:sts::1:assumed-role/role/i-old")
        )
        stopped = [one.name for one in self.machines.values() if one.commands[-1:] and "STOP" in one.commands[-1]]
        size = self.sizes[-1] if self.sizes else 1
        return frozen, stopped, set(self.conversations), set(self.zones_cut), set(self.zones_away), fault, size


@pytest.fixture
def world() -> FakeLab:
    return FakeLab()


def actor_on(world: FakeLab, holder: str = "i-old") -> Actor:
    said: list[str] = []
    stage = SimpleNamespace(
        lab=world, service="influxdb", say=said.append, standing=lambda: SimpleNamespace(instance_id=holder)
    )
    return Actor(cast(Stage, stage))


LASTING = sorted(set(Kind) - {"crash", "agent-kill", "efs-restart", "replace"})


@pytest.mark.parametrize("kind", LASTING)
def test_a_lasting_fault_changes_something_and_its_undo_changes_it_back(world: FakeLab, kind: str) -> None:
    before = world.state()
    undo = actor_on(world).begin(Fault(kind=kind, at_s=0.0, for_s=5.0))
    assert world.state() != before
    undo()
    assert world.state() == before


def test_faults_that_need_no_undo_happen(world: FakeLab) -> None:
    actor = actor_on(world)
    actor.begin(Fault(kind="efs-restart", at_s=0.0, for_s=2.0))
    actor.begin(Fault(kind="agent-kill", at_s=0.0))
    actor.begin(Fault(kind="replace", at_s=0.0))
    old = world.machines["i-old"]
    actor.begin(Fault(kind="crash", at_s=0.0))
    assert world.restarts == [2.0]
    assert "--signal=KILL soloist-agent" in old.commands[0]
    assert world.unhealthy == ["i-old"]
    assert list(world.machines) == ["i-new"]


def test_a_partition_cuts_only_what_it_says_on_every_interface(world: FakeLab) -> None:
    actor_on(world).begin(Fault(kind="cut-efs", at_s=0.0, for_s=5.0))
    assert world.conversations == {(f"i-old-{slot}", peer) for slot in (0, 1) for peer in ("10.0.0.4", "10.0.1.4")}


def test_healing_one_of_two_partitions_leaves_the_other_one(world: FakeLab) -> None:
    actor = actor_on(world)
    undo_all = actor.begin(Fault(kind="cut-all", at_s=0.0, for_s=5.0))
    actor.begin(Fault(kind="cut-api", at_s=0.0, for_s=9.0))
    undo_all()
    assert {peer for _, peer in world.conversations} == {"169.254.169.252"}


def test_the_holder_is_who_serves_and_else_the_newest(world: FakeLab) -> None:
    fault = Fault(kind="crash", at_s=0.0)
    assert actor_on(world).target(fault) == "i-old"
    assert actor_on(world, holder="i-gone").target(fault) == "i-new"
    assert actor_on(world).target(Fault(kind="crash", at_s=0.0, target="newest")) == "i-new"


def test_successors_go_to_the_same_zone_or_another_one(world: FakeLab) -> None:
    actor = actor_on(world)
    actor.begin(Fault(kind="agent-kill", at_s=0.0))
    assert world.preferred == ["a"]
    actor.begin(Fault(kind="agent-kill", at_s=0.0, is_moved=True))
    assert world.preferred == ["b", "c"]


def test_a_target_that_is_gone_is_named(world: FakeLab) -> None:
    world.machines.clear()
    with pytest.raises(LabError, match="the target is not running"):
        actor_on(world).begin(Fault(kind="freeze", at_s=0.0, for_s=1.0))
