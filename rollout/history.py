"""The history of promotions of one service, in an SSM parameter, newest last.

For: promote notes each promotion before it moves anything; rollback goes back by it. Guarantees: at most `KEPT`
entries; a promotion that is noted twice in a row is kept once; a parameter that holds no such history is an error with
its remedy and is never overwritten. Does not: say what runs (rollout.observe does).
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

from bootstrap.base.codec import decode_tree, to_tree
from bootstrap.base.names import rollouts_parameter
from rollout.aws import Clients, doing, read_parameter
from rollout.errors import PreconditionError

KEPT = 20


@dataclass(frozen=True, kw_only=True)
class Promotion:
    """One promotion. `at` is UTC, ISO 8601, for people; versions are of the launch template."""

    at: str
    from_version: int
    to_version: int
    image_id: str


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
    tree = json.loads(text)
    if not isinstance(tree, list):
        raise ValueError("not a list")
    return tree
