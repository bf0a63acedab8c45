"""Cheaper versions of pure functions that the simulation calls most often; each gives the same result.

For: lab.simulation.world, which plants them for the time of a run. Guarantees: `tests/unit/lab/simulation` compares
each with the original. Does not: replace a rule or a loop of the code that ships.
"""

from collections.abc import Callable, Iterable
from dataclasses import fields
from functools import lru_cache
from json.encoder import encode_basestring_ascii
from math import isfinite
from typing import Any

from bootstrap.fence import rules as fence_rules
from bootstrap.lease import directory
from bootstrap.lease.rules import acquire, record, renew, watch
from bootstrap.lease.rules.record import LeaseRecord

MOST_KNOWN = 256
_known: dict[tuple[str, int], LeaseRecord | None] = {}
_highest_of = lru_cache(maxsize=MOST_KNOWN)(record.highest_generation)
file_name = lru_cache(maxsize=MOST_KNOWN)(record.file_name)


def parsed(text: str, generation: int) -> LeaseRecord | None:
    """parse_record. Holder, newcomer and checker parse the same text, which one of them has rendered most often."""
    try:
        return _known[text, generation]
    except KeyError:
        return _remembered(text, generation, record.parse_record(text, generation))


def _remembered(text: str, generation: int, found: LeaseRecord | None) -> LeaseRecord | None:
    if len(_known) >= MOST_KNOWN:
        _known.clear()
    _known[text, generation] = found
    return found


TEMPLATE = "{" + ",".join([f'"{item.name}":%s' for item in fields(LeaseRecord)]) + "}\n"


def rendered(own: LeaseRecord) -> str:
    """render_record, which `parsed` then need not read: the codec reads back what it wrote as an equal value."""
    text = TEMPLATE % tuple([_JSON[type(value)](value) for value in vars(own).values()])
    # Another character may be half of a pair, which is no text.
    is_plain = len(text) <= record.LARGEST_RECORD and "\\u" not in text
    if is_plain and own.lease_duration_s > 0.0 and own.instance_id:
        _remembered(text, own.generation, own)
    return text


def _number(value: float) -> str:
    if not isfinite(value):
        raise ValueError(f"{value} is no JSON")
    return repr(value)


_JSON: dict[type, Callable[[Any], str]] = {
    str: encode_basestring_ascii,
    int: repr,
    float: _number,
    bool: lambda value: "true" if value else "false",
}


def highest_generation(names: Iterable[str]) -> int:
    """The same few names at most looks."""
    return _highest_of(tuple(names))


def replaced(thing: Any, /, **changes: Any) -> Any:
    """dataclasses.replace for a dataclass without __post_init__, of whose fields all are in its __dict__."""
    values = {**vars(thing), **changes}
    if len(values) != len(vars(thing)):
        raise TypeError(f"{type(thing).__name__} has no field {sorted(set(changes) - set(vars(thing)))}")
    new = object.__new__(type(thing))
    new.__dict__.update(values)
    return new


def plant() -> list[tuple[Any, str, Any]]:
    """For lab.simulation.planting."""
    replacing = [(owner, "replace", lambda _real: replaced) for owner in (fence_rules, acquire, record, renew, watch)]
    return [
        *replacing,
        (directory, "parse_record", lambda _real: parsed),
        (directory, "render_record", lambda _real: rendered),
        (directory, "highest_generation", lambda _real: highest_generation),
        (directory, "file_name", lambda _real: file_name),
    ]
