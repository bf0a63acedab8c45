"""Replaces parts of the code that ships for the time of one run.

For: lab.simulation.defects. Guarantees: whatever was replaced is put back, and a name that is not there is an error, so
that a defect cannot be planted beside the code it is meant to break. Does not: know any rule.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Wrap = Callable[[Any], Any]  # makes the broken version from the real one
Plant = Callable[[], list[tuple[Any, str, Wrap]]]


@contextmanager
def planted(plant: Plant | None) -> Iterator[None]:
    """Each (owner, name, wrap) of `plant`: `owner.name` is `wrap(real)` until the end of the body."""
    places = plant() if plant else []
    before = [(owner, name, vars(owner)[name]) for owner, name, _ in places]
    try:
        for owner, name, wrap in places:
            setattr(owner, name, wrap(vars(owner)[name]))
        yield
    finally:
        for owner, name, real in reversed(before):
            setattr(owner, name, real)
