"""Events in order of time, and processes that wait for a clock or for an answer.

For: the simulated world. A process is a generator; it yields `sleep` or `ask` and is resumed with what came of it.
Guarantees: one seed, one history; a process of a paused guest is not resumed before the guest wakes; a timer counts the
guest's own clock, which may run fast or slow, or stand still while the guest is paused.
Does not: know what the processes do.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable, Generator
from typing import Any

TIMED_OUT = object()
SHORTEST_S = 1e-4
WAKE_JITTER_S = 0.05  # after a pause: who runs first is not determined
LATE_JITTER_S = 0.8
Reply = Callable[[Any], None]
Request = tuple[float, Callable[[Reply], None] | None]
Body = Generator[Request, Any, Any]


def sleep(seconds: float) -> Request:
    """Seconds on the guest's own clock; never nothing, or rounding would let time stand still."""
    return (max(SHORTEST_S, seconds), None)


def ask(timeout_s: float, send: Callable[[Reply], None]) -> Request:
    """Send a request; the answer, or TIMED_OUT after `timeout_s` on the guest's own clock."""
    return (timeout_s, send)


class Engine:
    """The queue of events. All times are true time, in seconds."""

    def __init__(self, rng: random.Random) -> None:
        self.now = 0.0
        self.rng = rng
        self._queue: list[tuple[float, int, Callable[..., None], tuple[Any, ...]]] = []
        self._count = 0

    def at(self, when_s: float, call: Callable[..., None], *arguments: Any) -> None:
        self._count += 1
        heapq.heappush(self._queue, (when_s, self._count, call, arguments))

    def after(self, seconds: float, call: Callable[..., None], *arguments: Any) -> None:
        self.at(self.now + seconds, call, *arguments)

    def run(self, is_over: Callable[[], bool], until_s: float) -> None:
        queue = self._queue
        while queue and queue[0][0] <= until_s:
            self.now, _, call, arguments = heapq.heappop(queue)
            call(*arguments)
            if is_over():
                return


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


class Process:
    """One running generator on one guest."""

    def __init__(self, engine: Engine, clock: GuestClock, body: Body, delay_s: float = 0.0) -> None:
        self._engine = engine
        self._clock = clock
        self._body = body
        self._token = 0
        self.is_alive = True
        self.stopped_until_s = -1.0  # SIGSTOP
        self._timer(delay_s, None)

    def kill(self) -> None:
        self.is_alive = False

    def poke(self, delay_s: float = 0.0) -> None:
        """End its present sleep early."""
        self._engine.after(delay_s, self._wake, self._token, None, None)

    def _timer(self, seconds: float, value: Any) -> None:
        mark = self._clock.frozen_s
        self._engine.after(seconds / self._clock.rate, self._wake, self._token, value, mark)

    def _wake(self, token: int, value: Any, mark: float | None) -> None:
        if token != self._token or not self.is_alive:
            return
        engine, clock = self._engine, self._clock
        if clock.is_paused:
            # Its own later freeze is accounted for when the guest wakes: the mark must be that of then.
            clock.park(is_timer=mark is not None, call=self._wake_later, arguments=(token, value))
            return
        if mark is not None and clock.frozen_s > mark:
            engine.after(clock.frozen_s - mark, self._wake, token, value, clock.frozen_s)
            return
        self._wake_later(token, value)

    def _wake_later(self, token: int, value: Any) -> None:
        if token != self._token or not self.is_alive:
            return
        engine = self._engine
        if self._clock.is_paused:
            self._clock.park(is_timer=False, call=self._wake_later, arguments=(token, value))
            return
        if engine.now < self.stopped_until_s:
            engine.at(self.stopped_until_s, self._wake_later, token, value)
            return
        self._token += 1
        try:
            seconds, send = self._body.send(value)
        except StopIteration:
            self.is_alive = False
            return
        if send is None:
            self._timer(seconds, None)
            return
        mine = self._token
        self._timer(seconds, TIMED_OUT)
        send(lambda answer: self._wake(mine, answer, None))
