"""Events in order of time, and greenlets that wait for a clock, an event or an answer.

For: the simulated world. The code that ships runs in greenlets, unchanged: wherever it waits, the engine goes on with
whatever happens next. Guarantees: one seed, one history; a process of a paused guest is not resumed before the guest
wakes; a timer counts the guest's own clock. Does not: know what the processes do.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from functools import partial
from heapq import heappop, heappush
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

from lab.simulation.guest_clock import GuestClock

TIMED_OUT = object()
SET = object()
FOREVER_S = float("inf")
SHORTEST_S = 1e-4
Reply = Callable[[Any], None]


class _Over(Exception):
    """Nothing happens any more."""


class Engine:
    """The queue of events. All times are true time, in seconds.

    Whoever waits lets the next things happen, until one of them wakes a process: so a process that is woken first
    goes on without a switch. A greenlet whose process has ended carries the next one: a new greenlet costs more than
    all else of a process.
    """

    def __init__(self, rng: random.Random) -> None:
        self.now = 0.0
        self.rng = rng
        self.running: Process | None = None
        self._hub = getcurrent()
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._count = 0
        self._is_ended = False
        self.woken: Process | None = None  # by the present event, at most one
        self.word: Any = None  # what its wait returns
        self._carriers: list[greenlet] = []
        self._idle: list[greenlet] = []

    def at(self, when_s: float, call: Callable[..., None], *arguments: Any) -> None:
        self._count += 1
        heappush(self._queue, (when_s, self._count, partial(call, *arguments) if arguments else call))

    def after(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        self._count += 1
        heappush(self._queue, (self.now + seconds, self._count, partial(call, *arguments) if arguments else call))

    def run(self, until_s: float) -> bool:
        """Let everything happen until somebody calls `end`, and say True, or until `until_s`."""
        self.at(until_s, self._over)
        while (process := self._next()) is not None:
            self._switch_to(process)
        return self._is_ended

    def end(self) -> None:
        """Nothing happens after the present event."""
        if not self._is_ended:
            self._is_ended = True
            heappush(self._queue, (self.now, 0, self._over))  # before all others of this moment

    def _over(self) -> None:
        heappush(self._queue, (self.now, 0, self._over))  # and so it stays
        raise _Over

    def close(self) -> None:
        """Clear all stacks away: the garbage collector does not see into a greenlet that waits."""
        self._queue.clear()
        self.running = None
        for carrier in self._carriers:
            carrier.throw()
        self._carriers.clear()
        self._idle.clear()

    def wait(self, seconds: float, send: Callable[[Reply], None] | None = None) -> Any:
        """Called by a process: what `send` is replied, or TIMED_OUT after `seconds` on the guest's own clock. It never
        waits for nothing, or rounding would let time stand still."""
        process = self.running
        if process is None or not process.is_alive:
            raise GreenletExit  # it was killed, and its stack is being cleared away
        if seconds != FOREVER_S:
            process.set_timer(self.now + (seconds if seconds > SHORTEST_S else SHORTEST_S) / process.clock.rate)
        if send is not None:
            send(partial(process.resume, process.token))
        woken = self._next()
        if woken is not process:
            self._switch_to(woken)
        return self.word

    def _next(self) -> Process | None:
        """Let things happen until one wakes a process; None when all is over."""
        queue = self._queue
        self.running = None
        try:
            while self.woken is None:
                self.now, _, happens = heappop(queue)
                happens()
        except _Over:
            return None
        except Exception as error:
            # An error of the world is none of the process that waits, whose code may catch errors.
            if getcurrent() is not self._hub:
                self._hub.throw(error)
            raise
        self.running, self.woken = self.woken, None
        return self.running

    def _switch_to(self, process: Process | None) -> None:
        if process is None:
            self._hub.switch()
            return
        if process.carrier is None:
            process.carrier = self._idle.pop() if self._idle else self._new_carrier()
        process.carrier.switch()

    def _new_carrier(self) -> greenlet:
        carrier = greenlet(self._carry, self._hub)
        self._carriers.append(carrier)
        return carrier

    def _carry(self) -> None:
        """The body of a carrier: one process after another."""
        me = getcurrent()
        while True:
            assert self.running is not None
            self.running.run()
            process = self._next()
            if process is not None and process.carrier is None:
                process.carrier = me
                continue
            self._idle.append(me)
            self._switch_to(process)


class Signal:
    """bootstrap.base.threads.Event for processes of the engine."""

    __slots__ = ("_engine", "_is_set", "_waiting")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_set = False
        self._waiting: dict[Process, int] = {}  # and the number of its wait

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        if self._waiting:
            waiting, self._waiting = self._waiting, {}
            for process, token in waiting.items():
                self._engine.after(0.0, process.resume, token, SET)

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Called by a process: whether it is set, after at most `timeout` seconds on the guest's own clock."""
        if not self._is_set:
            process = self._engine.running
            if process is not None:
                self._waiting[process] = process.token
            self._engine.wait(FOREVER_S if timeout is None else timeout)
            self._waiting.pop(process, None)  # type: ignore[arg-type]
        return self._is_set

    def watch(self, period_s: float, is_calm: Callable[[], bool]) -> None:
        """Called by a process: look every `period_s` seconds on the guest's own clock, until it is set or not calm."""
        process = self._engine.running
        if process is not None:
            process.calm = (period_s, is_calm)
        self.wait(period_s)
        if process is not None:
            process.calm = None


class Process:
    """One thread of one guest, as a greenlet.

    A process has one timer. Most timers are time-outs that never pass, so a timer asks for an alarm in the queue only
    where none is due before it; an alarm that comes too early asks for the next one, where none is due before that.
    """

    __slots__ = (
        "_alarms",
        "_call",
        "_due_s",
        "_ended",
        "_engine",
        "_mark_s",
        "calm",
        "carrier",
        "clock",
        "is_alive",
        "look_sent_s",
        "stopped_until_s",
        "token",
    )

    def __init__(self, engine: Engine, clock: GuestClock, call: Callable[[], None]) -> None:
        self._engine = engine
        self.clock = clock
        self.token = 0  # of its present wait
        self._call = call
        self._due_s = FOREVER_S
        self._alarms = [FOREVER_S]  # in the queue, the earliest last
        self._mark_s = 0.0
        self._ended: Signal | None = None
        self.calm: tuple[float, Callable[[], bool]] | None = None  # period and look of a wait that may go on
        self.carrier: greenlet | None = None  # from its beginning on
        self.is_alive = True
        self.stopped_until_s = -1.0  # SIGSTOP
        self.look_sent_s: float | None = None  # for the checker: its look at the lease directory, in true time
        self.poke()

    def kill(self) -> None:
        self.is_alive = False

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, for at most `timeout` seconds of the guest's clock."""
        if self.is_alive:
            self._ended = self._ended or Signal(self._engine)
            self._ended.wait(timeout)

    def poke(self, delay_s: float = 0.0) -> None:
        """End its present sleep early."""
        self._engine.after(delay_s, self.resume, self.token, None)

    def set_timer(self, due_s: float) -> None:
        """Its wait ends at `due_s` of true time, or later by as much as its clock stands still until then."""
        self._due_s, self._mark_s = due_s, self.clock.frozen_s
        if due_s < self._alarms[-1]:
            self._alarms.append(due_s)
            self._engine.at(due_s, self._alarm)

    def run(self) -> None:
        """Called by its carrier."""
        call, self._call = self._call, _nothing  # what it calls may know this process: no circle for the collector
        call()
        self.is_alive = False
        if self._ended is not None:
            self._ended.set()

    def _alarm(self) -> None:
        self._alarms.pop()
        if self._due_s == FOREVER_S or not self.is_alive:
            return
        engine, clock = self._engine, self.clock
        if clock.frozen_s > self._mark_s:  # the clock stood still meanwhile
            self._due_s += clock.frozen_s - self._mark_s
            self._mark_s = clock.frozen_s
        if engine.now < self._due_s:
            self.set_timer(self._due_s)
            return
        self._due_s = FOREVER_S  # it has rung
        if clock.is_paused:
            clock.park(is_timer=True, call=self.resume, arguments=(self.token, TIMED_OUT))
        else:
            self.resume(self.token, TIMED_OUT)

    def resume(self, token: int, value: Any) -> None:
        """Go on after the wait of `token`, once, as soon as the guest executes and the process is not stopped."""
        if token != self.token or not self.is_alive:
            return
        engine = self._engine
        if self.clock.is_paused:
            self.clock.park(is_timer=False, call=self.resume, arguments=(token, value))
        elif engine.now < self.stopped_until_s:
            engine.at(self.stopped_until_s, self.resume, token, value)
        elif self.calm is not None and value is TIMED_OUT and self.calm[1]():
            self.set_timer(engine.now + self.calm[0] / self.clock.rate)  # it would look, and wait again
        else:
            self.token += 1
            self._due_s = FOREVER_S
            assert engine.woken is None, "one event wakes two processes"
            engine.woken, engine.word = self, value


def _nothing() -> None:
    """What a process calls that has begun."""
