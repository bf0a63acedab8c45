"""What one run of the watchdog leaves to the next, as one small JSON text. Pure.

For: watch, which keeps it in a parameter; `soloist breaker`, which shows and clears it. Guarantees: a text that is not
understood is an error and never an empty memory, because an empty one would permit a second replacement; what a newer
version adds is left out. Does not: read or write the parameter.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, TypeVar

LONGEST_LIST = 20  # versions that are known to be bad; the oldest are dropped


@dataclass(frozen=True, kw_only=True)
class Boot:
    """The instance that boots or serves. Times are epoch seconds of AWS's clock, 0 for never."""

    instance_id: str = ""
    version: str = ""  # of the launch template
    answered_on: int = 0  # the port on which it has answered, at least once
    beaten: bool = False  # a heartbeat of it has arrived
    ready_at: float = 0.0  # seen in service
    unhealthy: bool = False  # the group calls it so
    is_over: bool = False  # it is being ended, or gone


@dataclass(frozen=True, kw_only=True)
class Memory:
    """All of it. `reached_on`: the port on which some instance has answered, so that this function can reach one."""

    boot: Boot = field(default_factory=Boot)
    reached_on: int = 0
    acted_on: str = ""  # the instance that was ended last
    acted_at: float = 0.0
    failed_version: str = ""
    failed_boots: int = 0  # of that version, in a row
    good: str = ""  # the last version that was ready and stayed so
    broken: tuple[str, ...] = ()  # versions from which the breaker went back
    gave_up: bool = False  # nothing is left to go back to; people were told

    def cleared(self) -> Memory:
        """As a person leaves it who has mended the image: no version is called bad."""
        return replace(self, failed_version="", failed_boots=0, broken=(), gave_up=False)


_Part = TypeVar("_Part", Boot, Memory)


class BadMemory(ValueError):
    """The text is not a memory. The message says what is wrong."""


def memory_text(memory: Memory) -> str:
    """What `parse_memory` reads."""
    return json.dumps(asdict(replace(memory, broken=memory.broken[-LONGEST_LIST:])))


def parse_memory(text: str) -> Memory:
    """Raises BadMemory."""
    try:
        found = json.loads(text)
        boot = _checked(Boot, found.pop("boot", {}))
        return replace(_checked(Memory, found), boot=boot)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise BadMemory(f"the watchdog's memory cannot be read: {error}") from None


def _checked(kind: type[_Part], found: Any) -> _Part:
    """One of `kind`, from those of its fields that `found` has, each of the type of its default."""
    if not isinstance(found, dict):
        raise BadMemory(f"{kind.__name__} is {found!r}"[:200])
    empty, given = kind(), {}
    for one in fields(kind):
        if one.name in found:
            value, example = found[one.name], getattr(empty, one.name)
            if isinstance(example, tuple) and isinstance(value, list):
                value = tuple(str(each) for each in value)
            elif isinstance(example, float) and type(value) is int:
                value = float(value)
            if type(value) is not type(example) or (isinstance(value, float) and not math.isfinite(value)):
                raise BadMemory(f"{one.name} is {value!r}"[:200])
            given[one.name] = value
    return kind(**given)
