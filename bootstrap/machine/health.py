"""Asks the service whether it is well, by the health checks of the boot document.

For: step healthy and the supervisor. Guarantees: each probe is bounded by its own time-out and by the deadline given,
and its failure is a reason in words. `KINDS` are all kinds of check there are: one per module of
bootstrap.machine.probes, found by looking into that package, so that a new kind is one new module.
Does not: change anything, or decide what a failure means.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules

from bootstrap.base.check import Check
from bootstrap.base.clock import Deadline
from bootstrap.base.document import Health
from bootstrap.base.errors import DeadlineExceeded, ServiceError
from bootstrap.base.retry import NotYet, Pauses, retry
from bootstrap.machine import probes
from bootstrap.machine.commands import Commands

PAUSES = Pauses(first_s=0.25, longest_s=1.0)
SHORTEST_PROBE_S = 0.1  # also where a deadline leaves less

KINDS: tuple[type[Check], ...] = tuple(
    import_module(f"{probes.__name__}.{module.name}").KIND for module in iter_modules(probes.__path__)
)


class Prober:
    """Runs the checks of one service."""

    def __init__(self, commands: Commands, health: Health) -> None:
        self._commands = commands
        self._health = health

    def failures(self, deadline: Deadline) -> list[str]:
        """Why the service is not well, one entry per failing check; empty when all pass. Raises StopRequested."""
        found = (self._probe(check, deadline) for check in self._health.checks)
        return [reason for reason in found if reason]

    def await_healthy(self, deadline: Deadline) -> str:
        """Wait until all checks pass. Raises ServiceError when they do not until `deadline`, StopRequested."""
        rounds = 0

        def attempt() -> str:
            nonlocal rounds
            rounds += 1
            failures = self.failures(deadline)
            if failures:
                raise NotYet("; ".join(failures))
            return f"{len(self._health.checks)} checks passed in round {rounds}"

        try:
            return retry(attempt, deadline, PAUSES)
        except DeadlineExceeded as error:
            raise ServiceError(
                f"not healthy after {deadline.seconds:.0f} s: {error.seen or 'not asked'}",
                remedy="Read the service's journal; raise health.start_allowance_s if it only needs longer",
            ) from None

    def _probe(self, check: Check, deadline: Deadline) -> str:
        timeout_s = max(SHORTEST_PROBE_S, min(check.timeout_s, deadline.remaining_s))
        limit = Deadline(deadline.clock, timeout_s, f"health check {check.kind}", deadline.stop)
        return check.failure(limit, self._run)

    def _run(self, argv: Sequence[str], limit: Deadline) -> str:
        done = self._commands.run(argv, limit)
        return "" if done.succeeded else done.summary
