"""A clock that jumps instead of sleeping."""

import random
import threading
from collections.abc import Callable

from bootstrap.base.clock import Deadline, StopRequest


class FakeClock:
    """Jumps instead of sleeping. Its wall clock is set an hour forward or back before each look. `at` runs something
    when the clock passes a moment."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._hours = 12
        self.waits: list[float] = []
        self._due: list[tuple[float, Callable[[], None]]] = []

    def monotonic(self) -> float:
        return self.now_s

    def wait(self, event: threading.Event, timeout_s: float) -> bool:
        if not event.is_set():
            self.waits.append(timeout_s)
            self.advance(timeout_s)
        return event.is_set()

    def sleep(self, seconds: float) -> None:
        self.advance(seconds)

    def utc_text(self) -> str:
        self._hours += random.choice((-1, 1))
        return f"2026-01-01T{self._hours % 24:02}:00:00.000Z"

    def advance(self, seconds: float) -> None:
        self.now_s += seconds
        for moment, act in sorted(self._due, key=lambda item: item[0]):
            if moment <= self.now_s:
                self._due.remove((moment, act))
                act()

    def at(self, after_s: float, act: Callable[[], None]) -> None:
        self._due.append((self.now_s + after_s, act))

    def deadline(self, seconds: float = 60.0, stop: StopRequest | None = None) -> Deadline:
        return Deadline(self, seconds, "test", stop)
