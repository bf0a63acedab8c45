"""What happened when: phases with start, duration and outcome, on the agent's own monotonic clock.

For: log, state parameter, reports, and anybody who watches a boot. Guarantees: thread-safe; observers are called in the
thread of the phase, in order of that phase. Does not: judge.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bootstrap.base.clock import Clock

log = logging.getLogger(__name__)

Outcome = Literal["ok", "failed", "skipped", "late"]
Event = dict[str, Any]
Observer = Callable[[Event], None]


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One phase."""

    name: str
    start_s: float
    duration_s: float
    outcome: Outcome
    detail: str = ""

    def to_tree(self) -> dict[str, Any]:
        """As in the state parameter."""
        tree: dict[str, Any] = {
            "name": self.name,
            "start_s": round(self.start_s, 3),
            "duration_s": round(self.duration_s, 3),
            "outcome": self.outcome,
        }
        return {**tree, "detail": self.detail} if self.detail else tree


class Timeline:
    """The phases of one run of the agent."""

    def __init__(self, clock: Clock, observers: list[Observer]) -> None:
        self._clock = clock
        self._observers = observers
        self._zero_s = clock.monotonic()
        self._lock = threading.Lock()
        self._started: dict[str, float] = {}
        self._entries: dict[str, Entry] = {}

    def now_s(self) -> float:
        """Seconds since the agent started."""
        return self._clock.monotonic() - self._zero_s

    def started(self, name: str) -> None:
        with self._lock:
            self._started[name] = self.now_s()
        self._tell({"event": "started", "name": name, "at_s": round(self._started[name], 3)})

    def finished(self, name: str, outcome: Outcome, detail: str = "") -> Entry:
        """End a phase; one that never started ends where it is. A `late` phase may finish again with its real end."""
        with self._lock:
            start_s = self._started.get(name, self.now_s())
            entry = Entry(name=name, start_s=start_s, duration_s=self.now_s() - start_s, outcome=outcome, detail=detail)
            if outcome == "late" and name in self._entries:
                return self._entries[name]  # it ended while we were saying so
            self._entries[name] = entry
        self._tell({"event": "finished", "at_s": round(self.now_s(), 3), **entry.to_tree()})
        return entry

    def entries(self) -> list[Entry]:
        """All finished phases by start."""
        with self._lock:
            return sorted(self._entries.values(), key=lambda entry: entry.start_s)

    def _tell(self, event: Event) -> None:
        for observer in self._observers:
            observer(event)


def log_event(event: Event) -> None:
    """One line in the journal."""
    if event["event"] == "started":
        log.info("%8.3f s  %s: started", event["at_s"], event["name"])
    else:
        detail = f": {event['detail']}" if event.get("detail") else ""
        log.info(
            "%8.3f s  %s: %s after %.3f s%s",
            event["at_s"],
            event["name"],
            event["outcome"],
            event["duration_s"],
            detail,
        )


class EventFile:
    """Appends each event as a JSON line to a file below /run. A full or missing file system never fails a boot."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()

    def __call__(self, event: Event) -> None:
        try:
            with self._lock, self._path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(event) + "\n")
        except OSError as error:
            log.warning("%s: %s", self._path, error)
