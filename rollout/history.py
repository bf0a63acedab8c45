"""The history of promotions of one service, in an SSM parameter, newest last.

For: promote notes each promotion before it moves anything; rollback goes back by it. Guarantees: at most `KEPT`
entries; a promotion that is noted twice in a row is kept once; a parameter that holds no such history is an error with
its remedy and is never overwritten. Does not: say what runs (rollout.observe does).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Annotated

from bootstrap.base.codec import decode_tree, read_json, to_tree
from bootstrap.base.names import rollouts_parameter
from bootstrap.base.values import Limits
from rollout.aws import Clients, doing, read_parameter
from rollout.errors import PreconditionError

KEPT = 20


Version = Annotated[int, Limits(says="The number of a version, from 1 on", least=1)]


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One promotion. `at` is UTC, ISO 8601, for people; versions are of the launch template of that id.
    `is_rollback`: soloist itself chose the version, as the way back."""

    at: str
    from_version: Version
    to_version: Version
    image_id: str
    launch_template_id: str = ""
    is_rollback: bool = False


def read_history(clients: Clients, service: str) -> tuple[Promotion, ...]:
    """Every promotion that is remembered. Raises RolloutError; PreconditionError where the text is no history."""
    name = rollouts_parameter(service)
    text = read_parameter(clients, name) or "[]"
    try:
        return tuple(decode_tree(Promotion, item, unknown_keys="ignore") for item in _items(text))
    except ValueError as error:  # DecodeError is one
        raise PreconditionError(
            f"{service}: parameter {name} is no history of promotions: {error}. Set its value to [] to begin a new one"
        ) from None


def way_back(history: tuple[Promotion, ...], promoted: int, *, is_ready: bool) -> int | None:
    """The version that a rollback goes to, or None where none is known. Pure.

    `history`: of the present launch template. `is_ready`: an instance of the version `promoted` serves. A rollback that
    was interrupted, or whose instance is not ready yet, is repeated; a promotion that was interrupted does not count;
    one that is complete is undone, and each rollback undoes one.
    """
    if history and history[-1].is_rollback and (history[-1].to_version != promoted or not is_ready):
        return history[-1].to_version
    if history and history[-1].to_version != promoted:
        history = history[:-1]
    ways: list[int] = []
    for entry in history:
        if not entry.is_rollback:
            ways.append(entry.from_version)
        elif ways:
            ways.pop()
    return ways[-1] if ways else None


def note(clients: Clients, service: str, promotion: Promotion) -> None:
    """Remember `promotion`, unless it is the last one already. Raises what `read_history` raises, and RolloutError."""
    history = read_history(clients, service)
    if history and replace(history[-1], at=promotion.at) == promotion:
        return  # noted by a run that was interrupted afterwards
    name = rollouts_parameter(service)
    text = json.dumps(to_tree((*history, promotion)[-KEPT:]))
    with doing(f"cannot write parameter {name}"):
        clients.ssm.put_parameter(Name=name, Value=text, Type="String", Overwrite=True)


def _items(text: str) -> list[object]:
    tree = read_json(text)
    if not isinstance(tree, list):
        raise ValueError("not a list")
    return tree
