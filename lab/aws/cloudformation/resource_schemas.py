"""What CloudFormation knows of a resource type's properties: AWS's published resource schema, as cfn-lint ships it.

For: `stack_operations` and `stack_updates`. Guarantees: a property that the schema does not have, at any depth, and a
required one that is missing, are said as CloudFormation says them; which changes need a replacement is the schema's
word (createOnlyProperties), not ours; a property that no resource type looks at is known (`Noticing`). Does not: check
values, patterns or types of properties, which cfn-lint does for our templates (tests/stacks). Loaded on first use,
which takes about a second.
Source: CloudFormation CLI user guide, "Resource type schema"; user guide "Update behaviors of stack resources".
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

_REGION = "us-east-1"  # the schemas of the first region have every type
Schema = dict[str, Any]


@lru_cache
def _schema(type_name: str) -> Schema | None:
    from cfnlint.schema import PROVIDER_SCHEMA_MANAGER, ResourceNotFoundError

    try:
        found: Schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema(_REGION, type_name).schema
    except ResourceNotFoundError:  # a custom resource: anything goes
        return None
    return found


def property_findings(type_name: str, properties: dict[str, Any]) -> list[str]:
    """What CloudFormation finds wrong with the names of resolved properties; empty when nothing is."""
    schema = _schema(type_name)
    if schema is None:
        return []
    missing = [f"#: required key [{key}] not found" for key in schema.get("required", []) if key not in properties]
    return [*missing, *_extraneous(schema, schema, properties, "#")]


def _extraneous(root: Schema, node: Schema, value: Any, path: str) -> Iterator[str]:
    while "$ref" in node:
        node = _at(root, node["$ref"].removeprefix("#/"))
    if isinstance(value, list):
        for number, item in enumerate(value):
            yield from _extraneous(root, node.get("items", {}), item, f"{path}/{number}")
    if not isinstance(value, dict) or "properties" not in node:
        return
    for key, inner in value.items():
        if key in node["properties"]:
            yield from _extraneous(root, node["properties"][key], inner, f"{path}/{key}")
        elif node.get("additionalProperties") is False and not _is_pattern_key(node):
            yield f"{path}: extraneous key [{key}] is not permitted"


def _is_pattern_key(node: Schema) -> bool:
    return bool(node.get("patternProperties"))


def _at(root: Any, pointer: str) -> Any:
    for part in pointer.split("/"):
        root = root[part]
    return root


def replacing_properties(type_name: str, old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """The changed properties whose update requires replacement, as paths such as `RootDirectory/Path`."""
    schema = _schema(type_name) or {}
    paths = [path.removeprefix("/properties/") for path in schema.get("createOnlyProperties", [])]
    return [path for path in paths if _value(old, path) != _value(new, path)]


def attribute_names(type_name: str) -> list[str]:
    """The attributes that AWS gives the resource (readOnlyProperties): what Fn::GetAtt can be asked for."""
    paths = (_schema(type_name) or {}).get("readOnlyProperties", [])
    return [path.removeprefix("/properties/").replace("/", ".") for path in paths]


def _value(properties: Any, path: str) -> Any:
    for part in path.split("/"):
        if not isinstance(properties, dict):
            return None
        properties = properties.get(part)
    return properties


class Noticing(dict[str, Any]):
    """Properties that remember which of them were looked at, so that none is dropped in silence.

    Whoever goes through all of them, or hands all of them on, has looked at all; copies share the memory.
    """

    def __init__(self, properties: dict[str, Any], seen: set[str] | None = None) -> None:
        super().__init__(properties)
        self._seen: set[str] = set() if seen is None else seen

    def unseen(self) -> list[str]:
        """The properties that nobody has looked at, sorted."""
        return sorted(set(super().keys()) - self._seen)

    def __getitem__(self, key: str) -> Any:
        self._seen.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._seen.add(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self._seen.add(str(key))
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        self._seen |= set(super().keys())
        return super().__iter__()

    def items(self) -> Any:
        self._seen |= set(super().keys())
        return super().items()

    def __or__(self, other: Any) -> Any:
        return Noticing(dict(super().items()) | dict(other), self._seen)

    def __deepcopy__(self, memo: dict[int, Any]) -> Noticing:
        return Noticing(copy.deepcopy(dict(super().items()), memo), self._seen)
