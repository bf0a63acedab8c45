"""Events in order of time, and greenlets that wait for a clock, an event or an answer.

For: the simulated world. The code that ships runs in greenlets, unchanged: wherever it waits, the engine goes on with
whatever happens next. Guarantees: one seed, one history; a process of a paused guest is not resumed before the guest
wakes; a timer counts the guest's own clock, which may run fast or slow, or stand still while the guest is paused.
Does not: know what the processes do.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from functools import partial
from typing import Any

from greenlet import GreenletExit, getcurrent, greenlet

TIMED_OUT = object()
SET = object()
FOREVER_S = float("inf")
SHORTEST_S = 1e-4
WAKE_JITTER_S = 0.05  # after a pause: who runs first is not determined
LATE_JITTER_S = 0.8
Reply = Callable[[Any], None]


class Engine:
    """The queue of events. All times are true time, in seconds."""

    def __init__(self, rng: random.Random) -> None:
        self.now = 0.0
        self.rng = rng
        self.running: Process | None = None
        self.hub = getcurrent()
        self._queue: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def at(self, when_s: float, call: Callable[..., None], *arguments: Any) -> None:
        self._count += 1
        heapq.heappush(self._queue, (when_s, self._count, call, arguments))

    def after(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        self._count += 1
        heapq.heappush(self._queue, (self.now + seconds, self._count, call, arguments))

    def run(self, is_over: Callable[[], bool], until_s: float) -> None:
        queue = self._queue
        while queue and queue[0][0] <= until_s:
            self.now, _, call, arguments = heapq.heappop(queue)
            call(*arguments)
            if is_over():
                return

    def wait(self, seconds: float, send: Callable[[Reply], None] | None = None) -> Any:
        """Called by a process: what `send` is replied, or TIMED_OUT after `seconds` on the guest's own clock."""
        assert self.running is not None
        return self.running.wait(seconds, send)


class GuestClock:
    """The monotonic clock of a guest and its pauses."""

    def __init__(self, engine: Engine, rate: float) -> None:
        self._engine = engine
        self.rate = rate
        self.frozen_s = 0.0
        self.is_paused = False
        self.paused_at_s = -1.0
        self.woke_at_s = -1.0
        self.thawed_at_s = -1e9
        self._is_freezing = False
        self._parked: list[tuple[float, bool, Callable[..., None], tuple[Any, ...]]] = []

    def read(self) -> float:
        return self.rate * (self._engine.now - self.frozen_s)

    def pause(self, *, is_clock_frozen: bool) -> None:
        self.is_paused, self._is_freezing, self.paused_at_s = True, is_clock_frozen, self._engine.now

    def wake(self) -> None:
        if not self.is_paused:
            return
        engine, shift_s = self._engine, self._engine.now - self.paused_at_s
        self.is_paused, self.woke_at_s = False, engine.now
        if self._is_freezing:
            self.frozen_s += shift_s
            self.thawed_at_s = engine.now
        for due_s, is_timer, call, arguments in self._parked:
            late_s = due_s + shift_s if is_timer and self._is_freezing else engine.now
            jitter_s = engine.rng.uniform(0.0, WAKE_JITTER_S if engine.rng.random() < 0.7 else LATE_JITTER_S)
            engine.at(max(late_s, engine.now) + jitter_s, call, *arguments)
        self._parked.clear()

    def park(self, *, is_timer: bool, call: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._parked.append((self._engine.now, is_timer, call, arguments))


class Signal:
    """bootstrap.base.threads.Event for processes of the engine."""

    __slots__ = ("_engine", "_is_set", "_waiting")

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._is_set = False
        self._waiting: list[Reply] = []

    def is_set(self) -> bool:
        return self._is_set

    def set(self) -> None:
        self._is_set = True
        if self._waiting:
            waiting, self._waiting = self._waiting, []
            for reply in waiting:
                self._engine.after(0.0, reply, SET)

    def clear(self) -> None:
        self._is_set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Called by a process: whether it is set, after at most `timeout` seconds on the guest's own clock."""
        if not self._is_set:
            self._engine.wait(FOREVER_S if timeout is None else timeout, self._waiting.append)
        return self._is_set


class Process:
    """One thread of one guest, as a greenlet."""

    __slots__ = (
        "_call",
        "_clock",
        "_ended",
        "_engine",
        "_greenlet",
        "_token",
        "is_alive",
        "look_sent_s",
        "stopped_until_s",
    )

    def __init__(self, engine: Engine, clock: GuestClock, call: Callable[[], None], delay_s: float = 0.0) -> None:
        self._engine = engine
        self._clock = clock
        self._call = call
        self._greenlet = greenlet(self._body, engine.hub)
        self._token = 0
        self.is_alive = True
        self._ended: Signal | None = None
        self.stopped_until_s = -1.0  # SIGSTOP
        self.look_sent_s: float | None = None  # for the checker: its look at the lease directory, in true time
        self._timer(delay_s, None)

    def kill(self) -> None:
        self.is_alive = False

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, for at most `timeout` seconds of the guest's clock."""
        if self.is_alive:
            self._ended = self._ended or Signal(self._engine)
            self._ended.wait(timeout)

    def poke(self, delay_s: float = 0.0) -> None:
        """End its present sleep early."""
        self._engine.after(delay_s, self._wake, self._token, None, None)

    def wait(self, seconds: float, send: Callable[[Reply], None] | None) -> Any:
        """Called by this process itself. Never waits for nothing, or rounding would let time stand still."""
        if not self.is_alive:
            raise GreenletExit  # it was killed, and its stack is being cleared away
        self._timer(seconds if seconds > SHORTEST_S else SHORTEST_S, TIMED_OUT)
        if send is not None:
            send(partial(self._answered, self._token))
        return self._engine.hub.switch()

    def _body(self) -> None:
        self._call()
        self.is_alive = False
        if self._ended is not None:
            self._ended.set()

    def _timer(self, seconds: float, value: Any) -> None:
        if seconds != FOREVER_S:
            mark = self._clock.frozen_s
            self._engine.after(seconds / self._clock.rate, self._wake, self._token, value, mark)

    def _answered(self, token: int, value: Any) -> None:
        self._wake(token, value, None)

    def _wake(self, token: int, value: Any, mark: float | None) -> None:
        if token != self._token or not self.is_alive:
            return
        engine, clock = self._engine, self._clock
        if clock.is_paused:
            # Its own later freeze is accounted for when the guest wakes: the mark must be that of then.
            clock.park(is_timer=mark is not None, call=self._resume, arguments=(token, value))
            return
        if mark is not None and clock.frozen_s > mark:
            engine.after(clock.frozen_s - mark, self._wake, token, value, clock.frozen_s)
            return
        self._resume(token, value)

    def _resume(self, token: int, value: Any) -> None:
        if token != self._token or not self.is_alive:
            return
        engine = self._engine
        if self._clock.is_paused:
            self._clock.park(is_timer=False, call=self._resume, arguments=(token, value))
            return
        if engine.now < self.stopped_until_s:
            engine.at(self.stopped_until_s, self._resume, token, value)
            return
        self._token += 1
        engine.running = self
        self._greenlet.switch(value) if self._greenlet else self._greenlet.switch()
        engine.running = None
