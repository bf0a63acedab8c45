"""The JSON schema of the service file, and pydantic's errors in the words of a Finding.

For: editors (services/schema.json), services.load. Guarantees: a finding quotes the description, the example and the
known keys from the same schema the editor shows. Does not: validate; pydantic does.
"""

from __future__ import annotations

import difflib
import json
from functools import cache
from typing import Any

from services.findings import Finding
from services.spec import ServiceFile

Loc = tuple[str | int, ...]


@cache
def json_schema() -> dict[str, Any]:
    """The JSON schema of a service file."""
    return ServiceFile.model_json_schema()


def schema_text() -> str:
    """What services/schema.json must hold."""
    return json.dumps(json_schema(), indent=2, sort_keys=True) + "\n"


def real_loc(tree: Any, loc: Loc) -> Loc:
    """`loc` as keys of `tree`: pydantic puts the tag of a union, or [key] for a bad key, between or behind them."""
    real: list[str | int] = []
    node = tree
    for number, step in enumerate(loc):
        there = isinstance(node, dict) and step in node
        if not there and (step == "[key]" or (isinstance(node, dict) and number < len(loc) - 1)):
            continue
        real.append(step)
        node = child(node, step)
    return tuple(real)


def path_of(tree: Any, loc: Loc) -> str:
    """`loc` as people write it: file_system.directories[1].target."""
    path = ""
    for step in real_loc(tree, loc):
        path += f"[{step}]" if isinstance(step, int) else f".{step}"
    return path.lstrip(".")


def child(node: Any, step: str | int) -> Any:
    """What `step` leads to from `node`, None where it leads nowhere."""
    if isinstance(node, dict):
        return node.get(step)
    if isinstance(node, list) and isinstance(step, int) and step < len(node):
        return node[step]
    return None


def schema_at(loc: Loc, tree: Any) -> dict[str, Any]:
    """The schema of the value at `loc`; {} where there is none."""
    node, value = _resolved(json_schema(), tree), tree
    for step in loc:
        value = child(value, step)
        if isinstance(step, int):
            below = node.get("items", {})
        else:
            below = node.get("properties", {}).get(step) or next(iter(node.get("patternProperties", {}).values()), None)
            below = below or node.get("additionalProperties") or {}
        node = _resolved(below, value) if isinstance(below, dict) else {}
    return node


def direct_errors(errors: list[Any]) -> list[Any]:
    """`errors` without "too short" of lists whose items are wrong: that is the same mistake seen twice."""
    return [
        error
        for error in errors
        if error["type"] != "too_short"
        or not any(other is not error and other["loc"][: len(error["loc"])] == error["loc"] for other in errors)
    ]


def translate(tree: Any, error: Any) -> Finding:
    """One pydantic error as a finding."""
    loc: Loc = real_loc(tree, error["loc"])
    path = path_of(tree, error["loc"])
    if error["type"] == "union_tag_invalid":
        tags = error["ctx"]["expected_tags"].replace("'", "")
        return Finding(path=path, value=_shown(tree, loc), problem="kind is unknown", remedy=f"Use one of {tags}")
    if error["loc"][-1] == "[key]":  # every mapping with keys of one's own is keyed by zone
        remedy = "Name an availability zone, for example us-east-1a"
        return Finding(path=path, value=json.dumps(loc[-1]), problem="the key is no zone", remedy=remedy)
    if error["type"] == "extra_forbidden":
        known = sorted(schema_at(loc[:-1], tree).get("properties", {}))
        close = difflib.get_close_matches(str(loc[-1]), known, n=1)
        remedy = f"Write {close[0]}" if close else "Known keys: " + ", ".join(known)
        return Finding(path=path, value=_shown(tree, loc), problem="unknown key", remedy=remedy)
    if error["type"] == "missing":
        return Finding(path=path, value="", problem="missing", remedy=f"Add it. {_expected(loc, tree)}")
    if error["type"] == "value_error":  # one of ours
        problem = str(error["ctx"]["error"])
    else:
        problem = _PROBLEMS.get(error["type"], "not of the right form").format(**error.get("ctx", {}))
    return Finding(path=path, value=_shown(tree, loc), problem=problem, remedy=_expected(loc, tree))


# pydantic's types of error in the words of a finding.
_PROBLEMS = {
    **dict.fromkeys(("int_type", "int_from_float", "int_parsing", "int_parsing_size"), "not a whole number"),
    **dict.fromkeys(("float_type", "float_parsing"), "not a number"),
    **dict.fromkeys(("tuple_type", "list_type"), "not a list"),
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "not a mapping"),
    **dict.fromkeys(("too_short", "string_too_short"), "empty"),
    "bool_type": "neither true nor false",
    "finite_number": "not a finite number",
    "greater_than": "not more than {gt}",
    "greater_than_equal": "less than {ge}",
    "less_than_equal": "more than {le}",
    "literal_error": "not one of the choices",
    "string_too_long": "longer than {max_length} characters",
    "string_type": "not a text",
    "too_long": "more than {max_length} of them",
    "union_tag_not_found": "kind is missing",
}


def _expected(loc: Loc, tree: Any) -> str:
    schema = schema_at(loc, tree)
    if "enum" in schema:
        return "Use one of " + ", ".join(map(str, schema["enum"]))
    parts = [str(schema["description"]).split("\n")[0].rstrip(".")] if "description" in schema else []
    if "examples" in schema:
        parts.append("for example " + json.dumps(schema["examples"][0]))
    if "properties" in schema and "required" in schema:
        parts.append("needs " + ", ".join(schema["required"]))
    return ", ".join(parts) or f"Give {_kind(schema)}"


def _kind(schema: dict[str, Any]) -> str:
    kinds = {"array": "a list", "object": "a mapping", "string": "a text", "boolean": "true or false"}
    kind = kinds.get(str(schema.get("type")), "a number")
    if "minimum" in schema and "maximum" in schema:
        return f"{kind} from {schema['minimum']} to {schema['maximum']}"
    return kind


def _resolved(schema: dict[str, Any], value: Any) -> dict[str, Any]:
    """`schema` with references, optional values and tagged unions resolved for `value`."""
    if "$ref" in schema:
        target = json_schema()["$defs"][schema["$ref"].rsplit("/", 1)[1]]
        return _resolved({**target, **{key: item for key, item in schema.items() if key != "$ref"}}, value)
    for option in schema.get("anyOf", []):
        if option.get("type") != "null":
            return _resolved(option, value)
    if "discriminator" in schema:
        tag = value.get(schema["discriminator"]["propertyName"]) if isinstance(value, dict) else None
        target = schema["discriminator"]["mapping"].get(str(tag))
        return _resolved({"$ref": target}, value) if target else schema
    for option in schema.get("oneOf", []):  # a section whose kind may be left out
        part = _resolved(option, value)
        kind = part.get("properties", {}).get("kind", {})
        if isinstance(value, dict) and kind.get("const") == value.get("kind", kind.get("default")):
            return part
    return schema


def _shown(tree: Any, loc: Loc) -> str:
    value = tree
    for step in loc:
        value = child(value, step)
    text = json.dumps(value, default=str, ensure_ascii=False)
    text = text if text.isprintable() else json.dumps(value, default=str)
    return text if len(text) <= 60 else text[:57] + "..."
