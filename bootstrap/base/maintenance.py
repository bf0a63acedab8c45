"""Maintenance mode: a person works on the service, so nobody restarts or replaces it for its health.

For: run.maintenance, which obeys it, and the command `soloist pause`, which asks for it. Guarantees: pure; it has an
end, at most `LONGEST_S` after it was asked for. Does not: know clocks; when it was asked for is AWS's to say.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from bootstrap.base.codec import decode
from bootstrap.base.values import Limits, Text, require

LONGEST_S = 7 * 24 * 3600.0
Length = Annotated[float, Limits(says="Seconds, from 60 to 604800 (a week)", example=3600, least=60, most=LONGEST_S)]


@dataclass(frozen=True, kw_only=True)
class Maintenance:
    """`for_s`: counted from when it was written. `by` and `why` are for people."""

    for_s: Length
    by: Text
    why: Text

    def __post_init__(self) -> None:
        require(self)


def parse_maintenance(text: str) -> Maintenance:
    """Raises ValueError."""
    return decode(Maintenance, text, unknown_keys="ignore")
