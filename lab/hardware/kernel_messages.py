"""Picks the messages of a kernel that say why it ended or hangs. Pure.

For: errors about a machine, whose reader does not see its console. Guarantees: no more lines than
asked for. Does not: interpret the messages.
"""

from __future__ import annotations

PANIC = "Kernel panic"


def telling(text: str, lines: int) -> str:
    """The last `lines` of `text`, joined by ' | '; after a panic, those around it: the cause comes before, the trace
    after."""
    seen = [line.strip() for line in text.splitlines() if line.strip()]
    panic = [number for number, line in enumerate(seen) if PANIC in line]
    first = max(0, panic[0] - lines // 2) if panic else max(0, len(seen) - lines)
    return " | ".join(seen[first:][:lines])
