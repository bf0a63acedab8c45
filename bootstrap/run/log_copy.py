"""Copies the agent's log to CloudWatch Logs, where the service file asks for it, in a thread of its own.

For: people who read it when the instance is gone. Guarantees: a line never waits and never fails its caller; what waits
fits into one call (`cloud.log_stream`), and when there is more the oldest goes, is counted, and the count is a line;
lines have the order in which they were said, and no time ahead of now or older than `OLDEST_S`, whatever the wall clock
does; one call is under way at most, and none comes sooner than `GATHER_S` after the one before; what is not taken is
tried again with growing pauses, and after some minutes it is a trouble (base.patience). Lines are kept from the start
of the run until it is known whether they are asked for.
Does not: copy the fence's log or the service's, delay a boot (`start` comes after the clients that a boot needs), or
keep anything beyond this run: a line may be there twice after a lost answer.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.errors import AgentError, CloudError, LogNotSent
from bootstrap.base.names import log_group
from bootstrap.base.patience import Patience
from bootstrap.base.retry import Pauses
from bootstrap.base.troubles import Troubles
from bootstrap.cloud.clients import Clients
from bootstrap.cloud.log_stream import LARGEST_CALL, OVERHEAD, UNACCEPTABLE, LogStream
from bootstrap.machine.journal import fields_of
from bootstrap.run.metadata import Metadata

log = logging.getLogger(__name__)

GATHER_S = 1.0
IDLE_S = 600.0
PAUSES = Pauses(first_s=2.0, longest_s=60.0)
OLDEST_S = 12 * 3600.0  # the shortest retention is a day, and one call may span a day
FLUSH_S = 5.0
IDENTIFIER = "soloist-agent"


class Stream(Protocol):
    """cloud.log_stream.LogStream."""

    def put(self, events: Sequence[tuple[int, str]]) -> int: ...


@dataclass(frozen=True, kw_only=True)
class Line:
    """One line of the log. `number` counts from the first one of the run; `at_s` is on the monotonic clock."""

    number: int
    at_s: float
    text: str
    size: int  # as PutLogEvents counts it


class LogCopy(logging.Handler):
    """The copy of one run's log."""

    def __init__(self, clock: Clock, facts: Callable[[], Mapping[str, str]]) -> None:
        """`facts`: fields of each line by upper-case name, as in the journal."""
        super().__init__()
        self._clock = clock
        self._facts = facts
        self._way: tuple[Stream, Patience] | None = None
        self._is_off = False
        self._lines: deque[Line] = deque()
        self._size = 0
        self._number = 0
        self._dropped = 0
        self._said = ""
        self._pauses = iter(PAUSES)
        self._guard = threading.Lock()
        self._said_something = threading.Event()
        self._hurry = threading.Event()
        self._nothing_waits = threading.Event()
        self._nothing_waits.set()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line, as the JSON of what the journal gets."""
        if self._is_off:
            return
        try:
            text = json.dumps(fields_of(record, self.format(record), IDENTIFIER, self._facts()), ensure_ascii=False)
            self._keep(text, len(text.encode(errors="replace")) + OVERHEAD)
        except Exception:
            self.handleError(record)

    def send_to(self, stream: Stream | None, troubles: Troubles) -> None:
        """Where the lines go from `start` on; None: nowhere, and none is kept."""
        if stream is not None:
            what = "CloudWatch Logs has taken no line of this instance"
            self._way = (stream, Patience(self._clock, troubles, LogNotSent, what))
            return
        with self._guard:
            self._is_off = True
            self._lines.clear()

    def start(self) -> None:
        """Send from now on, if anywhere."""
        if self._way is not None:
            threading.Thread(target=self._run, name="log-copy", daemon=True).start()

    def flush(self) -> None:
        """At the end of a run: wait for `FLUSH_S` at most until CloudWatch Logs has every line."""
        if self._way is None:
            return
        self._hurry.set()
        self._said_something.set()
        if not self._clock.wait(self._nothing_waits, Deadline(self._clock, FLUSH_S, "log").remaining_s):
            log.warning("CloudWatch Logs has not taken the last %d lines of the log", len(self._lines))

    def attempt(self) -> float:
        """Send what waits, in one call; the seconds until it is to be tried again, 0 when there is nothing to try."""
        self._said_something.clear()
        self._hurry.clear()
        lines = self._waiting()
        if self._way is None or not lines:
            return 0.0
        stream, patience = self._way
        try:
            rejected, why = self._put(stream, lines)
        except AgentError as error:
            return self._failed(str(error), patience)
        except Exception as error:  # a defect here must not silence this instance for good
            if self._said != type(error).__name__:
                log.exception("log copy: a defect")
            return self._failed(type(error).__name__, patience)
        patience.worked()
        self._taken(lines[-1].number, rejected, why)
        return 0.0

    def _keep(self, text: str, size: int) -> None:
        with self._guard:
            self._number += 1
            self._lines.append(Line(number=self._number, at_s=self._clock.monotonic(), text=text, size=size))
            self._size += size
            while self._size > LARGEST_CALL:  # a line has more than 105 bytes, so these are fewer than 10,000, too
                self._drop_oldest()
            self._nothing_waits.clear()
        self._said_something.set()

    def _drop_oldest(self) -> None:
        self._size -= self._lines.popleft().size
        self._dropped += 1

    def _waiting(self) -> tuple[Line, ...]:
        """All lines that are young enough; the others are dropped."""
        with self._guard:
            while self._lines and self._clock.monotonic() - self._lines[0].at_s > OLDEST_S:
                self._drop_oldest()
            if not self._lines:
                self._nothing_waits.set()
            return tuple(self._lines)

    def _put(self, stream: Stream, lines: Sequence[Line]) -> tuple[int, str]:
        """How many lines CloudWatch Logs will never take, and why. Raises CloudError where it may take them later."""
        now_s, now_ms = self._clock.monotonic(), _milliseconds(self._clock.utc_text())
        try:
            rejected = stream.put([(now_ms - round((now_s - line.at_s) * 1000), line.text) for line in lines])
        except CloudError as error:
            if error.code != UNACCEPTABLE:
                raise
            return len(lines), str(error)
        return rejected, "CloudWatch Logs calls them too old or too new: look at the clock" if rejected else ""

    def _failed(self, problem: str, patience: Patience) -> float:
        if problem != self._said:
            log.warning("log copy: %s", problem)
        self._said = problem
        patience.failed(problem)
        return next(self._pauses)

    def _taken(self, last: int, rejected: int, why: str) -> None:
        """Everything up to the line `last` is done with. What is lost is said once it is over: until then, the line
        that says so would be lost as well, and would be followed by another one."""
        lost = 0
        with self._guard:
            while self._lines and self._lines[0].number <= last:
                self._size -= self._lines.popleft().size
            self._dropped += rejected
            if not rejected:
                lost, self._dropped = self._dropped, 0
            if not self._lines:
                self._nothing_waits.set()
        if rejected and why != self._said:
            log.warning("log copy: %d lines were not taken: %s", rejected, why)
        self._said, self._pauses = why, iter(PAUSES)
        if lost:
            log.warning("log copy: %d lines of this log were dropped, and are in the journal only", lost)

    def _run(self) -> None:
        while True:
            pause_s = self.attempt()
            self._clock.wait(self._hurry, pause_s or GATHER_S)
            if not pause_s:
                self._clock.wait(self._said_something, IDLE_S)


def log_stream(metadata: Metadata, clients: Clients) -> LogStream | None:
    """The stream of this instance, where the service file asks for one."""
    document = metadata.document
    if not document.copies_log:
        return None
    return LogStream(clients, log_group(document.service.name), metadata.identity.instance_id)


def _milliseconds(text: str) -> int:
    """Since the epoch."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
