"""What every kind of connection does, and the loop that has it done.

For: the step `connection`, in the background: a name or an address elsewhere is no condition of the service's start.
Guarantees: a connection is believed only when it was read back; it is tried again until the deadline, each time from a
fresh look; while it does not lead here for a reason that stays, that is a trouble, because the service itself is well.
Does not: decide who may serve (the lease does), or wait until clients have learned of the change.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.errors import AgentError
from bootstrap.base.retry import NotYet, Pauses, retry
from bootstrap.base.troubles import Troubles

log = logging.getLogger(__name__)

PAUSES = Pauses(first_s=1.0, longest_s=20.0)
PATIENCE_S = 120.0  # an error that may pass is a trouble after that


class Connection(Protocol):
    """One way in which clients reach the service. `generation` is the lease's, the fencing token.

    A kind never replaces what it has not seen, and proves that this instance holds the lease between looking and
    changing. So a holder that slept through its successor's claim changes nothing."""

    @property
    def name(self) -> str:
        """What clients connect to, for people: a DNS name or an address."""

    def claim(self, generation: int) -> str:
        """Make it lead to this instance, in one attempt; what was done, in one sentence.
        Raises NotYet while the lease cannot be proven, AgentError."""

    def verify(self, generation: int) -> str:
        """Why it does not lead to this instance, as `claim` makes it; "" when it does. Raises AgentError."""

    def release(self, deadline: Deadline) -> list[str]:
        """Give it up when this instance stops; what is left, in words. Raises AgentError."""

    def passes(self, error: AgentError, elapsed_s: float) -> bool:
        """Whether trying again can help against `error`, `elapsed_s` after the first attempt."""


class WatchedConnection:
    """A connection that says as a trouble why it does not lead here: an error that does not pass at once, any other one
    when it has lasted for PATIENCE_S. It is over when the connection was claimed, or was seen to lead here."""

    def __init__(self, connection: Connection, clock: Clock, troubles: Troubles) -> None:
        self._connection = connection
        self._clock = clock
        self._troubles = troubles
        self._since_s: float | None = None  # the first of the errors in a row
        self._standing: AgentError | None = None

    @property
    def name(self) -> str:
        return self._connection.name

    def claim(self, generation: int) -> str:
        sentence = self._watched(lambda: self._connection.claim(generation))
        self._is_well()
        return sentence

    def verify(self, generation: int) -> str:
        wrong = self._watched(lambda: self._connection.verify(generation))
        if not wrong:
            self._is_well()
        return wrong

    def release(self, deadline: Deadline) -> list[str]:
        return self._connection.release(deadline)

    def passes(self, error: AgentError, elapsed_s: float) -> bool:
        return self._connection.passes(error, elapsed_s)

    def _watched(self, attempt: Callable[[], str]) -> str:
        try:
            return attempt()
        except AgentError as error:
            now_s = self._clock.monotonic()
            self._since_s = now_s if self._since_s is None else self._since_s
            lasted_s = now_s - self._since_s
            if lasted_s >= PATIENCE_S or not self.passes(error, lasted_s):
                self._begin(error)
            raise

    def _begin(self, error: AgentError) -> None:
        if self._standing is not None and self._standing.reason != error.reason:
            self._troubles.over(self._standing.reason)
        self._standing = error
        self._troubles.begin(error)

    def _is_well(self) -> None:
        self._since_s = None
        if self._standing is not None:
            self._troubles.over(self._standing.reason)
            self._standing = None


def establish(connection: Connection, generation: int, deadline: Deadline) -> str:
    """Claim it until it leads here; what was done, in one sentence.
    Raises DeadlineExceeded, StopRequested, and an AgentError that does not pass."""

    def attempt() -> str:
        sentence = connection.claim(generation)
        wrong = connection.verify(generation)
        if wrong:
            raise NotYet(wrong)
        return sentence

    return retry(attempt, deadline, PAUSES, passes=connection.passes, say=lambda seen: _say(connection.name, seen))


def _say(name: str, sentence: str) -> None:
    log.info("connection %s: %s", name, sentence)
