"""Writes the state parameter in the background.

For: report.py. Guarantees: a caller that offers a state never waits; the latest state wins; a failed write is repeated
with growing pauses and never fails the caller, and is a trouble after some minutes; a written state that was displaced
is written again.
Does not: know what a state means.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.errors import CloudError, StateNotWritten
from bootstrap.base.patience import Patience
from bootstrap.base.retry import Pauses
from bootstrap.base.state import State
from bootstrap.base.troubles import Troubles, Untold

log = logging.getLogger(__name__)

PAUSES = Pauses(first_s=5.0, longest_s=60.0)
# How long another instance's state may stand instead of that of the one that serves: soon after a change, when a former
# holder may still report, and 20 calls in an hour later.
REASSERTS = Pauses(first_s=20.0, longest_s=180.0)


class BackgroundWriter:
    """Writes the latest offered state, in a thread of its own."""

    def __init__(
        self,
        clock: Clock,
        write: Callable[[State], None],
        reassert: Callable[[State], None],
        troubles: Troubles = Untold(),  # noqa: B008 - it holds nothing
    ) -> None:
        """`write` writes a state; `reassert` writes the last one again if it was displaced. Both raise CloudError."""
        self._clock = clock
        self._write = write
        self._reassert = reassert
        self._patience = Patience(clock, troubles, StateNotWritten, "the state parameter was not written")
        self._lock = threading.Lock()
        self._latest: State | None = None  # offered and not yet written
        self._last_written: State | None = None
        self._offered = threading.Event()
        self._written = threading.Event()
        self._written.set()

    def start(self) -> None:
        threading.Thread(target=self._run, name="state-parameter", daemon=True).start()

    def offer(self, state: State) -> None:
        """Write `state` soon; returns at once."""
        with self._lock:
            self._latest = state
            self._written.clear()
        self._offered.set()

    def flush(self, deadline: Deadline) -> bool:
        """Wait until the latest state is written; False when it was not in time."""
        return self._clock.wait(self._written, deadline.remaining_s)

    def attempt(self) -> bool:
        """Write the latest state once; False when it has to be tried again."""
        with self._lock:
            state = self._latest
        if state is None:
            return True
        if problem := _problem(lambda: self._write(state)):
            self._patience.failed(problem)
            return False
        self._patience.worked()
        with self._lock:
            self._last_written = state
            if self._latest is state:
                self._latest = None
                self._written.set()
        return True

    def look_again(self) -> None:
        """Write the last written state again if it was displaced."""
        with self._lock:
            state = self._last_written
        if state is not None:
            _problem(lambda: self._reassert(state))

    def _run(self) -> None:
        pauses, reasserts = iter(PAUSES), iter(REASSERTS)
        while True:
            if not self._clock.wait(self._offered, next(reasserts)):
                self.look_again()
                continue
            self._offered.clear()
            reasserts = iter(REASSERTS)
            if self.attempt():
                pauses = iter(PAUSES)
            else:
                self._clock.wait(self._offered, next(pauses))
                self._offered.set()


def _problem(call: Callable[[], None]) -> str:
    try:
        call()
    except CloudError as error:
        log.warning("state: %s", error)
        return str(error)
    return ""
