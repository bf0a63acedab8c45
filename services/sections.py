"""The sections of a service file that can still be judged when something in them is wrong.

For: services.load, so that one mistake does not hide the next. Guarantees: a section is what the file says, with every
wrong value replaced by its default or by the example of its kind; positions in lists stay what they are.
Does not: report. The values replaced are findings already, and services.load drops judgements that rest on them.
"""

from __future__ import annotations

import copy
import json
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from services.schema import Loc, child, real_loc, schema_at
from services.spec import ServiceFile

ROUNDS = 10  # each round repairs one level of nesting; a section that needs more is left out


def usable_sections(tree: dict[str, Any]) -> dict[str, Any]:
    """Every section that is present or optional and is valid once its own mistakes are replaced."""
    sections: dict[str, Any] = {}
    for name, info in ServiceFile.model_fields.items():
        if name in tree:
            sections |= _repaired({name: copy.deepcopy(tree[name])}, _adapter(name))
        elif not info.is_required():
            sections[name] = info.get_default()
    return sections


@cache
def _adapter(name: str) -> TypeAdapter[Any]:
    """Validates a mapping of the section's name to the section."""
    kind: Any = ServiceFile.model_fields[name].rebuild_annotation()
    return TypeAdapter(dict[str, kind])


def to_json(tree: Any) -> bytes:
    """`tree` as JSON for pydantic, whose strict mode reads lists as tuples only from there."""
    return json.dumps(tree, default=str).encode()


def _repaired(holder: dict[str, Any], adapter: TypeAdapter[Any]) -> dict[str, Any]:
    for _ in range(ROUNDS):
        try:
            return dict(adapter.validate_json(to_json(holder)))
        except ValidationError as error:
            wrong = [(real_loc(holder, item["loc"]), item) for item in error.errors()]
            for loc, item in wrong:
                _replace(holder, loc, remove=item["type"] == "extra_forbidden" or item["loc"][-1] == "[key]")
    return {}


def _replace(holder: dict[str, Any], loc: Loc, *, remove: bool) -> None:
    """Replace the value at `loc` by its example. Without an example remove it, and what cannot be without it."""
    node: Any = holder
    for step in loc[:-1]:
        node = child(node, step)
    if not isinstance(node, dict | list) or not loc:
        return  # went away together with what held it
    examples = schema_at(loc, holder).get("examples", [])
    last: Any = loc[-1]
    if isinstance(node, dict) and (remove or (last in node and not examples)):
        node.pop(last, None)
    elif examples and (isinstance(node, dict) or last < len(node)):
        node[last] = copy.deepcopy(examples[0])
    elif len(loc) > 1:
        _replace(holder, loc[:-1], remove=True)
