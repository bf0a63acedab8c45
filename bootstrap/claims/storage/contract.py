"""What every kind of storage does, and the loop that mounts it.

For: the steps mount-lease and mount-data, the upkeep, and the ordered stop. Guarantees: each attempt is bounded; a
storage is believed to be mounted only when the kernel says so and what is on it was verified; what could not be
verified is taken away before the next attempt; safe to repeat. Does not: decide who may mount (the lease does), or
write data.
"""

from __future__ import annotations

import logging
from typing import Protocol

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import AgentError, MountError
from bootstrap.base.retry import Pauses, retry
from bootstrap.base.state import FileSystemState
from bootstrap.machine.file_system import MountPlan

log = logging.getLogger(__name__)

PAUSES = Pauses(first_s=0.5, longest_s=5.0)
TAKE_AWAY_S = 20.0


class Storage(Protocol):
    """One storage, mounted at one place of this machine."""

    @property
    def root(self) -> str:
        """Where it is mounted."""

    @property
    def to_look_at(self) -> str:
        """What a person looks at where it cannot be mounted, as one imperative sentence."""

    def plan(self) -> list[MountPlan]:
        """The ways to mount it, best first."""

    def mount(self, plan: MountPlan, attempt: Deadline) -> str:
        """Mount it by `plan`, unless it is mounted so already; why it is not, "" when it is. Raises StopRequested, and
        an AgentError where trying again cannot help."""

    def verify(self, attempt: Deadline) -> str:
        """Why what is mounted cannot be used now; "" when it is this service's and answers. Raises StopRequested, and
        an AgentError where trying again cannot help."""

    def drift(self) -> str:
        """Why what is mounted now is not what was mounted, in words; "" when it is. Looks at the kernel's list only."""

    def inspect(self, attempt: Deadline) -> str:
        """Like `verify`, but writes nothing."""

    def shown(self) -> FileSystemState:
        """What people are shown of it. Asks the kernel's list, and never the storage."""

    def sync(self, deadline: Deadline) -> list[str]:
        """Write everything back; what was not done, in words."""

    def unmount(self, deadline: Deadline, *, may_be_lazy: bool) -> list[str]:
        """Take it away; what is left, in words. Never lazily where unwritten data may be: what is only detached can be
        written back at any later time, and nobody sees it."""


class NotMounted(MountError):
    """No way to mount it has worked so far; another attempt may."""


def ensure_mounted(storage: Storage, deadline: Deadline, attempt_s: float) -> str:
    """Mount it by the first way that works, each for at most `attempt_s`; by which, in words.
    Raises DeadlineExceeded, which names each way with its failure and what to look at; StopRequested, and an AgentError
    where trying again cannot help."""
    began_s = deadline.clock.monotonic()

    def attempt() -> str:
        failures: dict[str, list[str]] = {}  # the failure, and the ways that met it
        for plan in storage.plan():
            if deadline.is_past or deadline.stop.is_requested:
                break
            if deadline.clock.monotonic() - began_s < plan.patience_s:
                continue
            limit = deadline.within(attempt_s, f"mount {plan.target} by {plan.by}")
            seen = storage.mount(plan, limit) or storage.verify(limit)
            if not seen:
                return f"by {plan.by}"
            failures.setdefault(seen, []).append(plan.by)
            log.info("mount %s by %s: %s", plan.target, plan.by, seen)
            storage.unmount(Deadline(deadline.clock, TAKE_AWAY_S, "unmount", deadline.stop), may_be_lazy=True)
        what = "; ".join(f"{seen}, tried by {', then by '.join(ways)}" for seen, ways in failures.items())
        raise NotMounted(what, remedy=storage.to_look_at)

    return retry(attempt, deadline, PAUSES, passes=_may_work_later)


def _may_work_later(error: AgentError, _elapsed_s: float) -> bool:
    return isinstance(error, NotMounted)
