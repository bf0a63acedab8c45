"""What the agent of a simulated machine works with on the machine itself: clock, threads, lease worker, fence.

For: lab.simulation.agent. Each class stands where the agent has an adapter. Guarantees: a question ends with an answer
or, after its time-out on the guest's clock, as the adapter's own error. Does not: decide anything, or ask again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from bootstrap.base.errors import FenceError
from bootstrap.base.threads import Event
from bootstrap.fence.protocol import FenceAnswer, FenceRequest
from bootstrap.lease.rules.observation import NoAnswer
from bootstrap.lease.rules.record import LeaseRecord
from lab.simulation.engine import TIMED_OUT, Process, Signal
from lab.simulation.file_server import FileServer, parsed
from lab.simulation.judge import Judge
from lab.simulation.machine import Machine

MARKS = 8  # looks whose sending is remembered, in guest's and in true time


class GuestTime:
    """bootstrap.base.clock.Clock."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._read = machine.clock.read

    def monotonic(self) -> float:
        return self._read()

    def wait(self, event: Event, timeout_s: float) -> bool:
        if isinstance(event, Signal):
            return event.wait(timeout_s)
        self._machine.engine.wait(timeout_s)  # nobody sets the event of a deadline without a stop request
        return event.is_set()

    def utc_text(self) -> str:
        return ""


class GuestThreads:
    """bootstrap.base.threads.Threads."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def start(self, name: str, call: Callable[[], None]) -> Process:
        return self._machine.start(name, call)

    def event(self) -> Signal:
        return Signal(self._machine.engine)


class Worker:
    """bootstrap.lease.worker.LeaseWorker: one request at a time; who gave up on one kills the child, and the kernel may
    carry it out all the same."""

    def __init__(self, machine: Machine, files: FileServer, judge: Judge) -> None:
        self._machine = machine
        self._files = files
        self._judge = judge
        self.published: LeaseRecord | None = None  # what it last published, as it last tried to write it
        self._is_busy = False
        self._free = Signal(machine.engine)
        self._sent: deque[tuple[float, float]] = deque(maxlen=MARKS)

    def ask(self, timeout_s: float, **request: Any) -> dict[str, Any] | NoAnswer:
        machine = self._machine
        ends_s = machine.clock.read() + timeout_s
        if request["verb"] == "look":
            self._looks()
        while self._is_busy:
            left_s = ends_s - machine.clock.read()
            if left_s <= 0 or not self._free.wait(left_s):
                return NoAnswer(
                    reason=f"the lease directory is still busy with another request after {timeout_s:.0f} s"
                )
        self._is_busy = True
        self._free.clear()
        try:
            return self._exchange(ends_s - machine.clock.read(), request)
        finally:
            self._is_busy = False
            self._free.set()

    def sent_at_s(self, guest_s: float) -> float:
        """The true time of the look that was sent at `guest_s` of the guest's clock, or shortly after."""
        before = [true_s for at_s, true_s in self._sent if at_s <= guest_s + 1e-6]
        return before[-1] if before else self._machine.engine.now

    def _looks(self) -> None:
        engine = self._machine.engine
        self._judge.believed(self._machine)
        self._sent.append((self._machine.clock.read(), engine.now))
        if engine.running is not None:
            engine.running.look_sent_s = engine.now

    def _exchange(self, timeout_s: float, request: dict[str, Any]) -> dict[str, Any] | NoAnswer:
        machine, verb, name, text = self._machine, request["verb"], request.get("name", ""), request.get("text", "")
        if verb == "publish":
            record = parsed(text, int(name.rpartition("-")[2]))
            assert record is not None
            self.published = record
            self._judge.publishing(machine, record)
        elif verb == "rewrite":
            self.published = parsed(text, int(name.rpartition("-")[2]))
        operation = self._files.operation(machine, verb, name, text)
        is_write = verb in ("publish", "rewrite")
        answer = machine.engine.wait(
            timeout_s, lambda reply: self._files.request(machine, timeout_s, operation, reply, is_write=is_write)
        )
        if answer is TIMED_OUT:
            return NoAnswer(reason=f"the lease directory did not answer {verb} within {timeout_s:.0f} s")
        if verb == "look":
            machine.look_returned_s = machine.engine.now
            self._judge.looked(machine)
        found: dict[str, Any] = answer
        return found


class Fence:
    """bootstrap.fence.client.FenceClient: the guard answers at once, and a dead process not at all."""

    def __init__(self, machine: Machine, judge: Judge, worker: Worker) -> None:
        self._machine = machine
        self._judge = judge
        self._worker = worker

    def ask(self, request: FenceRequest) -> FenceAnswer:
        machine = self._machine
        if request.verb == "let-go":
            machine.has_asked_to_let_go = True
        if machine.fence is None:
            raise FenceError(f"the fence does not answer {request.verb}: it has ended")
        if request.verb == "hold" and machine.is_pausing_at_word:
            machine.pause_at_word()
            machine.engine.wait(0.0)
        before = machine.guard.memory
        answer = machine.guard.answer(request)
        if request.verb == "hold":
            self._judge.guarded(machine, before)
            if answer.is_accepted:
                self._judge.held(machine, request)
                sent_s = request.deadline_s - machine.timing.renew_deadline_s
                self._judge.confirmed(machine, self._worker.sent_at_s(sent_s))
        if request.verb != "look":
            machine.fence.poke()
        return answer
