"""The newcomer of the simulated world: from the start of its agent to a lease that is held, or to giving up.

For: lab.simulation.agent. It observes, asks bootstrap.lease.rules.acquire and does what that says: wait, end the
holder, stop
its own remains, publish. `world.rules` holds the rules; a planted defect replaces one of them or changes a line here.
Guarantees: what is published is read back before and after the settle period; a hold is returned only when the fence
process has taken its deadline. Does not: renew, start the service, or say itself when a lease is free.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bootstrap.lease.rules.acquire import must_ask
from bootstrap.lease.rules.actions import GiveUp, Publish, Resume, StopOwnService, Terminate, Wait
from bootstrap.lease.rules.observation import GroupAnswer, HolderAnswer, NoAnswer, Observation, OwnRemains, Seen
from bootstrap.lease.rules.publish import Publication
from bootstrap.lease.rules.record import LeaseRecord, new_record
from bootstrap.lease.rules.renew import Hold
from bootstrap.lease.rules.watch import AcquireMemory
from lab.simulation.engine import Body, sleep
from lab.simulation.machine import Machine
from lab.simulation.surroundings import Surroundings

if TYPE_CHECKING:
    from lab.simulation.world import World


class Newcomer:
    """One attempt of one agent to get the lease."""

    def __init__(self, world: World, machine: Machine, surroundings: Surroundings) -> None:
        self._world = world
        self._machine = machine
        self._surroundings = surroundings
        self._rules = world.rules
        self._defects = world.defects

    def acquire(self) -> Body:
        """The hold; GiveUp when the rules say so; None where the fence refuses what was resumed."""
        machine, world, rules = self._machine, self._world, self._rules
        memory = AcquireMemory()
        said = ""
        while True:
            observation = yield from self._observe()
            memory, action = rules.acquire_step(
                memory,
                observation,
                me=machine.applicant,
                timing=machine.timing,
                policy=world.policy,
                now_s=machine.clock.read(),
            )
            kind = type(action).__name__
            if kind != said:
                said = kind
                world.tell(f"{machine.id}: {action.sentence}")
            machine.asked_s = memory.asked_s
            world.checker.decided(machine, observation, action)
            if isinstance(action, Publish):
                hold = yield from self._publish(action)
                if hold is not None:
                    return hold
                said = ""
            elif isinstance(action, Resume):
                record = observation.seen.record
                return self._held(Hold(record=record, deadline_s=action.deadline_s))
            elif isinstance(action, StopOwnService):
                yield from self._surroundings.stop_service()
            elif isinstance(action, Terminate):
                target = world.machine(action.instance_id)
                yield from self._surroundings.call("ec2", lambda t=target, a=action: self._shoot(t, a))
                yield sleep(action.pause_s)
            elif isinstance(action, Wait):
                yield sleep(action.pause_s)
            elif isinstance(action, GiveUp):
                return action

    def _observe(self) -> Body:
        machine, world = self._machine, self._world
        seen = yield from self._surroundings.look()
        memory = machine.fence_memory
        remains = OwnRemains(
            nonce=machine.run_nonce,
            fence_deadline_s=None if memory.is_over or machine.fence is None else memory.deadline_s,
            is_service_stopped=not machine.is_running and not machine.is_mounted,
        )
        holder: HolderAnswer | NoAnswer | None = None
        group: GroupAnswer | NoAnswer | None = None
        if must_ask(seen, machine.applicant):
            record = seen.record
            if record is None:
                group = yield from self._surroundings.call("group", lambda: world.cloud.group(machine, machine.id))
            else:
                holder = yield from self._surroundings.call("ec2", lambda: world.cloud.describe(record.instance_id))
                group = yield from self._surroundings.call(
                    "group", lambda: world.cloud.group(machine, record.instance_id)
                )
            if isinstance(holder, HolderAnswer) and isinstance(group, GroupAnswer):
                machine.all_answered_s = world.engine.now
            if "old-look-judged" in self._defects:
                return Observation(seen=seen, holder=holder, group=group, remains=remains)
            # Asking may have taken long: judge what is there now, if it is still that holder's.
            again = yield from self._surroundings.look()
            if isinstance(again, NoAnswer) or again.generation == seen.generation:
                seen = again
            else:
                return (yield from self._observe())
        return Observation(seen=seen, holder=holder, group=group, remains=remains)

    def _shoot(self, target: Machine, action: Terminate) -> str:
        self._world.checker.shot(self._machine, target)
        return self._world.cloud.terminate(target, is_forced=action.is_forced)

    def _publish(self, action: Publish) -> Body:
        """The hold, or None: look again."""
        machine, world = self._machine, self._world
        sent_s = machine.clock.read()
        generation = action.generation - 1 if "generation-reused" in self._defects else action.generation
        generation = max(1, generation)
        nonce = world.new_nonce(machine)
        record = new_record(machine.applicant, machine.timing, generation=generation, nonce=nonce)
        machine.run_nonce = nonce
        world.publishing(machine, record, action.ground)
        store = world.files.replace if self._is_overwriting else world.files.link
        seen = yield from self._surroundings.on_files(lambda: store(machine, record))
        hold = yield from self._confirm(record, seen, sent_s)
        if hold is None or "no-settle" in self._defects:
            return None if hold is None else self._held(hold)
        yield sleep(machine.timing.settle_s)
        seen = yield from self._surroundings.look()
        hold = yield from self._confirm(record, seen, sent_s)
        if hold is None:
            return None
        return self._held(hold)

    @property
    def _is_overwriting(self) -> bool:
        return bool(self._defects & {"one-record", "generation-reused"})

    def _confirm(self, record: LeaseRecord, seen: Seen | NoAnswer, sent_s: float) -> Body:
        machine = self._machine
        while True:
            verdict = self._rules.judge_publication(
                record, seen, sent_s=sent_s, now_s=machine.clock.read(), timing=machine.timing
            )
            if verdict.outcome is not Publication.UNKNOWN:
                break
            yield sleep(1.0)
            seen = yield from self._surroundings.look()
        if verdict.outcome is not Publication.WON:
            self._world.tell(f"{machine.id}: {verdict.sentence}")
            yield sleep(1.0)
            return None
        return Hold(record=record, deadline_s=verdict.deadline_s)

    def _held(self, hold: Hold) -> Hold | None:
        """Hand the deadline to the fence process; None where it refuses."""
        machine = self._machine
        if machine.fence is None:
            return None
        machine.fence_memory, _ = self._rules.hold_until(
            machine.fence_memory,
            hold.record.generation,
            hold.deadline_s,
            is_clear=not machine.is_running and not machine.is_mounted,
            now_s=machine.clock.read(),
        )
        machine.hold = hold
        if machine.fence_memory.generation != hold.record.generation or machine.fence_memory.is_over:
            return None
        machine.fence.poke()
        return hold
