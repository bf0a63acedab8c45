"""Time for the agent: one monotonic clock, deadlines with a reason, and the request to stop that ends every wait.

For: every wait in the agent goes through `Deadline.pause`, so each one is bounded, named and ends at once when the
agent is asked to stop. Guarantees: decisions use the monotonic clock only; wall time is text for people.
Does not: start threads or know what is waited for.
"""

from __future__ import annotations

import threading
import time
from datetime import UTC, datetime
from typing import Protocol

from bootstrap.base.errors import DeadlineExceeded, StopRequested
from bootstrap.base.threads import Event


class Clock(Protocol):
    """The only source of time. Tests inject one that jumps instead of sleeping."""

    def monotonic(self) -> float:
        """Seconds on a clock that never goes back."""

    def wait(self, event: Event, timeout_s: float) -> bool:
        """Wait until `event` is set or `timeout_s` has passed; whether it is set."""

    def utc_text(self) -> str:
        """Wall time for people, ISO 8601 with milliseconds."""


class SystemClock:
    """The machine's clocks. Monotonic is CLOCK_BOOTTIME: a lease runs out also while the machine is suspended, and the
    value means the same in every process of the machine (clock_gettime(2))."""

    def monotonic(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wait(self, event: Event, timeout_s: float) -> bool:
        return event.wait(timeout_s)

    def utc_text(self) -> str:
        return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class StopRequest:
    """A request to stop, with its cause. A request to the parent reaches the child, and not the reverse."""

    def __init__(self, event: Event | None = None) -> None:
        """`event` is set when the stop is requested."""
        self.event: Event = event or threading.Event()
        self.sentence = ""
        self._children: list[StopRequest] = []
        self._lock = threading.RLock()  # re-entrant: a signal may arrive while the main thread holds it

    @property
    def is_requested(self) -> bool:
        return self.event.is_set()

    def request(self, sentence: str) -> None:
        """Ask to stop; the first sentence is kept."""
        with self._lock:
            self.sentence = self.sentence or sentence
            children = list(self._children)
        self.event.set()
        for child in children:
            child.request(self.sentence)

    def child(self) -> StopRequest:
        """A request that this one also makes, and that can be made alone."""
        child = StopRequest()
        with self._lock:
            self._children.append(child)
        if self.is_requested:
            child.request(self.sentence)
        return child


class Deadline:
    """When one wait must be over, counted from now, and what it waits for."""

    def __init__(self, clock: Clock, seconds: float, reason: str, stop: StopRequest | None = None) -> None:
        self.clock = clock
        self.seconds = seconds
        self.reason = reason
        self.stop = stop or StopRequest()
        self.ends_s = clock.monotonic() + seconds

    @property
    def remaining_s(self) -> float:
        return max(0.0, self.ends_s - self.clock.monotonic())

    @property
    def is_past(self) -> bool:
        return self.clock.monotonic() >= self.ends_s

    def exceeded(self, seen: str = "") -> DeadlineExceeded:
        """The error that says what was waited for, how long, and what was seen last."""
        return DeadlineExceeded(f"{self.reason}: not done after {self.seconds:.0f} s", seen=seen)

    def check(self, seen: str = "") -> None:
        """Return while there is time. Raises StopRequested, or DeadlineExceeded with what was seen last."""
        if self.stop.is_requested:
            raise StopRequested(self.stop.sentence)
        if self.is_past:
            raise self.exceeded(seen)

    def pause(self, seconds: float, seen: str = "") -> None:
        """Wait `seconds`, but not beyond the deadline or a request to stop; then `check`."""
        self.check(seen)
        self.clock.wait(self.stop.event, min(seconds, self.remaining_s))
        self.check(seen)

    def within(self, seconds: float, reason: str) -> Deadline:
        """A deadline of `seconds` from now, and never later than this one."""
        return Deadline(self.clock, min(seconds, self.remaining_s), reason, self.stop)
