"""Messages to people, for tests of what is told."""

from dataclasses import replace

from bootstrap.tell.message import Kind, Message

BEGINNING = Message(
    kind="degraded",
    service="demo",
    instance_id="i-1",
    zone="us-east-1a",
    generation=5,
    reason="file-system-full",
    what="trouble (file-system-full)",
    why="no space left. Delete what is not needed.",
    at="2026-11-30T03:00:00.000Z",
)
END = replace(BEGINNING, kind="recovered", what="file-system-full is over")


def other(number: int, kind: Kind = "boot-failed") -> Message:
    return replace(BEGINNING, kind=kind, reason=f"reason-{number}", what=f"what {number}")
