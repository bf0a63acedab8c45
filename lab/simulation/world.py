"""One simulated run: builds the world of a schedule, lets it happen, says what was wrong.

Guarantees: the same schedule and defects give the same history; `Result.story` tells it. Does not: touch a clock, a
file or a network.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from types import SimpleNamespace

from bootstrap.claims.connection.route53 import record_ttl_s
from bootstrap.cloud.ec2 import NetworkInterface
from bootstrap.fence import rules as fence_rules
from bootstrap.fence.rules import FenceAction, fence_step
from bootstrap.lease.rules import acquire as lease_acquire
from bootstrap.lease.rules import permission as lease_guard
from bootstrap.lease.rules import publish as lease_publish
from bootstrap.lease.rules import renew as lease_renew
from bootstrap.lease.rules.actions import Ground
from bootstrap.lease.rules.record import LeaseRecord
from lab.simulation.agent import Agent
from lab.simulation.checker import Checker, Overlap
from lab.simulation.control_plane import ControlPlane
from lab.simulation.engine import Body, Engine, Process, sleep
from lab.simulation.faults import Faults
from lab.simulation.file_server import FileServer
from lab.simulation.machine import Machine
from lab.simulation.schedule import Schedule

ZONES = ("a", "b", "c")
LIVENESS_S = 1500.0  # after the last fault, the longest chain of waits that the rules allow
SERVED_S = 8.0
LOOK_S = 4.0
IDLE_S = 1e6
RATES_APART = 0.002


def real_rules() -> SimpleNamespace:
    """The decision core itself."""
    return SimpleNamespace(
        acquire_step=lease_acquire.acquire_step,
        judge_publication=lease_publish.judge_publication,
        before_renewal=lease_renew.before_renewal,
        after_renewal=lease_renew.after_renewal,
        may_touch=lease_guard.may_touch,
        record_ttl_s=record_ttl_s,
        hold_until=fence_rules.hold_until,
        lost=fence_rules.lost,
        let_go=fence_rules.let_go,
        fence_step=fence_step,
    )


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one run."""

    schedule: Schedule
    violations: list[str]
    overlaps: list[Overlap]
    story: list[str]
    generations: int
    took_s: float  # simulated


@dataclass
class World:
    """Everything of one run. `defects` are names in lab.simulation.defects."""

    schedule: Schedule
    defects: frozenset[str] = frozenset()
    rules: SimpleNamespace = field(default_factory=real_rules)
    is_telling: bool = False

    def __post_init__(self) -> None:
        self.policy = self.schedule.policy
        self.engine = Engine(random.Random(self.schedule.seed + 1))
        self.machines: list[Machine] = []
        self.publications: dict[int, tuple[Ground, float]] = {}
        self.wake_at_publication: list[Machine] = []
        self.story: list[str] = []
        self.met: Counter[str] = Counter()  # what the rules had to cope with
        self.checker = Checker(self)
        self.files = FileServer(self)
        self.cloud = ControlPlane(self)
        self._grounds: dict[str, Ground] = {}
        self._nonces = 0
        self._served_from_s: float | None = None
        self._is_over = False
        self._interfaces = {zone: NetworkInterface(id=f"eni-{zone}", status="", mac="", zone=zone) for zone in ZONES}

    def run(self) -> Result:
        engine, schedule = self.engine, self.schedule
        faults = Faults(self)
        self.launch("the group has no instance")
        for fault in schedule.faults:
            engine.at(fault.at_s, faults.begin, fault)
        engine.at(schedule.quiet_s, self._quiet)
        engine.run(lambda: self._is_over, schedule.quiet_s + LIVENESS_S)
        if not self._is_over:
            self.checker.violation(f"nobody serves {LIVENESS_S:.0f} s after the last fault")
        self.checker.finish()
        return Result(
            schedule=schedule,
            violations=self.checker.violations,
            overlaps=self.checker.overlaps,
            story=[*schedule.story(), *self.story],
            generations=self.files.highest,
            took_s=engine.now,
        )

    def tell(self, sentence: str) -> None:
        if self.is_telling:
            self.story.append(f"{self.engine.now:8.2f}  {sentence}")

    # instances

    def machine(self, instance_id: str) -> Machine:
        return self.machines[int(instance_id[2:])]

    def interface(self, zone: str) -> NetworkInterface:
        return self._interfaces[zone]

    def launch(self, why: str) -> None:
        number, schedule, rng = len(self.machines), self.schedule, self.engine.rng
        machine = Machine(
            self,
            number,
            schedule.zones[number % len(schedule.zones)],
            schedule.timings[number % len(schedule.timings)],
            schedule.rates[number % len(schedule.rates)],
        )
        self.machines.append(machine)
        self.tell(f"{machine.id} is launched in zone {machine.zone}: {why}")
        self.engine.after(rng.uniform(1.0, 3.0), self._running, machine)
        machine.boot(rng.uniform(5.0, 15.0))

    def _running(self, machine: Machine) -> None:
        if machine.ec2_state == "pending":
            self.cloud.set_state(machine, "running")

    def start_agent(self, machine: Machine) -> None:
        machine.processes.append(Process(self.engine, machine.clock, Agent(self, machine).run()))

    def restart_agent(self, machine: Machine, epoch: int) -> None:
        """systemd starts it again, unless it did already: never two agents on one machine."""
        if any(process.is_alive for process in machine.processes):
            return
        if epoch == machine.epoch and machine.clock.is_paused:
            machine.clock.park(is_timer=False, call=self.restart_agent, arguments=(machine, epoch))
        elif epoch == machine.epoch and machine.is_up:
            machine.is_lost = False
            self.start_agent(machine)

    def start_fence(self, machine: Machine) -> None:
        machine.fence = Process(self.engine, machine.clock, self._fence(machine))

    def _fence(self, machine: Machine) -> Body:
        """The fence process. Calm looks change nothing (tests/property shows it), so they are left out."""
        while True:
            now_s = machine.clock.read()
            step = self.rules.fence_step(
                machine.fence_memory,
                is_cgroup_empty=not machine.is_running,
                is_mount_gone=not machine.is_mounted,
                timing=machine.timing,
                now_s=now_s,
            )
            machine.fence_memory = step.memory
            if step.action is not FenceAction.NOTHING:
                self.tell(f"{machine.id} fence: {step.sentence}")
                machine.act(step.action)
                yield sleep(step.next_look_s - now_s)
            elif step.memory.deadline_s is None or step.memory.is_over:
                yield sleep(IDLE_S)
            else:
                yield sleep(step.memory.deadline_s - now_s)

    # what the agent reports to the world

    def new_nonce(self, machine: Machine) -> str:
        self._nonces += 1
        return f"{machine.id}#{self._nonces}"

    def publishing(self, machine: Machine, record: LeaseRecord, ground: Ground) -> None:
        """A newcomer is about to publish: a good moment for a sleeper to wake up."""
        self.checker.publishing(machine, record, ground)
        self._grounds[record.nonce] = ground
        rng = self.engine.rng
        for sleeper in self.wake_at_publication:
            self.engine.after(rng.choice((rng.uniform(0.0, 0.3), rng.uniform(0.0, 8.0))), sleeper.wake)
        self.wake_at_publication.clear()

    def landed(self, machine: Machine, record: LeaseRecord) -> None:
        """A record is in the directory for the first time."""
        self.checker.landed(machine, record)
        before = self.files.files.get(record.generation - 1)
        if before is not None and self._grounds[record.nonce] == "lease-expired":
            rates = (machine.clock.rate, self.machine(before.instance_id).clock.rate)
            self.met["lease waited for by a clock of another rate"] += abs(rates[0] - rates[1]) > RATES_APART
        self.publications.setdefault(record.generation, (self._grounds[record.nonce], self.engine.now))

    def writers_changed(self) -> None:
        self.checker.writers_changed([machine for machine in self.machines if machine.is_writer])

    # the end

    def _quiet(self) -> None:
        self.tell("all faults are over")
        self.cloud.free_stuck()
        for machine in self.machines:
            machine.wake()
        self._look_for_service()

    def _look_for_service(self) -> None:
        """Over when the holder of the highest generation has served for a while and is alone."""
        now = self.engine.now
        writers = [machine for machine in self.machines if machine.is_writer]
        is_served = len(writers) == 1 and self._is_rightful(writers[0])
        if not is_served:
            self._served_from_s = None
        elif self._served_from_s is None:
            self._served_from_s = now
        elif now - self._served_from_s >= SERVED_S:
            self._is_over = True
            self.tell(f"{writers[0].id} serves with generation {writers[0].generation}, nobody else does")
            return
        self.engine.after(LOOK_S, self._look_for_service)

    def _is_rightful(self, machine: Machine) -> bool:
        return machine.generation == self.files.highest and machine.group_state == "InService" and machine.is_healthy
