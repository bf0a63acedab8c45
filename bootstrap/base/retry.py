"""Repeats an attempt until it succeeds: the one loop behind every wait for AWS, the kernel or systemd.

For: calls to AWS, mounts, units and devices. Guarantees: the deadline bounds all attempts together; a request to stop
ends the wait at once; the error at the deadline says what was seen last, and has its reason where it is known; a reason
is logged when it changes, and not at every attempt.
Does not: bound a single attempt (whoever makes it does), or know which errors of AWS pass (bootstrap.cloud.clients
does).
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import AgentError, DeadlineExceeded

Value = TypeVar("Value")
# Whether trying again can help against an error, `elapsed_s` after the first attempt.
Passes = Callable[[AgentError, float], bool]


class NotYet(Exception):
    """The attempt is not done and may be repeated; the message says what was seen instead."""


@dataclass(frozen=True, kw_only=True)
class Pauses:
    """Seconds between attempts: `first_s`, then twice as long each time up to `longest_s`; without `longest_s` all are
    equal. Each varies at random by the share `spread`, so that instances that begin together do not stay in step."""

    first_s: float
    longest_s: float = 0.0
    spread: float = 0.0

    def __iter__(self) -> Iterator[float]:
        pause_s = self.first_s
        while True:
            yield pause_s * random.uniform(1 - self.spread, 1 + self.spread) if self.spread else pause_s
            pause_s = min(2 * pause_s, max(self.first_s, self.longest_s))


def never(_error: AgentError, _elapsed_s: float) -> bool:
    """No error passes: only NotYet is repeated."""
    return False


def retry(
    attempt: Callable[[], Value],
    deadline: Deadline,
    pauses: Pauses,
    *,
    passes: Passes = never,
    say: Callable[[str], None] = lambda _sentence: None,
) -> Value:
    """The value of the first `attempt` that returns. It is repeated when it raises NotYet, or an error that `passes`.

    `say` is told why it is repeated, whenever the reason changes.
    Raises any other error of `attempt`; DeadlineExceeded, whose `seen` is the last reason; StopRequested."""
    began_s, seen = deadline.clock.monotonic(), ""
    cause: AgentError | None = None
    deadline.check()
    for pause_s in pauses:
        try:
            return attempt()
        except NotYet as reason:
            said, seen, cause = seen, str(reason), None
        except AgentError as error:
            if not passes(error, deadline.clock.monotonic() - began_s):
                raise
            said, seen, cause = seen, str(error), error
        if seen != said:
            say(seen)
        try:
            deadline.pause(pause_s, seen)
        except DeadlineExceeded as over:
            raise over.because(cause) from cause
    raise AssertionError("pauses have no end")
