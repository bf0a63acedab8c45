"""The rules that are broken on purpose: each says what it breaks and how it is seen, and is planted for one run.

For: broken_takeover, broken_holding and defects, which register them under the names of their functions. Guarantees:
whatever was replaced is put back, and a name that is not there is an error, so that a defect cannot be planted beside
the code it is meant to break. Does not: know any rule.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

Wrap = Callable[[Any], Any]  # makes the broken version from the real one
Places = list[tuple[Any, str, Wrap]]
Plant = Callable[[], Places]
TWO_WRITERS = "could both write"


@dataclass(frozen=True, kw_only=True)
class Defect:
    """`seen_as`: parts of violations, one of which must be reported. `plant`: what is replaced in the code that ships;
    none where a part of the world reads the name."""

    rule: str
    seen_as: tuple[str, ...]
    plant: Plant | None


DEFECTS: dict[str, Defect] = {}


def register(name: str, rule: str, seen_as: tuple[str, ...], plant: Plant | None = None) -> None:
    """`name` as its function has it; seen as two writers where nothing else is said."""
    DEFECTS[name.replace("_", "-")] = Defect(rule=rule, seen_as=seen_as or (TWO_WRITERS,), plant=plant)


def defect(rule: str, *seen_as: str) -> Callable[[Plant], Plant]:
    """For a function that says which places are replaced."""

    def registered(plant: Plant) -> Plant:
        register(plant.__name__, rule, seen_as, plant)
        return plant

    return registered


def replacing(owner: Any, name: str, rule: str, *seen_as: str) -> Callable[[Wrap], Wrap]:
    """For a function that makes the broken version of `owner.name`."""

    def registered(wrap: Wrap) -> Wrap:
        register(wrap.__name__, rule, seen_as, lambda: [(owner, name, wrap)])
        return wrap

    return registered


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
