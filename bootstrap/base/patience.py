"""How long a way out of this instance may be closed before people are told: messages, state, signs of life.

For: whoever tries again and again and must not fail the agent. Guarantees: the trouble begins when a way has been
closed for `CLOSED_S`, and is over when none is; takes no time; safe to call from many threads. The trouble is told by
the ways that are open; telling it is one more thing to send, once, so a closed way does not tell itself for ever.
Does not: try anything.
"""

from __future__ import annotations

import threading

from bootstrap.base.clock import Clock
from bootstrap.base.errors import AgentError
from bootstrap.base.troubles import Troubles

CLOSED_S = 300.0


class Patience:
    """The patience with one kind of ways."""

    def __init__(self, clock: Clock, troubles: Troubles, trouble: type[AgentError], what: str) -> None:
        """`what`: what did not get out, a phrase that ends before "for 300 s"."""
        self._clock = clock
        self._troubles = troubles
        self._trouble = trouble
        self._what = what
        self._since_s: dict[object, float] = {}  # of each way that is closed, the first failure
        self._lock = threading.Lock()

    def failed(self, problem: str, way: object = None) -> None:
        """One more attempt by `way` has failed because of `problem`."""
        with self._lock:
            closed_s = self._clock.monotonic() - self._since_s.setdefault(way, self._clock.monotonic())
        if closed_s >= CLOSED_S:
            self._troubles.begin(self._trouble(f"{self._what} for {closed_s:.0f} s: {problem}"))

    def worked(self, way: object = None) -> None:
        """An attempt by `way` has succeeded."""
        with self._lock:
            self._since_s.pop(way, None)
            now_s = self._clock.monotonic()
            is_over = not any(now_s - since_s >= CLOSED_S for since_s in self._since_s.values())
        if is_over:
            self._troubles.over(self._trouble.reason)
