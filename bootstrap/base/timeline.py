"""What happened when: phases with start, duration and outcome, on the agent's own monotonic clock.

For: log, state parameter, reports, and anybody who watches a boot. Guarantees: thread-safe; observers are called in the
thread of the phase, in order of that phase. Does not: judge.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bootstrap.base.clock import Clock
from bootstrap.base.codec import to_tree
from bootstrap.base.state import Outcome, TimelineEntry

log = logging.getLogger(__name__)

Event = dict[str, Any]
Observer = Callable[[Event], None]


class Timeline:
    """The phases of one run of the agent."""

    def __init__(self, clock: Clock, observers: list[Observer]) -> None:
        self._clock = clock
        self._observers = observers
        self._zero_s = clock.monotonic()
        self._lock = threading.Lock()
        self._started: dict[str, float] = {}
        self._entries: dict[str, TimelineEntry] = {}

    def now_s(self) -> float:
        """Seconds since the agent started."""
        return self._clock.monotonic() - self._zero_s

    def started(self, name: str) -> None:
        with self._lock:
            self._started[name] = self.now_s()
        self._tell({"event": "started", "name": name, "at_s": round(self._started[name], 3)})

    def finished(self, name: str, outcome: Outcome, detail: str = "") -> TimelineEntry:
        """End a phase; a phase that never started has no length. A `late` phase may finish again with its real end."""
        with self._lock:
            start_s = self._started.get(name, self.now_s())
            entry = TimelineEntry(
                name=name,
                start_s=round(start_s, 3),
                duration_s=round(self.now_s() - start_s, 3),
                outcome=outcome,
                detail=detail,
            )
            if outcome == "late" and name in self._entries:
                return self._entries[name]  # it ended while we were saying so
            self._entries[name] = entry
        self._tell({"event": "finished", "at_s": round(self.now_s(), 3), **to_tree(entry)})
        return entry

    def entries(self) -> tuple[TimelineEntry, ...]:
        """All finished phases by start."""
        with self._lock:
            return tuple(sorted(self._entries.values(), key=lambda entry: entry.start_s))

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
