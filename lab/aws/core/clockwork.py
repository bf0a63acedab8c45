"""The clockwork: makes time pass for the control plane.

For: in the lab a thread ticks in real time; in unit tests `ManualClock` and `advance` do, without sleeping.
Guarantees: `advance` visits every moment at which something is due, so that the order of events does not depend on how
far it jumps. Does not: know what is due.
"""

import threading
import time
import traceback

from lab.aws.core.cloud import Cloud

_IDLE_S = 0.2
_STEP_S = 1.0


class ManualClock:
    """A clock that moves only when told; seconds since the epoch."""

    def __init__(self, start_s: float = 1_800_000_000.0) -> None:
        self._now = start_s

    def __call__(self) -> float:
        return self._now

    def move_to(self, moment: float) -> None:
        """Set the clock; it never goes back."""
        self._now = max(self._now, moment)


class SteadyClock:
    """Epoch seconds that never jump: wall clock once, monotonic afterwards."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def __call__(self) -> float:
        return self._offset + time.monotonic()


def tick(cloud: Cloud) -> None:
    """Look at the machines, then do everything that is due."""
    for observe in cloud.observers:
        observe(cloud)
    with cloud.call(is_tick=True):
        cloud.work()


def advance(cloud: Cloud, clock: ManualClock, seconds: float) -> None:
    """Let `seconds` pass on a manual clock, stopping wherever something is due and at least every second."""
    target = clock() + seconds
    tick(cloud)
    while clock() < target:
        due = cloud.next_due()
        clock.move_to(min(target, clock() + _STEP_S, due if due is not None and due > clock() else target))
        tick(cloud)


class Ticker:
    """The thread that ticks a cloud in real time."""

    def __init__(self, cloud: Cloud) -> None:
        self._cloud = cloud
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="control-plane-clockwork", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        """Stop ticking; waits for the tick under way, at most `timeout_s`."""
        self._stop.set()
        self._cloud.wake.set()
        self._thread.join(timeout_s)

    def _run(self) -> None:
        while not self._stop.is_set():
            self._cloud.wake.clear()
            try:
                tick(self._cloud)
            except Exception:
                self._cloud.note_error(f"clockwork failed:\n{traceback.format_exc()}")
            due = self._cloud.next_due()
            pause_s = _IDLE_S if due is None else min(_IDLE_S, max(0.01, due - self._cloud.now()))
            self._cloud.wake.wait(pause_s)
