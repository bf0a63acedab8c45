"""Looks at the data again and again while the instance serves: do they answer, and are they the right ones?

For: the parts of run.watched_data and the supervisor, which only ask what was seen. The lease directory is not looked
at here: each renewal of the lease is such a look, and its deadline is shorter. Guarantees: nobody waits for the file
system but a child that can be killed, one at most (machine.data_probe); a child that gives no answer in `PROBE_LIMIT_S`
is killed and another one asks, so that a hang of the child alone is no stall; a stall counts from the first unanswered
look; nothing of it touches the data while it is paused.
Does not: decide (run.data_watch_rules does), or mend.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections.abc import Mapping
from typing import Any, Protocol

from bootstrap.base.clock import Clock
from bootstrap.run.data_watch_rules import LATE_S, Fault, Known, fault_of, known_after, read_answer

log = logging.getLogger(__name__)

PROBE_S = 15.0  # from one look to the next; docs/costs.md says what a look costs
PROBE_LIMIT_S = 25.0  # less than a stall that counts
POLL_S = 0.5


class Probe(Protocol):
    """machine.data_probe.DataProbe."""

    @property
    def is_running(self) -> bool: ...

    def start(self, request: Mapping[str, Any]) -> None: ...

    def answer(self) -> str | None: ...

    def kill(self) -> bool: ...


class DataWatch:
    """The watch over one mount of the data. `fault`: what the last answer said is wrong."""

    def __init__(self, clock: Clock, probe: Probe, root: str) -> None:
        self._clock = clock
        self._probe = probe
        self._root = root
        self._lock = threading.Lock()
        self._is_paused = False
        self._known: Known | None = None  # of the mount that the boot or a mend has verified
        self._began_s = 0.0  # of the child that runs
        self._unanswered_s: float | None = None  # since when
        self._failed = ""
        self.fault: Fault | None = None

    def start(self) -> None:
        """Look from now on, at data that have just been verified."""
        self.begin_anew()
        threading.Thread(target=self._run, name="data-watch", daemon=True).start()

    def pause(self) -> None:
        """Touch the data no more until `resume`: somebody unmounts them. A child that runs is ended."""
        with self._lock:
            self._is_paused = True
            self._probe.kill()

    def resume(self) -> None:
        """Look again, at the same data."""
        with self._lock:
            self._is_paused = False

    def begin_anew(self) -> None:
        """Look again, at data that are mounted anew and verified; what was seen before is forgotten."""
        with self._lock:
            self._is_paused, self._known, self._unanswered_s, self.fault = False, None, None, None

    @property
    def stall_s(self) -> float:
        """For how long the data have given no answer, 0 when they do."""
        since_s = self._unanswered_s
        return 0.0 if since_s is None or self._is_paused else self._clock.monotonic() - since_s

    @property
    def stall(self) -> str:
        """The same in words, "" unless it is late."""
        stall_s = self.stall_s
        return f"the data have given no answer for {stall_s:.0f} s" if stall_s >= LATE_S else ""

    def cycle(self) -> float:
        """Start a look, take an answer, or end a child that hangs; the seconds until the next cycle."""
        with self._lock:
            if self._probe.is_running:
                return self._await()
            if self._is_paused:
                return PROBE_S
            self._begin()
            return POLL_S

    def _begin(self) -> None:
        self._began_s = self._clock.monotonic()
        if self._unanswered_s is None:
            self._unanswered_s = self._began_s
        try:
            marker = self._known.marker if self._known else ""
            self._probe.start({"root": self._root, "marker": marker, "text": secrets.token_hex(16)})
        except OSError as error:
            self._unanswered_s = None  # this machine's trouble, and not that of the data
            self._note(f"the look at the data cannot be started: {error}")

    def _await(self) -> float:
        text, now_s = self._probe.answer(), self._clock.monotonic()
        if text is None:
            if now_s - self._began_s >= PROBE_LIMIT_S:
                log.warning("data: no answer for %.0f s; the look is ended and begun again", self.stall_s)
                self._probe.kill()
            return POLL_S
        took_s, self._unanswered_s = self.stall_s, None
        if took_s >= LATE_S:
            log.warning("data: an answer after %.1f s", took_s)
        if not self._is_paused:
            self._take(text)
        return max(POLL_S, PROBE_S - took_s)

    def _take(self, text: str) -> None:
        answer = read_answer(text)
        self._note(answer.failed)
        self.fault = fault_of(answer, self._known)
        self._known = known_after(answer, self._known)

    def _note(self, failed: str) -> None:
        if failed and failed != self._failed:
            log.warning("data: %s", failed)
        self._failed = failed

    def _run(self) -> None:
        never = threading.Event()
        while True:
            self._clock.wait(never, self.cycle())
