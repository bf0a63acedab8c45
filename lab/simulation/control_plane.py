"""EC2, Auto Scaling and Route 53 of the simulated world: slow, sometimes silent, eventually consistent.

Guarantees, which are the assumptions the lease rests on: EC2 says `terminated` only after the guest has ended; an
existing instance is unknown to EC2 for at most FORGETFUL_S in a row, and never to EC2 and the group at once; a change
batch is all or nothing.
Does not: promise anything else: a request may be performed without an answer, or land long after its caller gave up.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from bootstrap.base.member import Member
from bootstrap.lease.rules.observation import NoAnswer
from lab.simulation.engine import Reply
from lab.simulation.fleet import Fleet
from lab.simulation.frame import Frame
from lab.simulation.judge import Judge
from lab.simulation.machine import Machine

FORGETFUL_S = 30.0
STALE_S = 3.0
LOST = 0.5  # share of answers that do not arrive (fault "lost_replies")
REMEMBERED_S = 200.0  # how long a terminated instance is described (an hour on AWS)
COUNTED = ("Pending:Wait", "InService")


@dataclass(frozen=True, kw_only=True)
class Address:
    """The DNS record. `generation` is the checker's knowledge, not part of what Route 53 compares."""

    zone: str
    ttl_s: int
    generation: int


class Call:
    """One call of one machine. `may_be_late`: it changes something, and sits in a socket that outlives its caller's
    patience."""

    __slots__ = (
        "_answer",
        "_caller",
        "_engine",
        "_epoch",
        "_may_be_late",
        "_operation",
        "_plane",
        "_reply",
        "_service",
    )

    _reply: Reply
    _answer: Any

    def __init__(
        self, plane: ControlPlane, caller: Machine, service: str, operation: Callable[[], Any], *, may_be_late: bool
    ) -> None:
        self._plane, self._engine, self._caller = plane, caller.engine, caller
        self._epoch = caller.epoch
        self._service = service
        self._operation = operation
        self._may_be_late = may_be_late

    def send(self, reply: Reply) -> None:
        """`reply` with the answer, if one arrives."""
        self._reply = reply
        self._engine.after(self._engine.rng.uniform(0.02, 0.3), self._arrive)

    def _arrive(self) -> None:
        engine, plane, service = self._engine, self._plane, self._service
        now, rng = engine.now, engine.rng
        cut_s, silent_s = self._caller.api_cut_until_s, plane.silent_until_s[service]
        if now < cut_s or now < silent_s:
            plane.met["partition from the API" if now < cut_s else "API silence"] += 1
            if self._may_be_late and self._caller.epoch == self._epoch and rng.random() < 0.3:
                engine.at(max(cut_s, silent_s) + rng.uniform(0.0, 5.0), self._late)
            elif self._may_be_late and now >= cut_s and rng.random() < 0.2:
                self._operation()  # performed, the answer is lost
            self._answer = NoAnswer(reason=f"{service} is unreachable")
            engine.after(rng.uniform(0.05, 0.4) if rng.random() < 0.7 else 6.0, self._land)
            return
        delay_s = rng.uniform(0.02, 0.3)
        self._answer = self._operation()
        if now < plane.lossy_until_s and rng.random() < LOST:
            plane.met[f"lost answer of {service}"] += 1
            return  # the caller hears of it by its own time-out
        engine.after(delay_s, self._land)

    def _land(self) -> None:
        self._reply(self._answer)

    def _late(self) -> None:
        if self._caller.epoch == self._epoch:
            self._operation()


class ControlPlane:
    """What the calls do, and what the group does by itself. `launch` is set by the world."""

    launch: Callable[[str], None]

    def __init__(self, frame: Frame, fleet: Fleet, judge: Judge) -> None:
        self._fleet = fleet
        self._judge = judge
        self._engine = frame.engine
        self.met = frame.met
        self.silent_until_s = {"ec2": -1.0, "group": -1.0, "route53": -1.0, "route53-change": -1.0}
        self.forgetful_until_s = -1.0
        self.lossy_until_s = -1.0
        self.denying_until_s = -1.0
        self.dns = Address(zone="", ttl_s=10, generation=0)
        self.interfaces: dict[str, Machine] = {}
        self._state_changes: dict[str, tuple[float, str]] = {}

    # EC2

    def describe(self, instance_id: str) -> str:
        """The state of an instance, "" where EC2 knows none."""
        machine = self._fleet.machine(instance_id)
        now, rng = self._engine.now, self._engine.rng
        if now < self.forgetful_until_s or (machine.is_dead and now > self._changed_s(machine) + REMEMBERED_S):
            return ""
        changed_s, before = self._state_changes.get(instance_id, (-1e9, ""))
        if now < changed_s + STALE_S and rng.random() < 0.3:
            self.met["stale answer of EC2"] += before != machine.ec2_state
            return before
        return machine.ec2_state

    def _changed_s(self, machine: Machine) -> float:
        return self._state_changes.get(machine.id, (-1e9, ""))[0]

    def set_state(self, machine: Machine, state: str) -> None:
        self._state_changes[machine.id] = (self._engine.now, machine.ec2_state)
        machine.ec2_state = state

    def terminate(self, machine: Machine, *, is_forced: bool, is_shut_down: bool = False) -> str:
        """TerminateInstances: "accepted", or "denied" while it is (a protected instance, a policy)."""
        rng, engine = self._engine.rng, self._engine
        if engine.now < self.denying_until_s and not is_shut_down:
            self.met["refusal of EC2"] += 1
            return "denied"
        if machine.ec2_state == "terminated":
            return "accepted"
        if machine.ec2_state == "shutting-down":
            if is_forced and machine.is_stuck and rng.random() < 0.2:
                machine.is_stuck = False
                self._finish(machine, rng.uniform(2.0, 10.0))
            return "accepted"
        self.set_state(machine, "shutting-down")
        machine.group_state = "Terminating"
        if not machine.is_stuck:
            self._finish(machine, rng.uniform(2.0, 20.0) if is_shut_down else rng.uniform(0.2, 4.0))
        engine.after(rng.uniform(2.0, 15.0), self.ensure_member)
        return "accepted"

    def _finish(self, machine: Machine, seconds: float) -> None:
        self._engine.after(seconds, self._end_guest, machine)

    def _end_guest(self, machine: Machine) -> None:
        machine.die("terminated")
        self._engine.after(self._engine.rng.uniform(1.0, 25.0), self._terminated, machine)

    def _terminated(self, machine: Machine) -> None:
        self.set_state(machine, "terminated")
        if self.interfaces.get(machine.zone) is machine:
            del self.interfaces[machine.zone]

    def free_stuck(self) -> None:
        """The hosts obey again."""
        for machine in self._fleet.machines:
            if machine.is_stuck:
                machine.is_stuck = False
                if machine.ec2_state == "shutting-down":
                    self._finish(machine, self._engine.rng.uniform(1.0, 10.0))

    # Auto Scaling

    def members(self, instance_ids: Sequence[str]) -> dict[str, Member]:
        """DescribeAutoScalingInstances."""
        found = {name: self._member(self._fleet.machine(name)) for name in instance_ids}
        return {name: member for name, member in found.items() if member is not None}

    def _member(self, machine: Machine) -> Member | None:
        if machine.ec2_state == "terminated":
            return None
        return Member(lifecycle_state=machine.group_state, is_healthy=machine.is_healthy)

    def is_counted(self, machine: Machine) -> bool:
        return machine.is_healthy and machine.group_state in COUNTED

    def ensure_member(self) -> None:
        """Min = max = 1."""
        if not any(self.is_counted(machine) for machine in self._fleet.machines):
            self.launch("the group has no instance")

    def begin_leaving(self, machine: Machine) -> None:
        """Terminate hook and replacement at the same time."""
        if not machine.group_state.startswith("Terminating"):
            machine.group_state = "Terminating:Wait"
            machine.leaving_from_s = self._engine.now
            self._engine.after(self._engine.rng.uniform(40.0, 90.0), self.complete_leaving, machine)
            self._engine.after(self._engine.rng.uniform(0.5, 8.0), self.ensure_member)

    def complete_leaving(self, machine: Machine) -> None:
        """The hook was answered or has timed out."""
        if machine.group_state == "Terminating:Wait":
            self.terminate(machine, is_forced=False, is_shut_down=True)

    def report_unhealthy(self, machine: Machine) -> str:
        if machine.is_healthy and self.is_counted(machine):
            machine.is_healthy = False
            self._engine.after(self._engine.rng.uniform(0.5, 6.0), self.begin_leaving, machine)
        return "accepted"

    def abandon(self, machine: Machine) -> str:
        """The launch hook is answered with ABANDON, or the group is told to replace it."""
        if machine.group_state == "InService":
            return self.report_unhealthy(machine)
        return self.terminate(machine, is_forced=False, is_shut_down=True)

    def in_service(self, machine: Machine) -> str:
        """CONTINUE; in a launch-first replacement the older instance now leaves."""
        if machine.group_state == "Pending:Wait":
            machine.group_state = "InService"
            for other in self._fleet.machines:
                if other is not machine and other.group_state == "InService":
                    self.begin_leaving(other)
        return "accepted"

    # Route 53 and network interfaces

    def swap(self, seen: Address, wanted: Address, *, is_compared: bool = True) -> bool:
        """DELETE exactly what was seen, CREATE what is wanted; False when the former is not there any more."""
        if is_compared and (self.dns.zone, self.dns.ttl_s) != (seen.zone, seen.ttl_s):
            return False
        self._judge.record_moved(self.dns.generation, wanted.generation)
        self.dns = wanted
        return True

    def adopt(self, wanted: Address) -> None:
        """The record is right already: from now on it is that of the newer generation."""
        if (self.dns.zone, self.dns.ttl_s) == (wanted.zone, wanted.ttl_s) and self.dns.generation < wanted.generation:
            self.dns = wanted

    def attach(self, machine: Machine, generation: int, looked_s: float) -> bool:
        """False when another instance has it. `looked_s`: when the caller sent its look at the lease directory."""
        self._judge.attaching(machine, generation, looked_s)
        return self.interfaces.setdefault(machine.zone, machine) is machine

    def detach(self, machine: Machine, by: Machine) -> bool:
        """Detach from `machine`."""
        if self.interfaces.get(machine.zone) is machine:
            self._judge.detached(machine, by)
            del self.interfaces[machine.zone]
        return True
