"""What must never happen, judged with the world's own knowledge.

Guarantees: every overlap of two writers is compared with the allowance that docs/failure-modes.md promises, which is
zero except for a guest that was paused while its lease ran out and policy `proof-or-lease` without proof to be had.
Does not: know the rules that are to prevent it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bootstrap.fence.rules import TICK_S, FenceMemory
from bootstrap.lease.rules.acquire import FRESH_S
from bootstrap.lease.rules.actions import Action, Ground, StopOwnService
from bootstrap.lease.rules.observation import Observation, Seen
from bootstrap.lease.rules.record import LeaseRecord
from lab.simulation.machine import Machine

if TYPE_CHECKING:
    from lab.simulation.world import World

WAKE_S = TICK_S + 0.5  # a guest that wakes past its whole ladder resets itself within this
HURRY_S = 1.0  # looks, kill, write back
NONE_S = 0.0
ROUNDING_S = 0.01


@dataclass(frozen=True, kw_only=True)
class Overlap:
    """Two writers at once, in true time; `allowed_until_s` is when the rules promise that it has ended."""

    older: str
    newer: str
    start_s: float
    end_s: float
    allowed_until_s: float
    kind: str


class Checker:
    """Collects violations, in words, and overlaps that were allowed."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.violations: list[str] = []
        self.overlaps: list[Overlap] = []
        self._open: dict[tuple[str, str], float] = {}
        self._landed: dict[int, str] = {}
        self._landed_s: dict[int, float] = {}
        self._released: set[str] = set()
        self._confirmed_s: dict[str, float] = {}

    def violation(self, sentence: str) -> None:
        self.violations.append(f"{self._world.engine.now:.1f} s: {sentence}")
        self._world.tell(f"VIOLATION: {sentence}")

    # two writers

    def writers_changed(self, writers: list[Machine]) -> None:
        """`writers`: all machines that could write from now on."""
        now = self._world.engine.now
        pairs = {(one.id, other.id) for index, one in enumerate(writers) for other in writers[index + 1 :]}
        for pair in [pair for pair in self._open if pair not in pairs]:
            self._close(pair, self._open.pop(pair), now)
        for pair in pairs:
            if pair not in self._open:
                self._open[pair] = now
                self._world.tell(f"{pair[0]} and {pair[1]} can both write")

    def finish(self) -> None:
        now = self._world.engine.now
        for pair, start_s in self._open.items():
            self._close(pair, start_s, now)

    def _close(self, pair: tuple[str, str], start_s: float, end_s: float) -> None:
        if end_s <= start_s:
            return
        one, other = (self._world.machine(name) for name in pair)
        older, newer = sorted((one, other), key=lambda machine: machine.generation)
        allowed_s, kind = self._allowed_until(older, newer)
        self.overlaps.append(
            Overlap(older=older.id, newer=newer.id, start_s=start_s, end_s=end_s, allowed_until_s=allowed_s, kind=kind)
        )
        if end_s > allowed_s:
            self.violation(
                f"{older.id} and {newer.id} could both write for {end_s - start_s:.1f} s ({kind or 'no allowance'})"
            )

    def _allowed_until(self, older: Machine, newer: Machine) -> tuple[float, str]:
        world = self._world
        publication = world.publications.get(older.generation + 1)
        if publication is None or newer.generation <= older.generation:
            return NONE_S, ""
        ground, published_s = publication
        if world.policy == "proof" or ground != "lease-expired":
            return NONE_S, ""
        timing, rate = older.timing, older.clock.rate
        woke_s = older.clock.thawed_at_s
        if woke_s < published_s - (timing.lease_duration_s + HURRY_S) / rate:
            woke_s = older.clock.woke_at_s
            is_relevant = woke_s > self._confirmed_s.get(older.id, -1.0)
            return (woke_s + WAKE_S, "woke up late") if is_relevant else (NONE_S, "")
        # Paused once more, with its clock running on, it cannot go on stopping; awake again, its ladder is over.
        again_s = older.clock.woke_at_s + WAKE_S if older.clock.woke_at_s > woke_s else woke_s
        blind_s = max(woke_s + (timing.ladder_s + timing.watchdog_timeout_s + HURRY_S) / rate, again_s)
        if older.agent_hit_s > published_s - timing.lease_duration_s / rate:
            return blind_s, "its clock stood still"  # nobody there to look for a higher generation
        seen_s = timing.retry_period_s + 2 * timing.request_timeout_s + timing.kill_timeout_s + HURRY_S
        reachable_s = max(woke_s, published_s, older.file_system_cut_until_s, world.files.down_until_s)
        return min(max(reachable_s + seen_s / rate, again_s), blind_s), "its clock stood still"

    def guarded(self, machine: Machine, before: FenceMemory) -> None:
        """The fence process was told a deadline by a renewal."""
        after, now_s = machine.fence_memory, machine.clock.read()
        is_past = before.is_over or (before.deadline_s is not None and now_s >= before.deadline_s)
        if before.generation == after.generation and is_past and before != after:
            self.violation(f"generation {after.generation} of {machine.id} was rescued after its deadline")

    def confirmed(self, machine: Machine, sent_true_s: float) -> None:
        self._confirmed_s[machine.id] = sent_true_s
        now = self._world.engine.now
        if now < machine.cut_when_slow_until_s and now - sent_true_s > 0.4 * machine.timing.request_timeout_s:
            machine.file_system_cut_until_s = max(machine.file_system_cut_until_s, machine.cut_when_slow_until_s)
            machine.slow_until_s = machine.cut_when_slow_until_s = now

    # records, shots, record and interface

    def landed(self, machine: Machine, record: LeaseRecord) -> None:
        """A record arrived in the directory."""
        number, nonce = record.generation, record.nonce
        if self._landed.get(number) == nonce:
            return
        if number <= max(self._landed, default=0):
            self.violation(f"{machine.id} published generation {number}, which is not higher than all before")
        self._landed[number] = nonce
        self._landed_s[number] = self._world.engine.now
        self._displaced(machine, record)

    def released(self, record: LeaseRecord) -> None:
        """It was in the directory once: a renewal sent before may still land over it."""
        self._released.add(record.nonce)

    def decided(self, machine: Machine, observation: Observation, action: Action) -> None:
        """What a newcomer must do first where something of its own earlier generation is left."""
        seen, is_left = observation.seen, machine.is_running or machine.is_mounted
        is_newer = isinstance(seen, Seen) and seen.generation > machine.generation
        if is_left and is_newer and not isinstance(action, StopOwnService):
            self.violation(f"{machine.id} met a higher generation while its own service is left, and does not stop it")

    def publishing(self, machine: Machine, record: LeaseRecord, ground: Ground) -> None:
        """What a newcomer must have done before it publishes."""
        now, timing, rate = self._world.engine.now, machine.timing, machine.clock.rate
        before = self._world.files.files.get(record.generation - 1)
        if ground != "lease-expired" or before is None:
            return
        waited_s = 0.0 if machine.asked_s is None else machine.clock.read() - machine.asked_s
        if now - machine.all_answered_s < timing.silence_s / rate - ROUNDING_S and waited_s < timing.force_deadline_s:
            self.violation(f"{machine.id} claims without proof though EC2 and the group answered just before")
        landed_s = self._world.machine(before.instance_id).renewal_landed_s
        if landed_s > machine.look_performed_s and now - machine.look_returned_s > FRESH_S / rate + ROUNDING_S:
            self.violation(f"{machine.id} claims by an old look, since which the holder has renewed")

    def attaching(self, machine: Machine, generation: int, looked_s: float) -> None:
        """A request to attach the network interface has arrived, by an instance that looked at `looked_s`."""
        newer = [number for number, at_s in self._landed_s.items() if number > generation and at_s < looked_s]
        if newer:
            self.violation(f"{machine.id} attached the network interface, long after generation {min(newer)} was there")

    def _displaced(self, machine: Machine, record: LeaseRecord) -> None:
        """Nobody publishes over a holder that is well."""
        world, now = self._world, self._world.engine.now
        before = world.files.files.get(record.generation - 1)
        if before is None or before.nonce in self._released or before.instance_id == machine.id:
            return
        holder = world.machine(before.instance_id)
        is_held = holder.boot_id == before.boot_id and holder.hold is not None and not holder.fence_memory.is_over
        has_thawed = now - holder.clock.thawed_at_s < holder.timing.lease_duration_s
        is_fresh = now - holder.renewal_landed_s < 0.5 * holder.timing.lease_duration_s
        if is_held and holder.is_executing and is_fresh and not has_thawed:
            self.violation(f"{machine.id} published over {holder.id}, which is well and has not released")

    def overwritten(self, before: LeaseRecord, after: LeaseRecord) -> None:
        """One file, two records."""
        if after.generation < before.generation:
            self.violation(
                f"generation {after.generation} of {after.instance_id} overwrote {before.generation} of "
                f"{before.instance_id}"
            )

    def shot(self, by: Machine, target: Machine) -> None:
        world, cloud = self._world, self._world.cloud
        world.tell(f"{by.id} has {target.id} terminated")
        if by.leaving_from_s is not None and world.engine.now > by.leaving_from_s + 10.0:
            self.violation(f"{by.id}, which the group is ending, shot {target.id}")
        record = world.files.files.get(world.files.highest)
        is_holder = record is not None and record.instance_id == target.id and not record.is_released
        is_renewing = world.engine.now - target.renewal_landed_s < target.timing.lease_duration_s
        is_at_work = target.is_executing and target.hold is not None and not target.fence_memory.is_over
        if is_holder and is_renewing and is_at_work and not target.is_lost and cloud.is_counted(target):
            self.violation(f"{by.id} shot {target.id}, a healthy holder that the group counts")

    def dns_changed(self, before: int, after: int) -> None:
        if after < before:
            self.violation(f"the record went back from generation {before} to generation {after}")

    def interface_taken(self, owner: Machine, by: Machine) -> None:
        if owner is not by and owner.is_up:
            self.violation(f"{by.id} took the network interface from {owner.id}, which runs")
