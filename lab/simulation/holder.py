"""What a holder of the simulated world does while it serves: renews its lease and draws the clients to itself.

For: lab.simulation.agent, which runs `renew`, `move_record` and `attach` side by side. Each asks the rules in
bootstrap.lease.rules.renew, bootstrap.lease.rules.permission or bootstrap.claims.network_interface first; a planted
defect replaces one of them
or changes a line here.
Guarantees: a confirmed renewal reaches the fence process in the same moment; a lost lease is marked on the machine
(`is_lost`) for all others to see. Does not: get the lease, or start and stop the service.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bootstrap.claims.network_interface import ClaimAction, decide_claim
from bootstrap.lease.rules.observation import HolderAnswer
from bootstrap.lease.rules.renew import Hold, Renewal
from lab.simulation.control_plane import Address
from lab.simulation.engine import Body, sleep
from lab.simulation.machine import Machine
from lab.simulation.surroundings import Surroundings

if TYPE_CHECKING:
    from lab.simulation.world import World

TTL_S = 10


class Holder:
    """One agent with the lease that it got as `hold`; the machine keeps what became of it since."""

    def __init__(self, world: World, machine: Machine, surroundings: Surroundings, hold: Hold) -> None:
        self._world = world
        self._machine = machine
        self._surroundings = surroundings
        self._generation = hold.record.generation
        self._rules = world.rules
        self._defects = world.defects
        self._is_renewing = True

    def stop_renewing(self) -> None:
        """Send nothing more; a renewal that is under way may still arrive."""
        self._is_renewing = False

    def renew(self) -> Body:
        """Each retry period, until the lease is lost or `stop_renewing` is called."""
        machine, rules, world = self._machine, self._rules, self._world
        timing = machine.timing
        while self._is_renewing:
            yield sleep(timing.retry_period_s)
            if not self._is_renewing or machine.hold is None:
                return
            sent_s, sent_true_s = machine.clock.read(), world.engine.now
            seen = yield from self._surroundings.look()
            step = rules.before_renewal(machine.hold, seen, now_s=machine.clock.read())
            if step.action is Renewal.SEND and self._is_renewing:
                machine.hold = step.hold
                record = step.hold.record
                seen = yield from self._surroundings.on_files(lambda r=record: world.files.replace(machine, r))
                step = rules.after_renewal(machine.hold, seen, sent_s=sent_s, now_s=machine.clock.read(), timing=timing)
            if step.action is Renewal.CONFIRMED:
                machine.hold = step.hold
                world.checker.confirmed(machine, sent_true_s)
                before = machine.fence_memory
                machine.fence_memory, _ = rules.hold_until(
                    machine.fence_memory,
                    machine.hold.record.generation,
                    machine.hold.deadline_s,
                    is_clear=False,
                    now_s=machine.clock.read(),
                )
                world.checker.guarded(machine, before)
            elif step.action in (Renewal.LOST, Renewal.EXPIRED):
                world.tell(f"{machine.id}: {step.sentence}")
                machine.is_lost = True
                if step.action is Renewal.LOST:
                    machine.fence_memory = rules.lost(machine.fence_memory, now_s=machine.clock.read())
                    if machine.fence is not None:
                        machine.fence.poke()
                return

    def may_go_on(self) -> bool:
        """What the unit files demand: the fence process runs and guards this generation."""
        machine = self._machine
        memory = machine.fence_memory
        return (
            machine.fence is not None
            and machine.is_wanted
            and not machine.is_lost
            and not memory.is_over
            and memory.generation == self._generation
        )

    def attach(self) -> Body:
        """The zone's network interface, as soon as it is free; True when it is ours, False when the hold is over."""
        machine, world = self._machine, self._world
        interface = world.interface(machine.zone)
        while self.may_go_on():
            owner = world.cloud.interfaces.get(machine.zone)
            if owner is machine:
                return True
            state = None
            if owner is not None:
                answer = yield from self._surroundings.call("ec2", lambda o=owner: world.cloud.describe(o.id))
                state = answer.state if isinstance(answer, HolderAnswer) else "running"
                state = None if state == "gone" else state
            seen = replace(interface, status="in-use" if owner else "available", instance_id=owner.id if owner else "")
            decision = decide_claim(seen, machine.id, state)
            if owner is not None and "steal-interface" in self._defects:
                yield from self._surroundings.call("ec2", lambda o=owner: world.cloud.detach(o, machine))
            if decision.action is ClaimAction.ATTACH:
                looked_s = world.engine.now
                look = yield from self._surroundings.look()
                is_given = self._rules.may_touch(machine.hold, look, now_s=machine.clock.read()).is_given
                if is_given or "no-attach-guard" in self._defects:
                    number = self._generation
                    yield from self._surroundings.call(
                        "ec2", lambda s=looked_s, n=number: world.cloud.attach(machine, n, s)
                    )
            else:
                yield sleep(1.5)
        return False

    def move_record(self) -> Body:
        """Point the DNS record at this zone; ends when it does, or when the lease is lost."""
        machine, world, rules = self._machine, self._world, self._rules
        ttl_s = TTL_S if "constant-ttl" in self._defects else rules.record_ttl_s(TTL_S, self._generation)
        wanted = Address(zone=machine.zone, ttl_s=ttl_s, generation=self._generation)
        is_guarded = "no-dns-guard" not in self._defects
        while True:
            seen = yield from self._surroundings.call("route53", lambda: world.cloud.dns)
            if isinstance(seen, Address):
                if (seen.zone, seen.ttl_s) == (wanted.zone, wanted.ttl_s):
                    world.cloud.adopt(seen, wanted)
                    return
                look = yield from self._surroundings.look()
                if is_guarded and not rules.may_touch(machine.hold, look, now_s=machine.clock.read()).is_given:
                    if machine.is_lost or machine.fence_memory.is_over:
                        return
                    yield sleep(2.0)
                    continue
                yield from self._surroundings.call(
                    "route53-change",
                    lambda s=seen: world.cloud.swap(s, wanted, is_compared=is_guarded),
                    may_be_late=True,
                )
            yield sleep(1.0)
