"""The lease directory as an NFS client meets it: late writes, lost replies, repeated requests, torn reads.

Guarantees: what a hard mount does: a request that cannot be sent is repeated by the kernel until it lands, even after
the process that made it has given up; one whose answer was lost is repeated too and then meets its own effect (EEXIST).
Each operation does what bootstrap.lease.child does with the files, and its answer has the same shape.
Does not: model the data file system; lab.simulation.machine keeps what of it matters (mounted, dirty).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

from bootstrap.lease.rules.record import LeaseRecord, file_name, parse_record
from lab.simulation.engine import Reply
from lab.simulation.frame import Frame
from lab.simulation.judge import Judge
from lab.simulation.machine import Machine

CONVERGE_S = 0.5  # how long two mount targets may disagree after a fail-over (fault "split")
LOST = 0.5  # share of replies that do not arrive (fault "lost_replies")
LOST_REQUEST = 0.2  # of requests: these are performed for the first time when they are repeated
REPEAT_S = ((0.2, 3.0), (0.2, 3.0), (3.0, 60.0))  # when the kernel sends a request again that was not answered
CACHE_S = 60.0  # attribute cache of a mount without noac (defect "cached-look")
Answer = dict[str, Any]

# The same text is parsed by holder, newcomer and checker: parsing is pure, so each text is parsed once.
parsed = lru_cache(maxsize=256)(parse_record)


class _Request:
    """One request of one kernel, from its sending to its reply."""

    __slots__ = ("epoch", "given_up_s", "is_performed", "is_write", "machine", "operation", "reply")

    def __init__(
        self,
        machine: Machine,
        timeout_s: float,
        operation: Callable[[], Answer],
        reply: Reply,
        now_s: float,
        *,
        is_write: bool,
    ) -> None:
        self.machine = machine
        self.epoch = machine.epoch
        self.operation = operation
        self.reply = reply
        self.given_up_s = now_s + timeout_s / machine.clock.rate
        self.is_write = is_write
        self.is_performed = False


class FileServer:
    """Generation files and the faults between them and each machine."""

    def __init__(self, frame: Frame, judge: Judge) -> None:
        self._frame = frame
        self._engine = frame.engine
        self._judge = judge
        self._has_one_file = "one-record" in frame.defects
        self._is_overwriting = bool(frame.defects & {"one-record", "generation-reused"})
        self._is_in_place = "renewed-in-place" in frame.defects
        self._is_cached = "cached-look" in frame.defects
        self.files: dict[int, LeaseRecord] = {}
        self.texts: dict[int, str] = {}
        self.highest = 0
        self.torn_until_s = -1.0
        self.split_until_s = -1.0
        self.lossy_until_s = -1.0
        self.sent_again_s: dict[str, float] = {}  # by boot: when the next renewal is sent once more
        self.created_s: dict[int, float] = {}
        self._renamed: set[int] = set()  # each attempt writes a temporary file of its own, and renames it once
        self._attempts = 0
        self._names: list[str] = []
        self._cache: dict[str, tuple[float, Answer]] = {}

    def request(
        self,
        machine: Machine,
        timeout_s: float,
        operation: Callable[[], Answer],
        reply: Reply,
        *,
        is_write: bool = False,
    ) -> None:
        """Perform `operation` on the server, sooner or later, perhaps twice; `reply` with its (last) result."""
        request = _Request(machine, timeout_s, operation, reply, self._engine.now, is_write=is_write)
        self._engine.after(self._engine.rng.uniform(0.002, 0.04), self._arrive, request)

    def _repeat(self, request: _Request) -> None:
        machine = request.machine
        if machine.epoch != request.epoch:
            return  # the kernel that would have repeated it is gone
        if machine.clock.is_paused:
            machine.clock.park(is_timer=False, call=self._repeat, arguments=(request,))
            return
        self._arrive(request)

    def _arrive(self, request: _Request) -> None:
        engine, rng, machine = self._engine, self._engine.rng, request.machine
        again_s = self._comes_through_at(machine)
        if again_s > engine.now:
            engine.at(again_s, self._repeat, request)
            return
        if request.is_write and not request.is_performed and engine.now > request.given_up_s:
            self._frame.met["late write"] += 1
        request.is_performed = True
        result = request.operation()
        if engine.now < self.lossy_until_s and rng.random() < LOST:
            self._frame.met["lost reply of the file server"] += 1
            engine.after(rng.uniform(*rng.choice(REPEAT_S)), self._repeat, request)
            return
        is_slow = engine.now < machine.slow_until_s and rng.random() < 0.5
        slow_s = rng.uniform(0.0, machine.slow_s) if is_slow else 0.0
        engine.after(rng.uniform(0.002, 0.04) + slow_s, self._back, request, result)

    def _back(self, request: _Request, result: Answer) -> None:
        machine = request.machine
        if machine.epoch != request.epoch:
            return
        heal_s = self._heals_at(machine)
        if heal_s > self._engine.now:
            self._engine.at(heal_s + self._engine.rng.uniform(0.0, 1.0), self._repeat, request)
            return
        if not request.is_write and result["text"] not in ("{", self.texts.get(self.highest, "")):
            self._frame.met["stale read"] += 1
        request.reply(result)

    def _comes_through_at(self, machine: Machine) -> float:
        """When a request that is sent now has to be sent again; now, where it arrives."""
        now, rng = self._engine.now, self._engine.rng
        heal_s = self._heals_at(machine)
        if heal_s > now:
            self._frame.met["partition from the file system"] += machine.file_system_cut_until_s > now
            return heal_s + rng.uniform(0.0, 1.0)
        if now < self.lossy_until_s and rng.random() < LOST_REQUEST:
            return now + rng.uniform(*rng.choice(REPEAT_S))
        return now

    def _heals_at(self, machine: Machine) -> float:
        return max(self._frame.files_down_until_s, machine.file_system_cut_until_s)

    def operation(self, machine: Machine, verb: str, name: str, text: str) -> Callable[[], Answer]:
        """What the server does for one request of `machine`."""
        sent_s = self._engine.now
        self._attempts += 1
        attempt = self._attempts
        if verb == "look":
            return lambda: self._look(machine)
        if verb == "publish":
            return lambda: self._publish(machine, name, text, sent_s)
        if verb == "rewrite":
            again_s = self.sent_again_s.pop(machine.boot_id, None)
            if again_s is not None:
                self._engine.at(again_s, self._again, machine, machine.epoch, name, text, attempt)
            return lambda: self._rewrite(machine, name, text, attempt)
        return lambda: {"deleted": 0, "text": ""}  # prune: no run has as many generations as are kept

    def _again(self, machine: Machine, epoch: int, name: str, text: str, attempt: int) -> None:
        """The kernel sends a request once more, whose reply it never saw."""
        if machine.epoch == epoch:
            self._rewrite(machine, name, text, attempt)

    def _look(self, machine: Machine) -> Answer:
        """All names, and the content of the highest, as this machine sees them now."""
        now = self._engine.now
        machine.look_performed_s = now
        until_s, cached = self._cache.get(machine.boot_id, (-1.0, {}))
        if now < until_s:
            return cached
        text = "{" if now < self.torn_until_s else self._visible(machine, self.highest)
        answer = {"names": self._names, "text": text if self.highest else ""}
        if self._is_cached:
            self._cache[machine.boot_id] = (now + CACHE_S, answer)
        return answer

    def _visible(self, machine: Machine, generation: int) -> str:
        own = machine.split_files.get(generation)
        if own and self._engine.now < self.created_s[generation] + CONVERGE_S:
            return own
        return self.texts.get(generation, "")

    def _publish(self, machine: Machine, name: str, text: str, sent_s: float) -> Answer:
        """link(): the name exists already, or the file is there from now on."""
        self._cache.pop(machine.boot_id, None)  # a client sees its own changes
        number = int(name.rpartition("-")[2])
        record = parsed(text, number)
        assert record is not None, text
        if self._is_overwriting or number not in self.files:
            self._put(machine, record, text)
            self._judge.landed(machine, record, sent_s)
        else:
            is_other = self.files[number].nonce != record.nonce
            if is_other and self._engine.now < min(self.split_until_s, self.created_s[number] + CONVERGE_S):
                machine.split_files[number] = text  # acknowledged by another mount target, and taken back later
            self._frame.met["EEXIST of one's own link"] += not is_other
        return {"text": self._visible(machine, number), "error": ""}

    def _rewrite(self, machine: Machine, name: str, text: str, attempt: int) -> Answer:
        """rename() of a temporary file over the own one; sent again after it was performed, it finds nothing there."""
        self._cache.pop(machine.boot_id, None)
        number = int(name.rpartition("-")[2])
        if attempt in self._renamed and not self._is_in_place:
            self._frame.met["rename sent again"] += 1
        elif number not in self.files:
            return {"text": "", "error": f"{name} is gone"}
        else:
            record = parsed(text, number)
            assert record is not None, text
            if attempt in self._renamed and self.files[number].renewals > record.renewals:
                self._judge.brought_back(machine, record)
            self._renamed.add(attempt)
            if self.texts[number] != text:
                machine.renewal_landed_s = self._engine.now
            self._put(machine, record, text)
            if record.is_released:
                self._judge.released(record)
        return {"text": self._visible(machine, number), "error": ""}

    def _put(self, machine: Machine, record: LeaseRecord, text: str) -> None:
        number = record.generation
        if self._has_one_file and self.files and number != self.highest:
            self._judge.overwritten(self.files[self.highest], record)
            self.files.clear()
            self.texts.clear()
            self.highest = 0
        if number not in self.files:
            machine.renewal_landed_s = self._engine.now
        self.files[number], self.texts[number] = record, text
        if number not in self.created_s or self._has_one_file:
            self.created_s.setdefault(number, self._engine.now)
            self._names = [file_name(known) for known in self.texts]
        self.highest = max(self.highest, number)
