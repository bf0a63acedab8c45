"""What every kind of connection does, and the loop that has it done.

For: the step `connection`, in the background: a name or an address elsewhere is no condition of the service's start.
Guarantees: a connection is believed only when it was read back; it is tried again until the deadline, each time from a
fresh look. Does not: decide who may serve (the lease does), or wait until clients have learned of the change.
"""

from __future__ import annotations

import logging
from typing import Protocol

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import AgentError
from bootstrap.base.retry import NotYet, Pauses, retry

log = logging.getLogger(__name__)

PAUSES = Pauses(first_s=1.0, longest_s=20.0)


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
