"""The Auto Scaling group and this instance: lifecycle hooks are answered, the target lifecycle state is watched.

For: the step launch-hook, every ending, and the moment when the group decides to terminate this instance. Guarantees:
every wait is bounded; a hook that no longer waits is not a failure; a metadata service that does not answer changes
nothing. Does not: decide that this instance must go.
Source: Auto Scaling user guide "Lifecycle hooks" and "Retrieve the target lifecycle state through instance metadata"
(the *target* state is Terminated while the operating system still runs in Terminating:Wait).
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from bootstrap.base.clock import Clock, Deadline, StopRequest
from bootstrap.base.document import Group
from bootstrap.base.errors import CloudError, DeadlineExceeded, StopRequested, SurroundingsError
from bootstrap.base.retry import NotYet, Pauses, retry
from bootstrap.cloud.autoscaling import AutoScaling, HookResult
from bootstrap.cloud.clients import passes_with_time
from bootstrap.cloud.imds import MetadataService

log = logging.getLogger(__name__)

POLL_S = 2.0
POLLS = Pauses(first_s=POLL_S)
REQUEST_S = 2.0
PAUSES = Pauses(first_s=1.0)
BEATS_PER_TIMEOUT = 3  # so two may be lost
TERMINATED = "Terminated"


def complete_launch_hook(auto_scaling: AutoScaling, hook: str, deadline: Deadline) -> str:
    """Answer CONTINUE until it is accepted or the group lists this instance as InService; which of the two.
    Raises DeadlineExceeded, CloudError, StopRequested."""

    def attempt() -> str:
        if auto_scaling.complete_hook(hook, "CONTINUE"):
            return "CONTINUE accepted"
        state = auto_scaling.lifecycle_state()
        if state == "InService":
            return "no hook is waiting: InService already"
        raise NotYet(f"no hook {hook} is waiting and the group says {state or 'nothing about this instance'}")

    return retry(attempt, deadline, PAUSES, passes=passes_with_time, say=_say)


def complete_hook(auto_scaling: AutoScaling, hook: str, result: HookResult, deadline: Deadline) -> bool:
    """Answer `hook`; whether one was waiting. Raises DeadlineExceeded, CloudError, StopRequested."""
    return retry(lambda: auto_scaling.complete_hook(hook, result), deadline, PAUSES, passes=passes_with_time, say=_say)


def abandon(auto_scaling: AutoScaling, hook: str, deadline: Deadline) -> str:
    """Have this instance replaced: by the launch hook or, once it is InService, by its health; which of the two.
    Raises DeadlineExceeded, CloudError, StopRequested."""

    def attempt() -> str:
        if auto_scaling.complete_hook(hook, "ABANDON"):
            return "ABANDON accepted"
        state = auto_scaling.lifecycle_state()
        if state == "InService":
            auto_scaling.report_unhealthy()
            return "reported unhealthy"
        if not state.startswith("Pending"):
            return f"nothing to abandon: the group says {state or 'nothing about this instance'}"
        raise NotYet(f"no hook {hook} is waiting yet and the group says {state}")

    return retry(attempt, deadline, PAUSES, passes=passes_with_time, say=_say)


def _say(sentence: str) -> None:
    log.info("lifecycle hook: %s", sentence)


class LaunchHeartbeat:
    """Prolongs the launch hook while this instance boots. So its time-out may be short, and finds a machine that dies
    while it boots; nothing else would, because the group checks no health before InService."""

    def __init__(self, auto_scaling: AutoScaling, group: Group, clock: Clock, stop: StopRequest) -> None:
        self._auto_scaling = auto_scaling
        self._group = group
        self._clock = clock
        self._end = stop.child()

    @contextmanager
    def during(self, boot_s: float) -> Iterator[None]:
        """Send heartbeats in a thread while the body runs, for at most `boot_s`: a boot that hangs must time out."""
        threading.Thread(target=self.run, args=(boot_s,), name="launch-heartbeat", daemon=True).start()
        try:
            yield
        finally:
            self._end.request("the boot is over")

    def run(self, boot_s: float) -> None:
        """Send heartbeats until the body ends or `boot_s` is over. A lost heartbeat is made up for by the next one."""
        deadline = Deadline(self._clock, boot_s, "heartbeats of the launch hook")
        while not deadline.is_past and not self._end.is_requested:
            try:
                self._auto_scaling.prolong_hook(self._group.launch_hook)
            except CloudError as error:
                log.warning("%s", error)
            self._clock.wait(self._end.event, self._group.launch_hook_timeout_s / BEATS_PER_TIMEOUT)


class LifecycleWatch:
    """Polls the target lifecycle state in a thread of its own, and asks the agent to stop when it is `Terminated`."""

    def __init__(self, metadata: MetadataService, clock: Clock, stop: StopRequest) -> None:
        self._metadata = metadata
        self._clock = clock
        self._stop = stop
        self.target_state = ""

    @property
    def is_terminated(self) -> bool:
        return self.target_state == TERMINATED

    def start(self) -> None:
        threading.Thread(target=self._run, name="lifecycle-watch", daemon=True).start()

    def look(self) -> None:
        """Ask once. Without an answer the last one stands."""
        try:
            state = self._metadata.target_lifecycle_state(Deadline(self._clock, REQUEST_S, "target lifecycle state"))
        except (SurroundingsError, DeadlineExceeded, StopRequested) as error:
            log.debug("target lifecycle state: %s", error)
            return
        self.target_state = state
        if self.is_terminated:
            self._stop.request("the group is terminating this instance")

    def await_terminated(self, seconds: float) -> bool:
        """Wait until the group has decided to terminate this instance; False when it has not, in time or before a
        stop."""

        def attempt() -> None:
            self.look()
            if not self.is_terminated:
                raise NotYet(f"the target lifecycle state is {self.target_state or 'unknown'}")

        with contextlib.suppress(DeadlineExceeded, StopRequested):
            retry(attempt, Deadline(self._clock, seconds, "the end of this instance", self._stop), POLLS)
        return self.is_terminated

    def _run(self) -> None:
        while not self.is_terminated:
            self.look()
            self._clock.wait(self._stop.event, POLL_S)
            if self._stop.is_requested:
                return
