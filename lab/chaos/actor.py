"""Carries out a schedule of faults on the machines of a running lab, and undoes it.

For: `lab.chaos.runs` and the fixed scenarios of tests/lab. Guarantees: each fault begins and ends at its time, as
exactly as threads allow; a target that is gone is logged and is no error; `play` returns when every fault is undone.
Does not: judge, or wait for the service to recover.
"""

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from bootstrap.base.names import stack_name
from lab.aws import Fault as ApiFault
from lab.base.addresses import CONTROL_ADDRESS
from lab.base.errors import LabError
from lab.chaos.schedule import Fault, Kind, Schedule
from lab.hardware.machine import HardwareRefused
from lab.hardware.uml import UmlMachine
from lab.play.lab import CLIENT_SUBNET
from lab.play.stage import Stage

REPLACED_AFTER_S = 1.0  # from the fault until the group is told
SLOTS = 4  # network interfaces an instance may have
STEP_S = 0.1
LATE_S = 3.0  # an API answer that is late
CALLERS = ":assumed-role/"  # only calls of instances
AGENT = "soloist-agent.service"

Undo = Callable[[], object]


class Actor:
    """Faults on one stage."""

    def __init__(self, stage: Stage) -> None:
        self._stage = stage
        self._lab = stage.lab
        self._group = stack_name(stage.service)
        self._auto_scaling: Any = stage.lab.boto3_client("autoscaling")
        self._cuts: list[tuple[str, tuple[str, ...]]] = []  # (instance, peers), also for interfaces that come later
        self._lock = threading.Lock()

    def play(self, schedule: Schedule) -> None:
        """Begin and end every fault at its time, then make sure that nothing is left."""
        started_s = time.monotonic()
        with ThreadPoolExecutor(max_workers=len(schedule.faults) or 1) as threads:
            running: list[Future[None]] = []
            for fault in sorted(schedule.faults, key=lambda fault: fault.at_s):
                time.sleep(max(0.0, started_s + fault.at_s - time.monotonic()))
                running.append(threads.submit(self._inflict, fault))
            while not all(one.done() for one in running):
                self._cut_new_interfaces()
                time.sleep(STEP_S)
            for one in running:
                one.result()

    def begin(self, fault: Fault) -> Undo:
        """Begin one fault; returns what undoes it. For scenarios that decide themselves when it ends."""
        return self._begin(fault, self.target(fault))

    def target(self, fault: Fault) -> str:
        """The instance that the fault's target is now; empty when there is none."""
        if fault.target == "holder":
            holder = self._stage.standing().instance_id
            if holder and self._lab.hypervisor.machine(holder) is not None:
                return holder
        alive = [one for one in self._lab.control_plane.instances() if self._lab.hypervisor.machine(one.id)]
        return max(alive, key=lambda one: one.launched_at).id if alive else ""

    def prefer_zone(self, instance_id: str, *, is_moved: bool) -> None:
        """Have successors of an instance launched in its zone, or in another one."""
        instance = self._lab.control_plane.instance(instance_id) if instance_id else None
        group = self._lab.control_plane.group(self._group)
        if instance is not None and group is not None:
            others = [zone for zone in group.zones if zone != instance.zone]
            self._lab.control_plane.prefer_zones(others if is_moved else [instance.zone])

    def ask_replacement(self, instance_id: str) -> None:
        """Tell the group that an instance is unhealthy, as an alarm's action would."""
        try:
            self._auto_scaling.set_instance_health(
                InstanceId=instance_id, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
            )
        except ClientError as error:  # it is leaving already
            self._stage.say(f"the group was not told to replace {instance_id}: {error}")

    def _begin(self, fault: Fault, instance_id: str) -> Undo:
        self.prefer_zone(instance_id, is_moved=fault.is_moved)
        return _ACTS[fault.kind](self, fault, instance_id)

    def _inflict(self, fault: Fault) -> None:
        try:
            instance_id = self.target(fault)
            undo = self._begin(fault, instance_id)
        except LabError as error:
            self._stage.say(f"{fault.kind} had no effect: {error}")
            return
        ends_s = time.monotonic() + fault.for_s
        if fault.is_replaced and instance_id:
            time.sleep(min(REPLACED_AFTER_S, fault.for_s))
            self.ask_replacement(instance_id)
        time.sleep(max(0.0, ends_s - time.monotonic()))
        self._quietly(undo)

    def _say(self, fault: Fault, instance_id: str) -> None:
        lasting = f" for {fault.for_s:.1f} s" if fault.for_s else ""
        self._stage.say(f"fault: {fault.kind} {fault.detail} {instance_id or '(no instance)'}{lasting}")

    def _machine(self, instance_id: str) -> UmlMachine:
        machine = self._lab.hypervisor.machine(instance_id)
        if machine is None:
            raise LabError(f"{instance_id or 'the target'} is not running")
        return machine

    def _crash(self, fault: Fault, instance_id: str) -> Undo:
        self._machine(instance_id)
        self._say(fault, instance_id)
        self._lab.crash(instance_id)
        return _nothing

    def _freeze(self, fault: Fault, instance_id: str) -> Undo:
        machine = self._machine(instance_id)
        machine.freeze()
        self._say(fault, instance_id)
        return partial(self._thaw, instance_id, machine)

    def _thaw(self, instance_id: str, machine: UmlMachine) -> None:
        if machine.is_running():
            machine.thaw()
            self._stage.say(f"{instance_id} runs again")

    def _agent_kill(self, fault: Fault, instance_id: str) -> Undo:
        self._signal(fault, instance_id, "KILL")
        return _nothing

    def _agent_stop(self, fault: Fault, instance_id: str) -> Undo:
        self._signal(fault, instance_id, "STOP")
        return partial(self._agent_goes_on, instance_id)

    def _signal(self, fault: Fault, instance_id: str, name: str) -> None:
        machine = self._machine(instance_id)
        self._say(fault, instance_id)
        machine.exec(f"systemctl kill --kill-whom=main --signal={name} {AGENT}", 10.0)

    def _agent_goes_on(self, instance_id: str) -> None:
        machine = self._lab.hypervisor.machine(instance_id)
        if machine is not None:
            machine.exec(f"systemctl kill --kill-whom=main --signal=CONT {AGENT}", 10.0)

    def _cut(self, fault: Fault, instance_id: str) -> Undo:
        self._machine(instance_id)
        self._say(fault, instance_id)
        mount_targets = tuple(target.address for target in self._lab.control_plane.mount_targets())
        file_system, api, clients = mount_targets, (CONTROL_ADDRESS,), (CLIENT_SUBNET.cidr,)
        peers: tuple[str, ...] = {
            Kind.CUT_EFS: file_system,
            Kind.CUT_API: api,
            Kind.CUT_CLIENTS: clients,
            Kind.CUT_ALL: file_system + api + clients,
        }[fault.kind]
        with self._lock:
            self._cuts.append((instance_id, peers))
        self._cut_new_interfaces()
        return partial(self._heal, instance_id, peers)

    def _cut_new_interfaces(self) -> None:
        with self._lock:
            cuts = list(self._cuts)
        for instance_id, peers in cuts:
            for port in self._ports(instance_id):
                self._lab.network.cut_conversations(port, peers)

    def _heal(self, instance_id: str, peers: tuple[str, ...]) -> None:
        with self._lock:
            self._cuts.remove((instance_id, peers))
        for port in self._ports(instance_id):
            self._lab.network.heal_conversations(port, peers)
        self._stage.say(f"{instance_id} reaches {', '.join(peers)} again")
        self._cut_new_interfaces()  # another cut may hold for the same peers

    def _ports(self, instance_id: str) -> list[Any]:
        machine: Any = self._lab.hypervisor.machine(instance_id)
        found = []
        for slot in range(SLOTS) if machine is not None else ():
            try:
                found.append(machine.port(slot))
            except HardwareRefused:
                continue
        return found

    def _zone_loss(self, fault: Fault, instance_id: str) -> Undo:
        instance = self._lab.control_plane.instance(instance_id) if instance_id else None
        if instance is None:
            raise LabError("there is no instance whose zone could be lost")
        self._say(fault, f"{instance_id} in {instance.zone}")
        self._lab.control_plane.set_zone_available(instance.zone, available=False)
        self._lab.network.cut_zone(instance.zone)
        return partial(self._zone_is_back, instance.zone)

    def _zone_is_back(self, zone: str) -> None:
        self._lab.network.heal_zone(zone)
        self._lab.control_plane.set_zone_available(zone, available=True)
        self._stage.say(f"{zone} is back")

    def _efs_restart(self, fault: Fault, _instance_id: str) -> Undo:
        self._say(fault, "the file server")
        away_s = self._lab.file_server.restart(pause_s=fault.for_s)
        self._stage.say(f"the file server is back after {away_s:.1f} s")
        return _nothing

    def _replace(self, fault: Fault, instance_id: str) -> Undo:
        self._say(fault, instance_id)
        if instance_id:
            self.ask_replacement(instance_id)
        return _nothing

    def _launch_first(self, fault: Fault, instance_id: str) -> Undo:
        self._say(fault, f"beside {instance_id}")
        self._size(2)
        return partial(self._size, 1)

    def _size(self, count: int) -> None:
        self._auto_scaling.update_auto_scaling_group(
            AutoScalingGroupName=self._group, MinSize=1, MaxSize=count, DesiredCapacity=count
        )

    def _api(self, fault: Fault, _instance_id: str) -> Undo:
        self._say(fault, "")
        faults = self._lab.control_plane.faults
        made = faults.add(ApiFault(service=fault.detail, caller=CALLERS, count=None, **_API_FAULTS[fault.kind]))
        return lambda: faults.remove(made.id)

    def _quietly(self, undo: Undo) -> None:
        try:
            undo()
        except LabError as error:  # the target ended meanwhile
            self._stage.say(str(error))


def _nothing() -> None:
    """For faults that need not be undone."""


_API_FAULTS: Mapping[Kind, dict[str, Any]] = {
    Kind.API_ERRORS: {"code": "InternalFailure", "status": 500},
    Kind.API_DELAY: {"delay_s": LATE_S},
    Kind.API_LOST_ANSWERS: {"lose_answer": True},
}
_ACTS: Mapping[Kind, Callable[[Actor, Fault, str], Undo]] = {
    Kind.CRASH: Actor._crash,
    Kind.FREEZE: Actor._freeze,
    Kind.CUT_EFS: Actor._cut,
    Kind.CUT_API: Actor._cut,
    Kind.CUT_CLIENTS: Actor._cut,
    Kind.CUT_ALL: Actor._cut,
    Kind.AGENT_KILL: Actor._agent_kill,
    Kind.AGENT_STOP: Actor._agent_stop,
    Kind.EFS_RESTART: Actor._efs_restart,
    Kind.ZONE_LOSS: Actor._zone_loss,
    Kind.LAUNCH_FIRST: Actor._launch_first,
    Kind.REPLACE: Actor._replace,
    Kind.API_ERRORS: Actor._api,
    Kind.API_DELAY: Actor._api,
    Kind.API_LOST_ANSWERS: Actor._api,
}
