"""The monotonic clock of a guest and its pauses.

For: the engine, whose timers count it, and lab.simulation.machine. Guarantees: it may run fast or slow, or stand still
while the guest is paused; what is due to a paused guest happens after it wakes, in an order that is not determined.
Does not: pause anybody.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any, Protocol

WAKE_JITTER_S = 0.05  # after a pause: who runs first is not determined
LATE_JITTER_S = 0.8


class Events(Protocol):
    """engine.Engine, in true time."""

    now: float
    rng: random.Random

    def at(self, when_s: float, call: Callable[..., None], *arguments: Any) -> None: ...


class GuestClock:
    """In seconds since the start of the run, as the guest counts them."""

    def __init__(self, events: Events, rate: float) -> None:
        self._events = events
        self.rate = rate
        self.frozen_s = 0.0
        self.is_paused = False
        self.paused_at_s = -1.0
        self.woke_at_s = -1.0
        self.thawed_at_s = -1e9
        self._is_freezing = False
        self._parked: list[tuple[float, bool, Callable[..., None], tuple[Any, ...]]] = []

    def read(self) -> float:
        return self.rate * (self._events.now - self.frozen_s)

    def pause(self, *, is_clock_frozen: bool) -> None:
        self.is_paused, self._is_freezing, self.paused_at_s = True, is_clock_frozen, self._events.now

    def wake(self) -> None:
        if not self.is_paused:
            return
        events, shift_s = self._events, self._events.now - self.paused_at_s
        self.is_paused, self.woke_at_s = False, events.now
        if self._is_freezing:
            self.frozen_s += shift_s
            self.thawed_at_s = events.now
        for due_s, is_timer, call, arguments in self._parked:
            late_s = due_s + shift_s if is_timer and self._is_freezing else events.now
            jitter_s = events.rng.uniform(0.0, WAKE_JITTER_S if events.rng.random() < 0.7 else LATE_JITTER_S)
            events.at(max(late_s, events.now) + jitter_s, call, *arguments)
        self._parked.clear()

    def park(self, *, is_timer: bool, call: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._parked.append((self._events.now, is_timer, call, arguments))
