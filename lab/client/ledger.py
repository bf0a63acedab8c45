"""Keeps what the writers reported, and computes rate and outages from it.

For: `lab.client.collector` adds reports; display, demo and chaos read. Guarantees: a report that arrives twice counts
once; only the outcome `acknowledged` counts as acknowledged; all times are seconds on the lab's monotonic clock, and a
late report is dated back by the age that it carries. Thread-safe. Does not: open sockets or read a clock.

The outage of a scene, exactly: all writers together, order all acknowledgements by the time they arrived at their
writer. Of the intervals between one acknowledgement and the next, take those that end after the event and begin before
the end of the scene; the longest is the outage. Before the first acknowledgement ever the interval begins at the event;
after the last one it is open: it lasts until the scene's end and the service has not healed.
"""

import bisect
import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

OUTCOMES = ("acknowledged", "refused", "unknown", "unreachable", "unresolved")


@dataclass(frozen=True, kw_only=True)
class Outage:
    """The longest stretch without an acknowledged write. `end_s` None: still open at the end of the scene.

    `silent_at_end_s`: how long before the scene's end the last acknowledgement came; more than a moment means that the
    service was away again, even where the longest stretch is closed.
    """

    start_s: float
    end_s: float | None
    duration_s: float
    silent_at_end_s: float


@dataclass(frozen=True, kw_only=True)
class LedgerSnapshot:
    """Everything at one moment. `per_second` are the last whole seconds, oldest first."""

    at_s: float
    attempts: int
    acknowledged: int
    dropped: int  # reports the writers had to throw away
    last_acknowledged_s: float | None
    current_gap_s: float | None
    per_second: tuple[int, ...]
    last_trouble: str  # what the last attempt that failed said


class Ledger:
    """All attempts of all writers."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen: set[tuple[str, int]] = set()
        self._acknowledged: dict[str, dict[int, float]] = {}
        self._times_s: list[float] = []  # sorted
        self._dropped = 0
        self._last_trouble = ""

    def add(self, report: Mapping[str, object], now_s: float) -> None:
        """Take one report received at `now_s`. Raises ValueError where it is not one."""
        if "dropped" in report:
            with self._lock:
                self._dropped = max(self._dropped, int(str(report["dropped"])))
            return
        try:
            writer, seq, outcome = str(report["writer"]), int(str(report["seq"])), str(report["outcome"])
            at_s = now_s - float(str(report["ago_s"]))
        except (KeyError, ValueError) as error:
            raise ValueError(f"not a writer's report: {error}") from error
        if outcome not in OUTCOMES or not math.isfinite(at_s):
            raise ValueError(f"not a writer's report: outcome {outcome!r}, time {at_s}")
        with self._lock:
            if (writer, seq) in self._seen:
                return
            self._seen.add((writer, seq))
            if outcome != "acknowledged":
                self._last_trouble = _trouble(report, outcome)
                return
            self._acknowledged.setdefault(writer, {})[seq] = at_s
            bisect.insort(self._times_s, at_s)

    def acknowledged(self, from_s: float = -math.inf, until_s: float = math.inf) -> dict[str, frozenset[int]]:
        """The numbers of every writer that were acknowledged from `from_s` until before `until_s`."""
        with self._lock:
            return {
                writer: frozenset(seq for seq, at_s in times_s.items() if from_s <= at_s < until_s)
                for writer, times_s in self._acknowledged.items()
            }

    def times_s(self, from_s: float = -math.inf) -> tuple[float, ...]:
        """The times of all acknowledgements from `from_s` on, in order."""
        with self._lock:
            return tuple(self._times_s[bisect.bisect_left(self._times_s, from_s) :])

    def snapshot(self, now_s: float, *, window_s: int = 60) -> LedgerSnapshot:
        """The state at `now_s` with the rate of the last `window_s` whole seconds."""
        with self._lock:
            times_s = self._times_s
            last_s = times_s[-1] if times_s else None
            return LedgerSnapshot(
                at_s=now_s,
                attempts=len(self._seen),
                acknowledged=len(times_s),
                dropped=self._dropped,
                last_acknowledged_s=last_s,
                current_gap_s=None if last_s is None else max(0.0, now_s - last_s),
                per_second=per_second(times_s, math.floor(now_s) - window_s, math.floor(now_s)),
                last_trouble=self._last_trouble,
            )


def _trouble(report: Mapping[str, object], outcome: str) -> str:
    at = f" at {report['address']}" if report.get("address") else ""
    detail = f": {report['detail']}" if report.get("detail") else ""
    return f"{outcome}{at}{detail}"


def per_second(times_s: Sequence[float], from_s: float, until_s: float) -> tuple[int, ...]:
    """How many of the sorted `times_s` fall into each second from `from_s` on; the last one may be cut short."""
    edges = [from_s + n for n in range(max(0, math.ceil(until_s - from_s)))] + [until_s]
    found = [bisect.bisect_left(times_s, edge) for edge in edges]
    return tuple(b - a for a, b in pairwise(found))


def outage(times_s: Sequence[float], event_s: float, end_s: float) -> Outage:
    """The outage that the event at `event_s` caused in the scene that ended at `end_s`; see the module's definition."""
    times_s = [at_s for at_s in times_s if at_s <= end_s]
    first = bisect.bisect_right(times_s, event_s)
    before_s = times_s[first - 1] if first else event_s
    edges = [before_s, *times_s[first:]]
    silent_s = end_s - edges[-1]
    intervals: list[tuple[float, float | None]] = [*pairwise(edges), (edges[-1], None)]
    start_s, stop_s = max(intervals, key=lambda pair: (end_s if pair[1] is None else pair[1]) - pair[0])
    duration_s = (end_s if stop_s is None else stop_s) - start_s
    return Outage(start_s=start_s, end_s=stop_s, duration_s=duration_s, silent_at_end_s=silent_s)
