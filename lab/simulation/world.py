"""One simulated run: builds the world of a schedule, lets it happen, says what was wrong.

Guarantees: the same schedule and defects give the same history; `Result.story` tells it, with the sentences of the code
that ships. Does not: touch a clock, a file or a network.
"""

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from lab.simulation import quick
from lab.simulation.agent import Agent
from lab.simulation.checker import Checker, Overlap
from lab.simulation.control_plane import ControlPlane
from lab.simulation.faults import Faults
from lab.simulation.file_server import FileServer
from lab.simulation.fleet import Fleet
from lab.simulation.frame import Frame
from lab.simulation.machine import Machine
from lab.simulation.planting import planted
from lab.simulation.schedule import Schedule

LIVENESS_S = 1500.0  # after the last fault, the longest chain of waits that the rules allow
SERVED_S = 8.0
LOOK_S = 4.0


@dataclass(frozen=True, kw_only=True)
class Result:
    """What came of one run. `story`: where it is told. `displaced_late_s`: how late each publication landed that
    displaced a holder that was well."""

    seed: int
    violations: list[str]
    overlaps: list[Overlap]
    displaced_late_s: list[float]
    story: list[str]
    generations: int
    took_s: float  # simulated


class World:
    """Everything of one run. `defects` are names in lab.simulation.defects."""

    def __init__(self, schedule: Schedule, defects: frozenset[str] = frozenset(), *, is_telling: bool = False) -> None:
        self.schedule = schedule
        self.frame = Frame(schedule, defects, is_telling)
        self.engine = self.frame.engine
        self.fleet = Fleet()
        self.checker = Checker(self.frame, self.fleet)
        self.files = self.checker.files = FileServer(self.frame, self.checker)
        self.cloud = self.checker.cloud = ControlPlane(self.frame, self.fleet, self.checker)
        self.cloud.launch = self.launch
        self.checker.on_publishing = self._wake_sleepers
        self._sleepers: list[Machine] = []
        self._served_from_s: float | None = None

    def run(self) -> Result:
        with _quiet_logs(self.frame), planted(quick.plant):
            random.seed(self.schedule.seed)  # the pauses of the code that ships vary at random
            try:
                return self._run()
            finally:
                self.engine.close()
                self.fleet.forget()

    def _run(self) -> Result:
        engine, schedule = self.engine, self.schedule
        faults = Faults(
            self.frame,
            self.fleet,
            self.files,
            self.cloud,
            sleepers=self._sleepers,
            restart_agent=self.restart_agent,
        )
        self.launch("the group has no instance")
        for fault in schedule.faults:
            engine.at(fault.at_s, faults.begin, fault)
        engine.at(schedule.quiet_s, self._quiet)
        if not engine.run(schedule.quiet_s + LIVENESS_S):
            self.checker.violation(f"nobody serves {LIVENESS_S:.0f} s after the last fault")
        self.checker.finish()
        return Result(
            seed=schedule.seed,
            violations=self.checker.violations,
            overlaps=self.checker.overlaps,
            displaced_late_s=self.checker.displaced_late,
            story=[*schedule.story(), *self.frame.story] if self.frame.is_telling else [],
            generations=self.files.highest,
            took_s=engine.now,
        )

    # instances

    def launch(self, why: str) -> None:
        number, schedule, rng = len(self.fleet.machines), self.schedule, self.engine.rng
        machine = Machine(
            self.frame,
            number,
            schedule.zones[number % len(schedule.zones)],
            schedule.timings[number % len(schedule.timings)],
            schedule.rates[number % len(schedule.rates)],
        )
        machine.start_agent, machine.writers_changed = self.start_agent, self._writers_changed
        self.fleet.machines.append(machine)
        self.frame.tell(f"{machine.id} is launched in zone {machine.zone}: {why}")
        self.engine.after(rng.uniform(1.0, 3.0), self._running, machine)
        machine.boot(rng.uniform(5.0, 15.0))

    def _running(self, machine: Machine) -> None:
        if machine.ec2_state == "pending":
            self.cloud.set_state(machine, "running")

    def start_agent(self, machine: Machine) -> None:
        agent = Agent(self.frame, machine, self.fleet, self.files, self.cloud, self.checker)
        machine.start("agent", agent.run)

    def restart_agent(self, machine: Machine, epoch: int) -> None:
        """systemd starts it again, unless it did already: never two agents on one machine."""
        if any(thread.is_alive for thread in machine.threads):
            return
        if epoch == machine.epoch and machine.clock.is_paused:
            machine.clock.park(is_timer=False, call=self.restart_agent, arguments=(machine, epoch))
        elif epoch == machine.epoch and machine.is_up:
            self.start_agent(machine)

    def _wake_sleepers(self) -> None:
        """A newcomer is about to publish: a good moment for a sleeper to wake up."""
        rng = self.engine.rng
        for sleeper in self._sleepers:
            self.engine.after(rng.choice((rng.uniform(0.0, 0.3), rng.uniform(0.0, 8.0))), sleeper.wake)
        self._sleepers.clear()

    def _writers_changed(self) -> None:
        self.checker.writers_changed(self.fleet.writers())

    # the end

    def _quiet(self) -> None:
        self.frame.tell("all faults are over")
        self.cloud.free_stuck()
        for machine in self.fleet.machines:
            machine.wake()
        self._look_for_service()

    def _look_for_service(self) -> None:
        """Over when the holder of the highest generation has served for a while and is alone."""
        now, writers = self.engine.now, self.fleet.writers()
        is_served = len(writers) == 1 and self._is_rightful(writers[0])
        if not is_served:
            self._served_from_s = None
        elif self._served_from_s is None:
            self._served_from_s = now
        elif now - self._served_from_s >= SERVED_S:
            self.engine.end()
            self.frame.tell(f"{writers[0].id} serves with generation {writers[0].generation}, nobody else does")
            return
        self.engine.after(LOOK_S, self._look_for_service)

    def _is_rightful(self, machine: Machine) -> bool:
        return machine.generation == self.files.highest and machine.group_state == "InService" and machine.is_healthy


class _Storyteller(logging.Handler):
    """The log lines of the code that ships, as part of the story."""

    def __init__(self, frame: Frame) -> None:
        super().__init__(logging.INFO)
        self._frame = frame

    def emit(self, record: logging.LogRecord) -> None:
        self._frame.tell(f"  {record.getMessage()}")


@contextmanager
def _quiet_logs(frame: Frame) -> Iterator[None]:
    """Nothing of a simulated agent reaches the log of the program that simulates it."""
    loggers = [logging.getLogger("bootstrap"), logging.getLogger("fence")]
    before = [(logger.level, logger.propagate) for logger in loggers]
    teller = _Storyteller(frame)
    for logger in loggers:
        logger.propagate = False
        logger.setLevel(logging.INFO if frame.is_telling else logging.CRITICAL + 1)
        logger.addHandler(teller)
    try:
        yield
    finally:
        for logger, (level, propagate) in zip(loggers, before, strict=True):
            logger.removeHandler(teller)
            logger.setLevel(level)
            logger.propagate = propagate
