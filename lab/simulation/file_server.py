"""The lease directory as an NFS client meets it: late writes, lost replies, repeated requests, torn reads.

Guarantees: what a hard mount does: a request that cannot be sent is repeated by the kernel until it lands, even after
the process that made it has given up; one whose answer was lost is repeated too and then meets its own effect (EEXIST).
Each operation does what bootstrap.lease.child does with the files, and its answer has the same shape.
Does not: model the data file system; lab.simulation.machine keeps what of it matters (mounted, dirty).
"""

from __future__ import annotations

import random
from typing import Any

from bootstrap.lease.rules.last_writer import FLOOR
from bootstrap.lease.rules.record import LeaseRecord, file_name
from lab.simulation.engine import Reply
from lab.simulation.frame import Frame
from lab.simulation.judge import Judge
from lab.simulation.machine import Machine
from lab.simulation.quick import parsed

CONVERGE_S = 0.5  # how long two mount targets may disagree after a fail-over (fault "split")
SHORTEST_WAY_S, LONGEST_WAY_S = 0.002, 0.04
LOST = 0.5  # share of replies that do not arrive (fault "lost_replies")
LOST_REQUEST = 0.2  # of requests: these are performed for the first time when they are repeated
REPEAT_S = ((0.2, 3.0), (0.2, 3.0), (3.0, 60.0))  # when the kernel sends a request again that was not answered
WRITES = ("publish", "rewrite")
CACHE_S = 60.0  # attribute cache of a mount without noac (defect "cached-look")
Answer = dict[str, Any]


class Request:
    """One request of one kernel, from its sending to its reply."""

    __slots__ = (
        "_engine",
        "_is_performed",
        "_reply",
        "_result",
        "_server",
        "attempt",
        "epoch",
        "given_up_s",
        "machine",
        "name",
        "sent_s",
        "text",
        "verb",
    )

    _reply: Reply
    _result: Answer

    def __init__(self, server: FileServer, machine: Machine, timeout_s: float, wanted: dict[str, Any]) -> None:
        engine = machine.engine
        self._server, self._engine = server, engine
        self.machine = machine
        self.epoch = machine.epoch
        self.verb: str = wanted["verb"]
        self.name: str = wanted.get("name", "")
        self.text: str = wanted.get("text", "")
        self.sent_s = engine.now
        self.given_up_s = engine.now + timeout_s / machine.clock.rate
        self.attempt = server.next_attempt(self)
        self._is_performed = False

    def send(self, reply: Reply) -> None:
        """Have it performed, sooner or later, perhaps twice; `reply` with its (last) result."""
        self._reply = reply
        self._engine.after(_way_s(self._engine.rng), self._arrive)

    def _repeat(self) -> None:
        machine = self.machine
        if machine.epoch != self.epoch:
            return  # the kernel that would have repeated it is gone
        if machine.clock.is_paused:
            machine.clock.park(is_timer=False, call=self._repeat, arguments=())
            return
        self._arrive()

    def _arrive(self) -> None:
        engine, machine, server = self._engine, self.machine, self._server
        now, rng, met = engine.now, engine.rng, server.met
        again_s = server.again_s(machine)
        if again_s is not None:
            engine.at(again_s, self._repeat)
            return
        if now > self.given_up_s and not self._is_performed and self.verb in WRITES:
            met["late write"] += 1
        self._is_performed = True
        self._result = server.look(machine) if self.verb == "look" else server.perform(self)
        if now < server.lossy_until_s and rng.random() < LOST:
            met["lost reply of the file server"] += 1
            engine.after(rng.uniform(*rng.choice(REPEAT_S)), self._repeat)
            return
        is_slow = now < machine.slow_until_s and rng.random() < 0.5
        slow_s = rng.uniform(0.0, machine.slow_s) if is_slow else 0.0
        engine.after(_way_s(rng) + slow_s, self._back)

    def _back(self) -> None:
        machine, server = self.machine, self._server
        if machine.epoch != self.epoch:
            return
        if machine.is_cut:
            self._engine.at(server.heals_at(machine) + self._engine.rng.uniform(0.0, 1.0), self._repeat)
            return
        if self.verb not in WRITES and self._result["text"] not in ("{", server.texts.get(server.highest, "")):
            server.met["stale read"] += 1
        self._reply(self._result)


def _way_s(rng: random.Random) -> float:
    """How long a request or a reply takes: as rng.uniform would say, which is slower."""
    return SHORTEST_WAY_S + (LONGEST_WAY_S - SHORTEST_WAY_S) * rng.random()


class FileServer:
    """Generation files and the faults between them and each machine."""

    def __init__(self, frame: Frame, judge: Judge) -> None:
        self._frame = frame
        self._engine = frame.engine
        self.met = frame.met
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
        self.writers: dict[int, str] = {}  # beside the data: the record of who has written to them, by generation
        self.was_restored = False
        self._cache: dict[str, tuple[float, Answer]] = {}

    def restore(self, kept: int) -> None:
        """Somebody puts the lease directory back to a state in which `kept` was the highest generation, perhaps 0."""
        self.was_restored = True
        self.met["lease directory restored"] += 1
        for number in [number for number in self.files if number > kept]:
            del self.files[number], self.texts[number], self.created_s[number]
        self._names = [file_name(known) for known in self.texts]
        self.highest = max(self.files, default=0)

    def next_attempt(self, request: Request) -> int:
        """The number of `request`. Perhaps the kernel sends it once more, because it never saw the reply."""
        self._attempts += 1
        if request.verb == "rewrite" and self.sent_again_s:
            again_s = self.sent_again_s.pop(request.machine.boot_id, None)
            if again_s is not None:
                self._engine.at(again_s, self._again, request)
        return self._attempts

    def again_s(self, machine: Machine) -> float | None:
        """When a request that is sent now has to be sent again; None where it arrives."""
        now, rng = self._engine.now, self._engine.rng
        if machine.is_cut:
            self.met["partition from the file system"] += machine.file_system_cut_until_s > now
            return self.heals_at(machine) + rng.uniform(0.0, 1.0)
        if now < self.lossy_until_s and rng.random() < LOST_REQUEST:
            return now + rng.uniform(*rng.choice(REPEAT_S))
        return None

    def heals_at(self, machine: Machine) -> float:
        return max(self._frame.files_down_until_s, machine.file_system_cut_until_s)

    def perform(self, request: Request) -> Answer:
        if request.verb == "rewrite":
            return self._rewrite(request)
        if request.verb == "publish":
            return self._publish(request)
        if request.verb == "read":
            return {"text": self._visible(request.machine, int(request.name.rpartition("-")[2]))}
        return {"deleted": 0, "text": ""}  # prune: no run has as many generations as are kept

    def _again(self, request: Request) -> None:
        if request.machine.epoch == request.epoch:
            self._rewrite(request)

    def look(self, machine: Machine) -> Answer:
        """All names, and the content of the highest, as this machine sees them now."""
        now = self._engine.now
        machine.look_performed_s = now
        if self._is_cached:
            until_s, cached = self._cache.get(machine.boot_id, (-1.0, {}))
            if now < until_s:
                return cached
        text = "{" if now < self.torn_until_s else self._visible(machine, self.highest)
        answer = {"names": self._names, "text": text if self.highest else ""}
        if self._is_cached:
            self._cache[machine.boot_id] = (now + CACHE_S, answer)
        return answer

    def _visible(self, machine: Machine, generation: int) -> str:
        own = machine.split_files.get(generation) if machine.split_files else None
        if own and self._engine.now < self.created_s.get(generation, -CONVERGE_S) + CONVERGE_S:
            return own
        return self.texts.get(generation, "")

    def _publish(self, request: Request) -> Answer:
        """link(): the name exists already, or the file is there from now on."""
        machine, text = request.machine, request.text
        if self._is_cached:
            self._cache.pop(machine.boot_id, None)  # a client sees its own changes
        number = int(request.name.rpartition("-")[2])
        record = parsed(text, number)
        assert record is not None, text
        if self._is_overwriting or number not in self.files:
            self._put(machine, record, text)
            self.met["floor"] += record.ground == FLOOR
            self._judge.landed(machine, record, request.sent_s)
        else:
            is_other = self.files[number].nonce != record.nonce
            if is_other and self._engine.now < min(self.split_until_s, self.created_s[number] + CONVERGE_S):
                machine.split_files[number] = text  # acknowledged by another mount target, and taken back later
            self.met["EEXIST of one's own link"] += not is_other
        return {"text": self._visible(machine, number), "error": ""}

    def _rewrite(self, request: Request) -> Answer:
        """rename() of a temporary file over the own one; sent again after it was performed, it finds nothing there."""
        machine, text, attempt = request.machine, request.text, request.attempt
        if self._is_cached:
            self._cache.pop(machine.boot_id, None)
        number = int(request.name.rpartition("-")[2])
        if attempt in self._renamed and not self._is_in_place:
            self.met["rename sent again"] += 1
        elif number not in self.files:
            return {"text": "", "error": f"{request.name} is gone"}
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
