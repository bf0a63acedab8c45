"""One instance as the Auto Scaling group sees it.

For: the adapter of Auto Scaling, which makes these, and the lease's rules, which judge them. Guarantees: pure.
Does not: ask the group.
"""

from __future__ import annotations

from dataclasses import dataclass

COUNTED_STATES = ("Pending", "Pending:Wait", "Pending:Proceed", "InService")


@dataclass(frozen=True, kw_only=True)
class Member:
    """One instance as the group sees it: `InService`, `Pending:Wait`, `Terminating:Wait`, ...; its health status."""

    lifecycle_state: str
    is_healthy: bool

    @property
    def is_counted(self) -> bool:
        """The group counts on this instance: it is arriving or in service, and not about to be replaced."""
        return self.is_healthy and self.lifecycle_state in COUNTED_STATES
