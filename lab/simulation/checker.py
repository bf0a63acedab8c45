"""What must never happen, judged with the world's own knowledge.

Guarantees: every overlap of two writers is compared with the allowance that docs/failure-modes.md promises, which is
zero except for a guest that was paused while its lease ran out and policy `proof-or-lease` without proof to be had.
Does not: know the rules that are to prevent it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from bootstrap.fence.protocol import FenceRequest
from bootstrap.fence.rules import TICK_S, FenceMemory
from bootstrap.lease.rules.acquire import FRESH_S
from bootstrap.lease.rules.last_writer import FLOOR
from bootstrap.lease.rules.record import LeaseRecord
from bootstrap.lease.takeover import REFUSAL_HOLDS_S
from lab.simulation.control_plane import ControlPlane
from lab.simulation.file_server import FileServer
from lab.simulation.fleet import Fleet
from lab.simulation.frame import Frame
from lab.simulation.machine import Machine

WAKE_S = TICK_S + 0.5  # a guest that wakes past its whole ladder resets itself within this
HURRY_S = 1.0  # looks, kill, write back
NONE_S = 0.0
ROUNDING_S = 0.01
RATES_APART = 0.002
STOPS_WITHIN_S = 5.0


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
    """Collects violations, in words, and overlaps that were allowed. The world sets `files`, `cloud` and
    `on_publishing`; its parts report to this judge."""

    files: FileServer
    cloud: ControlPlane
    on_publishing: Callable[[], None]

    def __init__(self, frame: Frame, fleet: Fleet) -> None:
        self._frame = frame
        self._fleet = fleet
        self.publications: dict[int, tuple[str, float]] = {}  # ground and moment of each generation
        self.displaced_late: list[float] = []  # seconds after its time-out that a publication landed over a holder
        self.violations: list[str] = []
        self.overlaps: list[Overlap] = []
        self._taken: list[tuple[str, int, str, float]] = []  # from whom, its generation, ground and moment
        self._open: dict[tuple[str, str], float] = {}
        self._landed: dict[int, str] = {}
        self._landed_s: dict[int, float] = {}
        self._released: set[str] = set()
        self._served = (0, "", 0.0)  # the highest generation that a service was started with, where, and when
        self._confirmed_s: dict[str, float] = {}

    def violation(self, sentence: str) -> None:
        self.violations.append(f"{self._frame.engine.now:.1f} s: {sentence}")
        self._frame.tell(f"VIOLATION: {sentence}")

    # two writers

    def writers_changed(self, writers: list[Machine]) -> None:
        """`writers`: all machines that could write from now on."""
        now = self._frame.engine.now
        pairs = {(one.id, other.id) for index, one in enumerate(writers) for other in writers[index + 1 :]}
        for pair in [pair for pair in self._open if pair not in pairs]:
            self._close(pair, self._open.pop(pair), now)
        for pair in pairs:
            if pair not in self._open:
                self._open[pair] = now
                self._frame.tell(f"{pair[0]} and {pair[1]} can both write")

    def finish(self) -> None:
        now = self._frame.engine.now
        for pair, start_s in self._open.items():
            self._close(pair, start_s, now)

    def _close(self, pair: tuple[str, str], start_s: float, end_s: float) -> None:
        if end_s <= start_s:
            return
        one, other = (self._fleet.machine(name) for name in pair)
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
        taken = [(why, s) for name, number, why, s in self._taken if name == older.id and number >= older.generation]
        if not taken or newer.generation <= older.generation:
            return NONE_S, ""
        ground, published_s = taken[0]
        if self._frame.schedule.policy == "proof" or ground != "lease-expired":
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
        # A file server whose replies are lost is not reachable either.
        reachable_s = max(
            woke_s,
            published_s,
            older.file_system_cut_until_s,
            self._frame.files_down_until_s,
            self.files.lossy_until_s,
        )
        return min(max(reachable_s + seen_s / rate, again_s), blind_s), "its clock stood still"

    def guarded(self, machine: Machine, before: FenceMemory) -> None:
        """The fence process was told a deadline by a renewal."""
        after, now_s = machine.guard.memory, machine.clock.read()
        is_past = before.is_over or (before.deadline_s is not None and now_s >= before.deadline_s)
        if before.generation == after.generation and is_past and before != after:
            self.violation(f"generation {after.generation} of {machine.id} was rescued after its deadline")

    def held(self, machine: Machine, request: FenceRequest) -> None:
        """The fence has granted a generation: its record is that of this instance."""
        record = self.files.files.get(request.generation)
        if record is not None and record.nonce != request.nonce and not self.files.was_restored:
            self.violation(f"{machine.id} holds generation {request.generation}, which is that of {record.instance_id}")

    def believed(self, machine: Machine) -> None:
        """What the agent believes to hold, the fence guards; looked at whenever the agent speaks to anybody."""
        memory = machine.guard.memory
        hold = None if memory.deadline_s is None else machine.hold
        if hold is None or memory.deadline_s is None or machine.clock.read() >= hold.deadline_s:
            return
        is_same = memory.generation == hold.record.generation
        if is_same and (memory.is_over or hold.deadline_s > memory.deadline_s + ROUNDING_S):
            self.violation(f"{machine.id} believes in a deadline that its fence does not guard")

    def confirmed(self, machine: Machine, sent_true_s: float) -> None:
        self._confirmed_s[machine.id] = sent_true_s
        now = self._frame.engine.now
        if now < machine.cut_when_slow_until_s and now - sent_true_s > 0.4 * machine.timing.request_timeout_s:
            machine.file_system_cut_until_s = max(machine.file_system_cut_until_s, machine.cut_when_slow_until_s)
            machine.slow_until_s = machine.cut_when_slow_until_s = now

    # records, shots, record and interface

    def landed(self, machine: Machine, record: LeaseRecord, sent_s: float) -> None:
        """A record arrived in the directory; it was sent at `sent_s`."""
        number, nonce = record.generation, record.nonce
        if self._landed.get(number) == nonce:
            return
        if number <= max(self._landed, default=0) and not self.files.was_restored:
            self.violation(f"{machine.id} published generation {number}, which is not higher than all before")
        self._landed[number] = nonce
        self._landed_s[number] = self._frame.engine.now
        self._displaced(machine, record, sent_s)
        before = self.files.files.get(number - 1)
        if before is not None and record.ground == "lease-expired":
            rates = (machine.clock.rate, self._fleet.machine(before.instance_id).clock.rate)
            self._frame.met["lease waited for by a clock of another rate"] += abs(rates[0] - rates[1]) > RATES_APART
        self.publications.setdefault(number, (record.ground, self._frame.engine.now))
        if before is not None and record.ground != FLOOR:
            self._taken.append((before.instance_id, before.generation, record.ground, self._frame.engine.now))

    def serves(self, machine: Machine, generation: int) -> None:
        """A service was started with `generation` as its fencing token."""
        highest, by, at_s = self._served
        if (generation < highest or (generation == highest and machine.id != by)) and self._landed_s[generation] > at_s:
            self.violation(f"{machine.id} serves with generation {generation}, and {by} did with {highest}")
        self._served = max(self._served, (generation, machine.id, self._frame.engine.now))

    def kept(self, machine: Machine, record: LeaseRecord) -> None:
        """The takeover failed after `record` was published, and nothing was sent to give it back."""
        there = self.files.files.get(record.generation)
        if there is not None and there.nonce == record.nonce:
            self.violation(f"{machine.id} cannot hold generation {record.generation} and does not give it back")

    def released(self, record: LeaseRecord) -> None:
        """It was in the directory once: a renewal sent before may still land over it."""
        self._released.add(record.nonce)

    def publishing(self, machine: Machine, record: LeaseRecord) -> None:
        """What a newcomer must have done before it publishes."""
        self._leaves_its_own(machine, "publishes")
        self.on_publishing()
        now, timing, rate = self._frame.engine.now, machine.timing, machine.clock.rate
        before = self.files.files.get(record.generation - 1)
        if record.ground != "lease-expired" or before is None:
            return
        waited_s = 0.0 if machine.asked_s is None else machine.clock.read() - machine.asked_s
        is_refused = machine.refused_s is not None
        is_answered = now - machine.all_answered_s < timing.silence_s / rate - ROUNDING_S
        if is_answered and waited_s < timing.force_deadline_s and not is_refused:
            self.violation(f"{machine.id} claims without proof though EC2 and the group answered just before")
        landed_s = self._fleet.machine(before.instance_id).renewal_landed_s
        if landed_s > machine.look_performed_s and now - machine.look_returned_s > FRESH_S / rate + ROUNDING_S:
            self.violation(f"{machine.id} claims by an old look, since which the holder has renewed")

    def looked(self, machine: Machine) -> None:
        """A newcomer that sees a higher generation ends what is left of its own service before anything else."""
        now, is_left = self._frame.engine.now, machine.is_running or machine.is_mounted
        if not is_left or self.files.highest <= machine.generation or machine.hold is not None:
            machine.higher_met_s = None
        elif machine.higher_met_s is None:
            machine.higher_met_s = now
        elif now - machine.higher_met_s > STOPS_WITHIN_S and machine.clock.woke_at_s < machine.higher_met_s:
            self.violation(f"{machine.id} sees a higher generation, and its own service is left as it is")

    def _leaves_its_own(self, machine: Machine, what: str) -> None:
        if (machine.is_running or machine.is_mounted) and self.files.highest > machine.generation:
            self.violation(f"{machine.id} {what} while its own service of generation {machine.generation} is left")

    def attaching(self, machine: Machine, generation: int, looked_s: float) -> None:
        """A request to attach the network interface has arrived, by an instance that looked at `looked_s`."""
        newer = [number for number, at_s in self._landed_s.items() if number > generation and at_s < looked_s]
        if newer and not self.files.was_restored:
            self.violation(f"{machine.id} attached the network interface, long after generation {min(newer)} was there")

    def _displaced(self, machine: Machine, record: LeaseRecord, sent_s: float) -> None:
        """Nobody publishes over a holder that is well. A publication whose request was under way for longer than its
        sender waited is nobody's decision any more: it is counted, and what it displaces has to stop like any other."""
        now = self._frame.engine.now
        before = self.files.files.get(record.generation - 1)
        if (
            record.ground == FLOOR
            or before is None
            or before.nonce in self._released
            or before.instance_id == machine.id
        ):
            return
        holder = self._fleet.machine(before.instance_id)
        is_held = holder.boot_id == before.boot_id and holder.hold is not None and not holder.guard.memory.is_over
        has_thawed = now - holder.clock.thawed_at_s < holder.timing.lease_duration_s
        is_fresh = now - holder.renewal_landed_s < 0.5 * holder.timing.lease_duration_s
        if not (is_held and holder.is_executing and is_fresh) or has_thawed:
            return
        late_s = now - sent_s - machine.timing.request_timeout_s / machine.clock.rate
        if late_s > 0:
            self.displaced_late.append(late_s)
            self._frame.tell(f"{machine.id} displaces {holder.id} by a publication that landed {late_s:.1f} s late")
            return
        self.violation(f"{machine.id} published over {holder.id}, which is well and has not released")

    def brought_back(self, machine: Machine, record: LeaseRecord) -> None:
        """A renewal landed a second time, over a later one: a newcomer that did not look meanwhile sees no change."""
        self.violation(f"renewal {record.renewals} of {machine.id} was brought back by a request that was sent again")

    def overwritten(self, before: LeaseRecord, after: LeaseRecord) -> None:
        """One file, two records."""
        if after.generation < before.generation:
            self.violation(
                f"generation {after.generation} of {after.instance_id} overwrote {before.generation} of "
                f"{before.instance_id}"
            )

    def shooting(self, by: Machine, target: Machine) -> None:
        """`by` asks EC2 to terminate `target`, now."""
        now = self._frame.engine.now
        self._frame.tell(f"{by.id} has {target.id} terminated")
        self._leaves_its_own(by, "shoots")
        if by.refused_s is not None and now - by.refused_s < 0.5 * REFUSAL_HOLDS_S:
            self.violation(
                f"{by.id} asks again to terminate {target.id}, which EC2 refused {now - by.refused_s:.1f} s ago"
            )
        if by.leaving_from_s is not None and now > by.leaving_from_s + 10.0:
            self.violation(f"{by.id}, which the group is ending, shot {target.id}")
        record = self.files.files.get(self.files.highest)
        is_holder = record is not None and record.instance_id == target.id and not record.is_released
        is_renewing = now - target.renewal_landed_s < target.timing.lease_duration_s
        is_at_work = target.is_executing and target.hold is not None and not target.guard.memory.is_over
        if is_holder and is_renewing and is_at_work and self.cloud.is_counted(target):
            self.violation(f"{by.id} shot {target.id}, a healthy holder that the group counts")

    def record_moved(self, before: int, after: int) -> None:
        if after < before and not self.files.was_restored:
            self.violation(f"the record went back from generation {before} to generation {after}")

    def detached(self, owner: Machine, by: Machine) -> None:
        """The network interface of `owner` is detached by `by`."""
        if owner is by and owner.hold is not None and not owner.has_asked_to_let_go:
            self.violation(f"{by.id} detached its network interface before it released its lease")
        if owner is not by and owner.is_up:
            self.violation(f"{by.id} took the network interface from {owner.id}, which runs")
