"""Runs the steps of a boot: each starts as soon as what it needs is done, so steps run side by side where they can.

For: agent.py, with the steps of boot.py. Guarantees: a step starts only after all steps named in its `after` have
succeeded. Each step has a deadline, which the runner also enforces from outside, so that a step that hangs is a named
failure and not a hung boot. The first failure asks all other steps to stop, and is raised when they have. A step that
is not awaited never delays or fails the boot: if it is not done with the boot, it is `late` and goes on in the
background.
Does not: undo anything, or kill threads (Python cannot); it only stops waiting for them.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bootstrap.base.clock import Clock, Deadline, StopRequest
from bootstrap.base.errors import AgentError, DeadlineExceeded, StopRequested
from bootstrap.base.timeline import Timeline

log = logging.getLogger(__name__)

HANG_GRACE_S = 5.0  # a step ends itself at its deadline; this long after it, the step is hung
SETTLE_S = 15.0  # how long the others may take to stop after a failure
POLL_S = 1.0


@dataclass(frozen=True, kw_only=True)
class BootStep:
    """One step. `run` gets its deadline and returns what it did, in words. It raises AgentError or StopRequested."""

    name: str
    run: Callable[[Deadline], str]
    deadline_s: float
    after: tuple[str, ...] = ()
    is_awaited: bool = True


@dataclass(kw_only=True)
class _Running:
    step: BootStep
    deadline: Deadline
    thread: threading.Thread


class StepError(AgentError):
    """A step failed. `cause` is its error, whose reason and exit code this one has."""

    def __init__(self, step: str, cause: AgentError) -> None:
        super().__init__(f"{step}: {cause}")
        self.step = step
        self.cause = cause
        self.reason = cause.reason
        self.exit_code = cause.exit_code


class Runner:
    """Runs a list of steps, once."""

    def __init__(self, steps: Sequence[BootStep], timeline: Timeline, clock: Clock, stop: StopRequest) -> None:
        self._steps = {step.name: step for step in steps}
        unknown = {name for step in steps for name in step.after} - set(self._steps)
        if unknown or len(self._steps) != len(steps):
            raise ValueError(f"steps are named twice or need unknown ones: {sorted(unknown)}")
        self._timeline = timeline
        self._clock = clock
        self._outer = stop
        self._stop = stop.child()
        self._running: dict[str, _Running] = {}
        self._succeeded: set[str] = set()
        self._failure: StepError | None = None
        self._changed = threading.Event()
        self._lock = threading.Lock()

    def run(self, overall: Deadline) -> None:
        """Run all awaited steps. Raises StepError, DeadlineExceeded, StopRequested."""
        try:
            while not self._is_complete():
                self._changed.clear()  # before looking, so that a step that ends from here on wakes this thread
                self._start_ready(overall)
                if not self._is_complete():
                    self._clock.wait(self._changed, min(POLL_S, self._until_next_hang_s()))
                self._check(overall)
        except (StepError, DeadlineExceeded, StopRequested):
            self._settle()
            raise
        for name in self._unfinished(is_awaited=False):
            self._timeline.finished(name, "late", "goes on in the background")

    def _is_complete(self) -> bool:
        with self._lock:
            return self._failure is None and all(
                name in self._succeeded for name, step in self._steps.items() if step.is_awaited
            )

    def _unfinished(self, *, is_awaited: bool) -> list[str]:
        with self._lock:
            return [name for name, running in self._running.items() if running.step.is_awaited is is_awaited]

    def _start_ready(self, overall: Deadline) -> None:
        with self._lock:
            if self._failure is not None or self._stop.is_requested:
                return
            known = set(self._running) | self._succeeded
            ready = [
                step
                for step in self._steps.values()
                if step.name not in known and all(name in self._succeeded for name in step.after)
            ]
            for step in ready:
                # A step that is not awaited may outlive the boot, so the boot's deadline is not its deadline.
                seconds = min(step.deadline_s, overall.remaining_s) if step.is_awaited else step.deadline_s
                deadline = Deadline(self._clock, seconds, step.name, self._stop)
                thread = threading.Thread(target=self._run_step, args=(step, deadline), name=step.name, daemon=True)
                self._running[step.name] = _Running(step=step, deadline=deadline, thread=thread)
        for step in ready:
            self._running[step.name].thread.start()

    def _run_step(self, step: BootStep, deadline: Deadline) -> None:
        failure: AgentError | None = None
        is_done = False
        self._timeline.started(step.name)
        try:
            detail = step.run(deadline)
            self._timeline.finished(step.name, "ok", detail)
            is_done = True
        except StopRequested as request:
            self._timeline.finished(step.name, "skipped", str(request))
        except AgentError as error:
            failure = error
            self._timeline.finished(step.name, "failed", str(error))
        except Exception as error:
            log.exception("step %s: a defect", step.name)
            failure = AgentError(f"unexpected {type(error).__name__}: {error}", remedy="Report this with the log")
            self._timeline.finished(step.name, "failed", str(failure))
        with self._lock:
            if is_done:
                self._succeeded.add(step.name)
            elif failure is not None and step.is_awaited and self._failure is None:
                self._failure = StepError(step.name, failure)
            self._running.pop(step.name, None)
        self._changed.set()

    def _until_next_hang_s(self) -> float:
        with self._lock:
            left = [running.deadline.remaining_s for running in self._running.values() if running.step.is_awaited]
        return min(left, default=POLL_S) + HANG_GRACE_S

    def _check(self, overall: Deadline) -> None:
        if self._failure is not None:
            raise self._failure
        if self._outer.is_requested:
            raise StopRequested(self._outer.sentence)
        with self._lock:
            running = [item for item in self._running.values() if item.step.is_awaited]
        for item in running:
            if self._clock.monotonic() >= item.deadline.ends_s + HANG_GRACE_S:
                error = DeadlineExceeded(
                    f"hangs {HANG_GRACE_S:.0f} s past its deadline of {item.deadline.seconds:.0f} s"
                )
                self._timeline.finished(item.step.name, "failed", str(error))
                raise StepError(item.step.name, error)
        if overall.is_past and not running and not self._is_complete():
            raise overall.exceeded()

    def _settle(self) -> None:
        """Ask all running steps to stop and wait for them; steps that were never started are skipped."""
        failed = f"{self._failure.step} failed" if self._failure else "the boot is over"
        self._stop.request(self._outer.sentence or failed)
        limit = Deadline(self._clock, SETTLE_S, "steps to stop")
        while self._unfinished(is_awaited=True) and not limit.is_past:
            self._changed.clear()
            self._clock.wait(self._changed, min(POLL_S, limit.remaining_s))
        ended = {entry.name for entry in self._timeline.entries()}
        for name, step in self._steps.items():
            if step.is_awaited and name not in ended:
                self._timeline.finished(name, "skipped")
