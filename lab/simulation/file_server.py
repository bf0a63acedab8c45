"""The lease directory as an NFS client meets it: late writes, lost replies, repeated requests, torn reads.

Guarantees: what a hard mount does: a request that cannot be sent is repeated by the kernel until it lands, even after
the process that made it has given up; one whose answer was lost is repeated too and then meets its own effect (EEXIST).
Does not: model the data file system; lab.simulation.machine keeps what of it matters (mounted, dirty).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bootstrap.lease.rules.observation import Seen
from bootstrap.lease.rules.record import LeaseRecord
from lab.simulation.engine import Reply

if TYPE_CHECKING:
    from lab.simulation.machine import Machine
    from lab.simulation.world import World

CONVERGE_S = 0.5  # how long two mount targets may disagree after a fail-over (fault "split")
LOST = 0.5  # share of replies that do not arrive (fault "lost_replies")
LOST_REQUEST = 0.2  # of requests: these are performed for the first time when they are repeated
REPEAT_S = ((0.2, 3.0), (0.2, 3.0), (3.0, 60.0))  # when the kernel sends a request again that was not answered
CACHE_S = 60.0  # attribute cache of a mount without noac (defect "cached-look")
EEXIST, ENOENT, DONE = "EEXIST", "ENOENT", "done"
Content = tuple[int, str, LeaseRecord | None]


class FileServer:
    """Generation files and the faults between them and each machine."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._engine = world.engine
        self._has_one_file = "one-record" in world.defects
        self._is_in_place = "renewed-in-place" in world.defects
        self.files: dict[int, LeaseRecord] = {}
        self.highest = 0
        self.down_until_s = -1.0
        self.torn_until_s = -1.0
        self.split_until_s = -1.0
        self.lossy_until_s = -1.0
        self.created_s: dict[int, float] = {}
        self._renamed: dict[int, LeaseRecord] = {}  # by identity: each attempt writes a temporary file of its own

    def request(self, machine: Machine, operation: Callable[[], Any], reply: Reply, *, is_write: bool = False) -> None:
        """Perform `operation` on the server, sooner or later, perhaps twice; `reply` with its (last) result."""
        engine, epoch, met = self._engine, machine.epoch, self._world.met
        given_up_s = engine.now + machine.timing.request_timeout_s / machine.clock.rate

        def repeat() -> None:
            if machine.epoch != epoch:
                return  # the kernel that would have repeated it is gone
            if machine.clock.is_paused:
                machine.clock.park(is_timer=False, call=repeat, arguments=())
                return
            arrive()

        is_performed = False

        def arrive() -> None:
            nonlocal is_performed
            again_s = self._comes_through_at(machine)
            if again_s > engine.now:
                engine.at(again_s, repeat)
                return
            met["late write"] += is_write and not is_performed and engine.now > given_up_s
            is_performed = True
            result = operation()
            if engine.now < self.lossy_until_s and engine.rng.random() < LOST:
                met["lost reply of the file server"] += 1
                engine.after(engine.rng.uniform(*engine.rng.choice(REPEAT_S)), repeat)
                return
            slow_s = (
                engine.rng.uniform(0.0, machine.slow_s)
                if engine.now < machine.slow_until_s and engine.rng.random() < 0.5
                else 0.0
            )
            engine.after(engine.rng.uniform(0.002, 0.04) + slow_s, back, result)

        def back(result: Any) -> None:
            if machine.epoch != epoch:
                return
            heal_s = self._heals_at(machine)
            if heal_s > engine.now:
                engine.at(heal_s + engine.rng.uniform(0.0, 1.0), repeat)
                return
            met["stale read"] += result[1] not in ("{", self._text())
            reply(result)

        engine.after(engine.rng.uniform(0.002, 0.04), arrive)

    def _comes_through_at(self, machine: Machine) -> float:
        """When a request that is sent now has to be sent again; now, where it arrives."""
        now, rng = self._engine.now, self._engine.rng
        heal_s = self._heals_at(machine)
        if heal_s > now:
            self._world.met["partition from the file system"] += machine.file_system_cut_until_s > now
            return heal_s + rng.uniform(0.0, 1.0)
        if now < self.lossy_until_s and rng.random() < LOST_REQUEST:
            return now + rng.uniform(*rng.choice(REPEAT_S))
        return now

    def _heals_at(self, machine: Machine) -> float:
        return max(self.down_until_s, machine.file_system_cut_until_s)

    def look(self, machine: Machine) -> Content:
        """The highest generation and its content, as this machine sees it now."""
        now = self._engine.now
        if machine.has_attribute_cache:
            if now < machine.cached_until_s:
                return machine.cached
            machine.cached_until_s = now + CACHE_S
        content: Content
        if self.highest == 0:
            content = (0, "", None)
        elif now < self.torn_until_s:
            content = (self.highest, "{", None)
        else:
            record = self._visible(machine, self.highest)
            content = (self.highest, _text(record), record)
        machine.cached = content
        return content

    def _text(self) -> str:
        return _text(self.files[self.highest]) if self.highest else ""

    def _visible(self, machine: Machine, generation: int) -> LeaseRecord:
        own = machine.split_files.get(generation)
        if own is not None and self._engine.now < self.created_s[generation] + CONVERGE_S:
            return own
        return self.files[generation]

    def link(self, machine: Machine, record: LeaseRecord) -> str:
        """Publish; EEXIST where the name is taken, by whomever."""
        number = record.generation
        if number in self.files:
            is_other = self.files[number].nonce != record.nonce
            if is_other and self._engine.now < min(self.split_until_s, self.created_s[number] + CONVERGE_S):
                machine.split_files[number] = record  # acknowledged by another mount target, and taken back later
                return DONE
            self._world.met["EEXIST of one's own link"] += not is_other
            return EEXIST
        self.files[number] = record
        self.created_s[number] = self._engine.now
        self.highest = max(self.highest, number)
        self._world.landed(machine, record)
        return DONE

    def replace(self, machine: Machine, record: LeaseRecord) -> str:
        """rename() of a temporary file over the own one; sent again after it was performed, it finds nothing there."""
        number = record.generation
        if id(record) in self._renamed and not self._is_in_place:
            self._world.met["rename sent again"] += 1
            return ENOENT
        self._renamed[id(record)] = record
        is_new = record.renewals == 0
        if self._has_one_file and self.files:
            self._world.checker.overwritten(self.files[self.highest], record)
            self.files.clear()
            self.highest = 0
        if self.files.get(number) != record:
            machine.renewal_landed_s = self._engine.now
        self.files[number] = record
        self.created_s.setdefault(number, self._engine.now)
        self.highest = max(self.highest, number)
        if is_new:
            self._world.landed(machine, record)
        if record.is_released:
            self._world.checker.released(record)
        return DONE


def _text(record: LeaseRecord) -> str:
    return f"{record.nonce} {record.renewals} {record.is_released}"


def as_seen(content: Content, sent_s: float, returned_s: float) -> Seen:
    """What the lease store hands to the rules."""
    generation, text, record = content
    return Seen(generation=generation, record=record, text=text, sent_s=sent_s, returned_s=returned_s)
