"""One entry of the log of takeovers: who took over from whom, why it was allowed, and how long each phase took.

For: run.takeovers, which writes an entry when an instance is ready; the state server, which shows the newest; people,
who read the file (docs/runbook.md). Guarantees: pure; a line is ASCII, one line, and never longer than the log takes;
of a text only the lines that are entries are read, whatever else stands there. Does not: touch the file.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bootstrap.base.codec import DecodeError, decode, encode
from bootstrap.base.state import TimelineEntry
from bootstrap.base.values import Generation

LARGEST_LINE = 4096  # bytes, as in machine/data_child.py
LONGEST_WHY = 300  # characters


@dataclass(frozen=True, kw_only=True)
class Takeover:
    """The predecessor's fields are empty, and its generation 0, where it is not known or there was none."""

    generation: Generation
    at: str  # wall time at which it was ready
    predecessor_generation: Generation = 0
    predecessor_id: str = ""
    predecessor_zone: str = ""
    predecessor_version: str = ""
    instance_id: str
    zone: str
    image_id: str
    image_version: str
    ground: str = ""  # the word of the lease record
    why: str = ""  # the sentence of the decision that took the lease
    ready_after_s: float  # since the agent started
    phases: tuple[TimelineEntry, ...] = ()


def render_takeover(takeover: Takeover) -> str:
    """One line of JSON, without a line break."""
    phases = tuple(replace(each, detail="") for each in takeover.phases)
    takeover = replace(takeover, why=takeover.why[:LONGEST_WHY], phases=phases)
    while len(text := encode(takeover)) > LARGEST_LINE and takeover.phases:
        takeover = replace(takeover, phases=takeover.phases[:-1])
    return text


def parse_takeovers(text: str) -> tuple[Takeover, ...]:
    """The entries in `text`, the newest first; what is no entry is left out."""
    found: list[Takeover] = []
    for line in text.splitlines():
        try:
            found.append(decode(Takeover, line, unknown_keys="ignore", largest=LARGEST_LINE))
        except DecodeError:
            continue
    return tuple(reversed(found))
