"""The agent's sign of life to systemd, sent only while all loops of the agent are alive.

For: soloist-agent.service: its WatchdogSec once it is ready, its TimeoutStartSec and TimeoutStopSec before and after,
which each sign extends. So a boot or a stop takes as long as its own deadlines allow, and one that hangs is ended.
Guarantees: each loop says how long it may take until its next beat; when one takes longer, the signs stop. systemd then
kills the agent, which ends the service bound to it, and starts it again. The end of the agent is one loop: `rest` says
how long it may take.
Does not: watch what a loop does, or act for the fence, which strikes by the lease's deadline in any case.
Source: sd_notify(3) WATCHDOG=1, EXTEND_TIMEOUT_USEC; systemd.service(5) WatchdogSec (counted from READY=1 on).
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from bootstrap.base.clock import Clock

INTERVAL_S = 5.0
END = "end"


class Pulse:
    """The loops of one agent."""

    def __init__(self, clock: Clock, send: Callable[[], object]) -> None:
        self._clock = clock
        self._send = send
        self._due_s: dict[str, float] = {}
        self._is_resting = False
        self._lock = threading.Lock()

    def start(self) -> None:
        """Send signs of life from now on."""
        threading.Thread(target=self._run, name="pulse", daemon=True).start()

    def beat(self, loop: str, next_within_s: float) -> None:
        """`loop` is alive, and will beat again within `next_within_s`."""
        with self._lock:
            if not self._is_resting:
                self._due_s[loop] = self._clock.monotonic() + next_within_s

    def over(self, loop: str) -> None:
        """`loop` has ended, and beats no more."""
        with self._lock:
            self._due_s.pop(loop, None)

    def rest(self, within_s: float) -> None:
        """No loop beats any more; the agent ends within `within_s`."""
        with self._lock:
            self._is_resting = True
            self._due_s = {END: self._clock.monotonic() + within_s}

    def late(self) -> list[str]:
        """The loops whose beat is overdue."""
        now_s = self._clock.monotonic()
        with self._lock:
            return [loop for loop, due_s in self._due_s.items() if now_s > due_s]

    def send_if_alive(self) -> bool:
        """Send one sign of life unless a loop is late; False when one is."""
        if self.late():
            return False
        self._send()
        return True

    def _run(self) -> None:
        never = threading.Event()
        while True:
            self.send_if_alive()
            self._clock.wait(never, INTERVAL_S)
