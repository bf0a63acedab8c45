"""Sends this instance's metrics to CloudWatch again and again, in a thread of its own.

For: whoever watches from outside, from the boot document to the end of the run. Guarantees: it waits for nothing else
of the agent, and nothing waits for it; one call is under way at most, and a beat that comes due meanwhile is dropped;
what happened once (`once`) goes with the next beat, which comes at once, and again until CloudWatch has taken it, so
that a lost answer can make it count twice. What is not taken for some minutes is a trouble (base.patience).
Does not: decide what is said (run.signs does), or keep anything beyond this run.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.errors import AgentError, HeartbeatNotSent
from bootstrap.base.metric import Metric
from bootstrap.base.patience import Patience
from bootstrap.base.troubles import Troubles

log = logging.getLogger(__name__)

FLUSH_S = 10.0


class Heartbeat:
    """The beats of one run."""

    def __init__(
        self,
        send: Callable[[Sequence[Metric]], None],
        look: Callable[[], Sequence[Metric]],
        every_s: float,
        clock: Clock,
        troubles: Troubles,
    ) -> None:
        """`look`: what to say now, without waiting. `send` raises AgentError."""
        self._send = send
        self._look = look
        self._every_s = every_s
        self._clock = clock
        self._patience = Patience(clock, troubles, HeartbeatNotSent, "CloudWatch has taken no metric of this instance")
        self._said = ""
        self._once: tuple[Metric, ...] = ()
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._nothing_waits = threading.Event()
        self._nothing_waits.set()

    def start(self) -> None:
        """Beat from now on."""
        threading.Thread(target=self._run, name="heartbeat", daemon=True).start()

    def once(self, metrics: Sequence[Metric]) -> None:
        """Send `metrics`, too, and now; returns at once."""
        with self._lock:
            self._once = (*self._once, *metrics)
            self._nothing_waits.clear()
        self._wake.set()

    def flush(self) -> None:
        """Wait for `FLUSH_S` at most until CloudWatch has what happened once."""
        if not self._clock.wait(self._nothing_waits, Deadline(self._clock, FLUSH_S, "metrics").remaining_s):
            log.warning("CloudWatch has not taken %s", ", ".join(sorted({each.name for each in self._once})))

    def beat(self) -> float:
        """One beat; the seconds until the next one."""
        self._wake.clear()
        began_s = self._clock.monotonic()
        with self._lock:
            once = self._once
        problem = self._problem(once)
        now_s = self._clock.monotonic()
        if problem:
            self._failed(problem)
        else:
            self._heard(once)
        return self._every_s - (now_s - began_s) % self._every_s

    def _problem(self, once: Sequence[Metric]) -> str:
        try:
            self._send([*self._look(), *once])
        except AgentError as error:
            return str(error)
        except Exception as error:  # a defect here must not silence this instance for good
            log.exception("heartbeat: a defect")
            return type(error).__name__
        return ""

    def _failed(self, problem: str) -> None:
        if problem != self._said:
            log.warning("heartbeat: %s", problem)
        self._said = problem
        self._patience.failed(problem)

    def _heard(self, once: Sequence[Metric]) -> None:
        self._said = ""
        self._patience.worked()
        with self._lock:
            self._once = self._once[len(once) :]
            if not self._once:
                self._nothing_waits.set()

    def _run(self) -> None:
        while True:
            self._clock.wait(self._wake, self.beat())
