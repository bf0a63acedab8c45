"""Troubles: what is wrong while the instance goes on all the same, serving or waiting.

For: whoever meets one says so here, and says when it is over. Guarantees: a trouble has the reason, sentence and remedy
of an error (base.errors); saying the same again is harmless, and takes no time. Does not: end anything.
"""

from __future__ import annotations

from typing import Protocol

from bootstrap.base.errors import AgentError, Reason

# Stand for weeks while nothing is wrong yet: they hide no other one in the state, and raise no alarm.
LASTING: frozenset[Reason] = frozenset({"image-deprecated"})


class Troubles(Protocol):
    """One trouble for each reason. run.report.Report shows them in log, state and notification."""

    def begin(self, trouble: AgentError) -> None: ...

    def over(self, reason: Reason) -> None: ...


class Untold:
    """Nobody is told."""

    def begin(self, trouble: AgentError) -> None:
        """Nothing."""

    def over(self, reason: Reason) -> None:
        """Nothing."""
