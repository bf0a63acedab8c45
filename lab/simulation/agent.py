"""The agent of the simulated world: the loop around the real rules, with every step apart from the next.

For: lab.simulation.world. It asks the rules in bootstrap.lease_* and does what they say, as bootstrap's agent does.
`world.rules` holds those rules; a planted defect replaces one of them or changes a line here (lab.simulation.defects).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from bootstrap.lease_acquire import must_ask
from bootstrap.lease_actions import GiveUp, Publish, Resume, StopOwnService, Terminate, Wait
from bootstrap.lease_observation import GroupAnswer, HolderAnswer, NoAnswer, Observation, OwnRemains, Seen
from bootstrap.lease_publish import Publication
from bootstrap.lease_record import LeaseRecord, new_record, released
from bootstrap.lease_renew import Hold, Renewal
from bootstrap.lease_watch import AcquireMemory
from bootstrap.network_interface import ClaimAction, decide_claim
from lab.simulation.control_plane import Address
from lab.simulation.engine import TIMED_OUT, Body, Process, ask, sleep
from lab.simulation.file_server import as_seen
from lab.simulation.machine import Machine

if TYPE_CHECKING:
    from lab.simulation.world import World

API_TIMEOUT_S = 5.0
WATCH_S = 4.0  # between looks at the target lifecycle state
TTL_S = 10
Answer = Any


class Agent:
    """One run of the agent process of one machine."""

    def __init__(self, world: World, machine: Machine) -> None:
        self._world = world
        self._machine = machine
        self._rules = world.rules
        self._defects = world.defects
        self._is_renewing = True

    def run(self) -> Body:
        """From the start of the process to its end."""
        hold = yield from self._acquire()
        if hold is None:
            return
        self._start(self._renew())
        self._start(self._move_record(hold.record.generation))
        if not self._machine.is_running:
            is_started = yield from self._start_service(hold)
            if not is_started:
                yield from self._give_up("lost before the service was started")
                return
        yield from self._serve()

    @property
    def _rng(self) -> Any:
        return self._world.engine.rng

    def _start(self, body: Body) -> None:
        process = Process(self._world.engine, self._machine.clock, body)
        self._machine.processes.append(process)

    # questions

    def _look(self) -> Body:
        """A fresh look at the highest generation: Seen or NoAnswer."""
        answer = yield from self._on_files(None)
        return answer

    def _on_files(self, operation: Any) -> Body:
        """Do `operation` on the server and look afterwards."""
        machine, files = self._machine, self._world.files
        sent_s = machine.clock.read()

        def perform() -> Any:
            if operation is not None:
                operation()
                machine.cached_until_s = -1.0  # a client sees its own changes
            machine.look_performed_s = self._world.engine.now
            return files.look(machine)

        is_write = operation is not None
        content = yield ask(
            machine.timing.request_timeout_s,
            lambda reply: files.request(machine, perform, reply, is_write=is_write),
        )
        if content is TIMED_OUT:
            return NoAnswer(reason="time-out")
        machine.look_returned_s = self._world.engine.now
        return as_seen(content, sent_s, machine.clock.read())

    def _call(self, service: str, operation: Any, *, may_be_late: bool = False) -> Body:
        machine, cloud = self._machine, self._world.cloud
        answer = yield ask(
            API_TIMEOUT_S,
            lambda reply: cloud.request(machine, service, operation, reply, may_be_late=may_be_late),
        )
        return NoAnswer(reason="time-out") if answer is TIMED_OUT else answer

    # acquire

    def _acquire(self) -> Body:
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
                yield from self._stop_service()
            elif isinstance(action, Terminate):
                target = world.machine(action.instance_id)
                yield from self._call("ec2", lambda t=target, a=action: self._shoot(t, a))
                yield sleep(action.pause_s)
            elif isinstance(action, Wait):
                yield sleep(action.pause_s)
            elif isinstance(action, GiveUp):
                yield from self._give_up(action.reason)
                return None

    def _observe(self) -> Body:
        machine, world = self._machine, self._world
        seen = yield from self._look()
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
                group = yield from self._call("group", lambda: world.cloud.group(machine, machine.id))
            else:
                holder = yield from self._call("ec2", lambda: world.cloud.describe(record.instance_id))
                group = yield from self._call("group", lambda: world.cloud.group(machine, record.instance_id))
            if isinstance(holder, HolderAnswer) and isinstance(group, GroupAnswer):
                machine.all_answered_s = world.engine.now
            if "old-look-judged" in self._defects:
                return Observation(seen=seen, holder=holder, group=group, remains=remains)
            # Asking may have taken long: judge what is there now, if it is still that holder's.
            again = yield from self._look()
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
        seen = yield from self._on_files(lambda: store(machine, record))
        hold = yield from self._confirm(record, seen, sent_s)
        if hold is None or "no-settle" in self._defects:
            return None if hold is None else self._held(hold)
        yield sleep(machine.timing.settle_s)
        seen = yield from self._look()
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
            seen = yield from self._look()
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

    # serve

    def _start_service(self, hold: Hold) -> Body:
        machine, world = self._machine, self._world
        self._start(self._attach(hold))  # not waited for, unlike the real boot: a start as early as possible
        yield sleep(self._rng.uniform(0.02, 0.3))
        if not self._may_go_on(hold) or machine.is_cut:
            return False
        machine.generation = hold.record.generation
        machine.mount()
        yield sleep(self._rng.uniform(0.02, 0.3))
        if not self._may_go_on(hold):
            return False
        machine.start_service()
        world.tell(f"{machine.id} serves with generation {hold.record.generation}")
        return True

    def _may_go_on(self, hold: Hold) -> bool:
        """What the unit files demand: the fence process runs and guards this generation."""
        machine = self._machine
        memory = machine.fence_memory
        return (
            machine.fence is not None
            and machine.is_wanted
            and not machine.is_lost
            and not memory.is_over
            and memory.generation == hold.record.generation
        )

    def _attach(self, hold: Hold) -> Body:
        machine, world = self._machine, self._world
        interface = world.interface(machine.zone)
        while self._may_go_on(hold):
            owner = world.cloud.interfaces.get(machine.zone)
            if owner is machine:
                return True
            state = None
            if owner is not None:
                answer = yield from self._call("ec2", lambda o=owner: world.cloud.describe(o.id))
                state = answer.state if isinstance(answer, HolderAnswer) else "running"
                state = None if state == "gone" else state
            seen = replace(interface, status="in-use" if owner else "available", holder=owner.id if owner else "")
            decision = decide_claim(seen, machine.id, state)
            if owner is not None and "steal-interface" in self._defects:
                yield from self._call("ec2", lambda o=owner: world.cloud.detach(o, machine))
            if decision.action is ClaimAction.ATTACH:
                looked_s = world.engine.now
                look = yield from self._look()
                is_given = self._rules.may_touch(machine.hold, look, now_s=machine.clock.read()).is_given
                if is_given or "no-attach-guard" in self._defects:
                    number = hold.record.generation
                    yield from self._call("ec2", lambda s=looked_s, n=number: world.cloud.attach(machine, n, s))
            else:
                yield sleep(1.5)
        return False

    def _move_record(self, generation: int) -> Body:
        machine, world, rules = self._machine, self._world, self._rules
        ttl_s = TTL_S if "constant-ttl" in self._defects else rules.record_ttl_s(TTL_S, generation)
        wanted = Address(zone=machine.zone, ttl_s=ttl_s, generation=generation)
        is_guarded = "no-dns-guard" not in self._defects
        while True:
            seen = yield from self._call("route53", lambda: world.cloud.dns)
            if isinstance(seen, Address):
                if (seen.zone, seen.ttl_s) == (wanted.zone, wanted.ttl_s):
                    world.cloud.adopt(seen, wanted)
                    return
                look = yield from self._look()
                if is_guarded and not rules.may_touch(machine.hold, look, now_s=machine.clock.read()).is_given:
                    if machine.is_lost or machine.fence_memory.is_over:
                        return
                    yield sleep(2.0)
                    continue
                yield from self._call(
                    "route53-change",
                    lambda s=seen: world.cloud.swap(s, wanted, is_compared=is_guarded),
                    may_be_late=True,
                )
            yield sleep(1.0)

    def _renew(self) -> Body:
        machine, rules, world = self._machine, self._rules, self._world
        timing = machine.timing
        while self._is_renewing:
            yield sleep(timing.retry_period_s)
            if not self._is_renewing or machine.hold is None:
                return
            sent_s, sent_true_s = machine.clock.read(), world.engine.now
            seen = yield from self._look()
            step = rules.before_renewal(machine.hold, seen, now_s=machine.clock.read())
            if step.action is Renewal.SEND and self._is_renewing:
                machine.hold = step.hold
                record = step.hold.record
                seen = yield from self._on_files(lambda r=record: world.files.replace(machine, r))
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

    def _serve(self) -> Body:
        machine, world = self._machine, self._world
        is_reported = False
        while True:
            if not is_reported:
                answer = yield from self._call("group", lambda: world.cloud.in_service(machine))
                is_reported = not isinstance(answer, NoAnswer)
            yield sleep(WATCH_S)
            if machine.is_lost or machine.fence_memory.is_over or not machine.is_running:
                yield from self._give_up("lost")
                return
            if machine.group_state == "Terminating:Wait":
                yield from self._drain()
                return

    def _drain(self) -> Body:
        """Stop gracefully, release, let the group go on."""
        machine, world = self._machine, self._world
        world.tell(f"{machine.id} stops gracefully")
        hold = machine.hold
        if "release-first" in self._defects and hold is not None:
            yield from self._on_files(lambda: world.files.replace(machine, released(hold.record)))
        yield from self._stop_service()
        if not machine.is_running and not machine.is_mounted and hold is not None and not machine.is_lost:
            self._is_renewing = False
            machine.fence_memory = self._rules.let_go(machine.fence_memory, is_cgroup_empty=True, is_mount_gone=True)
            last = machine.hold.record if machine.hold else hold.record
            yield from self._call("ec2", lambda: world.cloud.detach(machine, machine))
            yield from self._on_files(lambda: world.files.replace(machine, released(last)))
        yield from self._call("group", lambda: world.cloud.complete_leaving(machine))

    def _stop_service(self) -> Body:
        """Up to 40 s; what is still there then is the fence's part."""
        machine, engine = self._machine, self._world.engine
        machine.is_wanted = False
        for _ in range(20):
            if machine.is_running:
                engine.after(self._rng.uniform(0.2, 6.0), machine.processes_end, machine.epoch)
            elif machine.is_mounted:
                engine.after(self._rng.uniform(0.05, 0.5), machine.unmount, machine.epoch)
            else:
                break
            yield sleep(2.0)
        machine.is_wanted = True

    def _give_up(self, why: str) -> Body:
        """Have this instance ended, for as long as it takes."""
        machine, world = self._machine, self._world
        world.tell(f"{machine.id} gives up: {why}")
        while True:
            yield from self._call("group", lambda: world.cloud.abandon(machine))
            yield sleep(5.0)
