"""The contract of a health check, whatever its kind.

For: the kinds, which are the modules of bootstrap.machine.probes, and the boot document, which has some of them.
Guarantees: a check outside its limits cannot be made. Does not: know a kind.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from bootstrap.base.clock import Deadline
from bootstrap.base.values import Seconds, require

# Runs a program until the deadline: "" when it exits 0, else the reason. Raises StopRequested.
RunCommand = Callable[[tuple[str, ...], Deadline], str]


@dataclass(frozen=True, kw_only=True)
class Check(ABC):
    """One health check. Its kinds are the modules of bootstrap.machine.probes: fields, their limits, and the probe."""

    kind: str
    timeout_s: Seconds = 5.0

    def __post_init__(self) -> None:
        require(self)

    @abstractmethod
    def failure(self, limit: Deadline, run: RunCommand, /) -> str:
        """Why the check fails now, in one line; "" when it passes. Done before `limit`. Raises StopRequested."""
