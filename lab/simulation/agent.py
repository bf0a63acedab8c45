"""The agent of the simulated world: the loop around the real rules, with every step apart from the next.

For: lab.simulation.world. It lets lab.simulation.newcomer get the lease and lab.simulation.holder keep it, and starts,
watches and stops the service meanwhile, as bootstrap's agent does.
Guarantees, unless a planted defect (lab.simulation.defects) changes a line: the service is started only under a hold;
the lease is released only when the service and the mount are gone. Does not: decide about the lease, or end by itself
an instance that gives up; it asks the group to.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bootstrap.lease.rules.actions import GiveUp
from bootstrap.lease.rules.observation import NoAnswer
from bootstrap.lease.rules.record import released
from bootstrap.lease.rules.renew import Hold
from lab.simulation.engine import Body, sleep
from lab.simulation.holder import Holder
from lab.simulation.machine import Machine
from lab.simulation.newcomer import Newcomer
from lab.simulation.surroundings import Surroundings

if TYPE_CHECKING:
    from lab.simulation.world import World

WATCH_S = 4.0  # between looks at the target lifecycle state


class Agent:
    """One run of the agent process of one machine."""

    def __init__(self, world: World, machine: Machine) -> None:
        self._world = world
        self._machine = machine
        self._surroundings = Surroundings(world, machine)

    def run(self) -> Body:
        """From the start of the process to its end."""
        taken = yield from Newcomer(self._world, self._machine, self._surroundings).acquire()
        if isinstance(taken, GiveUp):
            yield from self._give_up(taken.reason)
        if not isinstance(taken, Hold):
            return
        holder = Holder(self._world, self._machine, self._surroundings, taken)
        self._surroundings.start(holder.renew())
        self._surroundings.start(holder.move_record())
        if not self._machine.is_running:
            is_started = yield from self._start_service(holder, taken)
            if not is_started:
                yield from self._give_up("lost before the service was started")
                return
        yield from self._serve(holder)

    def _start_service(self, holder: Holder, hold: Hold) -> Body:
        machine, world = self._machine, self._world
        self._surroundings.start(holder.attach())  # not waited for, unlike the real boot: a start as early as possible
        yield sleep(world.engine.rng.uniform(0.02, 0.3))
        if not holder.may_go_on() or machine.is_cut:
            return False
        machine.generation = hold.record.generation
        machine.mount()
        yield sleep(world.engine.rng.uniform(0.02, 0.3))
        if not holder.may_go_on():
            return False
        machine.start_service()
        world.tell(f"{machine.id} serves with generation {hold.record.generation}")
        return True

    def _serve(self, holder: Holder) -> Body:
        machine, world = self._machine, self._world
        is_reported = False
        while True:
            if not is_reported:
                answer = yield from self._surroundings.call("group", lambda: world.cloud.in_service(machine))
                is_reported = not isinstance(answer, NoAnswer)
            yield sleep(WATCH_S)
            if machine.is_lost or machine.fence_memory.is_over or not machine.is_running:
                yield from self._give_up("lost")
                return
            if machine.group_state == "Terminating:Wait":
                yield from self._drain(holder)
                return

    def _drain(self, holder: Holder) -> Body:
        """Stop gracefully, release, let the group go on."""
        machine, world = self._machine, self._world
        world.tell(f"{machine.id} stops gracefully")
        hold = machine.hold
        if "release-first" in world.defects and hold is not None:
            yield from self._surroundings.on_files(lambda: world.files.replace(machine, released(hold.record)))
        yield from self._surroundings.stop_service()
        if not machine.is_running and not machine.is_mounted and hold is not None and not machine.is_lost:
            holder.stop_renewing()
            machine.fence_memory = world.rules.let_go(machine.fence_memory, is_cgroup_empty=True, is_mount_gone=True)
            last = machine.hold.record if machine.hold else hold.record
            yield from self._surroundings.call("ec2", lambda: world.cloud.detach(machine, machine))
            yield from self._surroundings.on_files(lambda: world.files.replace(machine, released(last)))
        yield from self._surroundings.call("group", lambda: world.cloud.complete_leaving(machine))

    def _give_up(self, why: str) -> Body:
        """Have this instance ended, for as long as it takes."""
        machine, world = self._machine, self._world
        world.tell(f"{machine.id} gives up: {why}")
        while True:
            yield from self._surroundings.call("group", lambda: world.cloud.abandon(machine))
            yield sleep(5.0)
