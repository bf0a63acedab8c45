"""What the agent of a simulated machine works with on the machine itself: clock, threads, lease worker, data, fence.

For: lab.simulation.agent. Each class stands where the agent has an adapter. Guarantees: a question ends with an answer
or, after its time-out on the guest's clock, as the adapter's own error. Does not: decide anything, or ask again.
"""

from collections import deque
from collections.abc import Callable
from typing import Any

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import FenceError, MountError
from bootstrap.base.threads import Event
from bootstrap.fence.protocol import FenceAnswer, FenceRequest
from bootstrap.fence.rules import FenceMemory
from bootstrap.lease.rules.last_writer import FLOOR
from bootstrap.lease.rules.observation import NoAnswer
from bootstrap.lease.rules.record import LeaseRecord
from bootstrap.machine.writers import ALL
from lab.simulation.engine import TIMED_OUT, Process, Signal
from lab.simulation.file_server import FileServer, Request
from lab.simulation.judge import Judge
from lab.simulation.machine import Machine
from lab.simulation.quick import parsed

MARKS = 8  # looks whose sending is remembered, in guest's and in true time


class GuestTime:
    """bootstrap.base.clock.Clock."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.monotonic = machine.clock.read

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
        if request["verb"] == "look":
            self._looks()
        left_s = self._freed_within(timeout_s) if self._is_busy else timeout_s
        if left_s <= 0:
            return NoAnswer(reason=f"the lease directory is still busy with another request after {timeout_s:.0f} s")
        self._is_busy = True
        answer = self._exchange(left_s, request)
        self._is_busy = False
        self._free.set()
        return answer

    def _freed_within(self, timeout_s: float) -> float:
        """Wait for the request before; the seconds that are left then, at most 0 where it takes too long."""
        clock = self._machine.clock
        ends_s = clock.read() + timeout_s
        while self._is_busy and clock.read() < ends_s:
            self._free.clear()
            self._free.wait(ends_s - clock.read())
        return 0.0 if self._is_busy else ends_s - clock.read()

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
        machine, verb = self._machine, request["verb"]
        if verb in ("publish", "rewrite"):
            record = self.published = parsed(request["text"], int(request["name"].rpartition("-")[2]))
            if verb == "publish" and record is not None and record.ground != FLOOR:  # a floor is no claim
                self._judge.publishing(machine, record)
        answer = machine.engine.wait(timeout_s, Request(self._files, machine, timeout_s, request).send)
        if answer is TIMED_OUT:
            return NoAnswer(reason=f"the lease directory did not answer {verb} within {timeout_s:.0f} s")
        if verb == "look":
            machine.look_returned_s = machine.engine.now
            self._judge.looked(machine)
        found: dict[str, Any] = answer
        return found


class Writers:
    """bootstrap.machine.writers.DataWriters. Without a restored lease directory nothing depends on its time."""

    def __init__(self, machine: Machine, files: FileServer) -> None:
        self._machine = machine
        self._files = files

    def last(self, deadline: Deadline, below: int = ALL) -> tuple[int, str]:
        self._way()
        highest = max((number for number in self._files.writers if number < below), default=0)
        return highest, self._files.writers.get(highest, "")

    def enter(self, generation: int, text: str, deadline: Deadline) -> tuple[int, str]:
        def land() -> None:
            self._files.writers.setdefault(generation, text)

        self._way(land)
        land()
        return self.last(deadline)

    def _way(self, land: Callable[[], None] = lambda: None) -> None:
        """One way of a request; one that is cut off may `land` later."""
        machine, engine, epoch = self._machine, self._machine.engine, self._machine.epoch
        if machine.is_cut:
            engine.at(self._files.heals_at(machine), lambda: land() if machine.epoch == epoch else None)
            raise MountError("the data do not answer")
        if self._files.was_restored:
            engine.wait(engine.rng.uniform(0.002, 0.3))


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
            self._wake(machine.fence, before)
        return answer

    def _wake(self, process: Process, before: FenceMemory) -> None:
        """The process that has answered turns. Where its deadline was only put off, that turn is calm, and left out
        like those of lab.simulation.machine: it sleeps on until the deadline."""
        machine, after = self._machine, self._machine.guard.memory
        now_s = machine.clock.read()
        is_same = after.generation == before.generation and not after.is_over and not before.is_over
        if is_same and after.deadline_s is not None and before.deadline_s is not None and before.deadline_s > now_s:
            process.set_timer(machine.engine.now + (after.deadline_s - now_s) / machine.clock.rate)
        else:
            process.poke()
