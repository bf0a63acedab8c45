"""Reading templates: which resource needs which, what differs between two of them. Pure.

For: `stack_operations` and `stack_updates`: create in this order, delete in reverse, update only what differs.
Guarantees: Metadata never counts as a difference; a cycle is an error, not a loop.
Does not: resolve functions to values (moto's `clean_json` does), expand transforms.
Source: CloudFormation user guide "DependsOn", "Update behaviors of stack resources".
"""

import re
from typing import Any

_SUBSTITUTION = re.compile(r"\$\{([^!}][^}]*)\}")


class BadTemplate(Exception):
    """The template cannot be deployed, whatever AWS holds."""


def referenced_names(value: Any) -> set[str]:
    """Every logical id or parameter that a piece of template mentions in Ref, Fn::GetAtt, Fn::Sub or Condition."""
    if isinstance(value, list):
        return set().union(*(referenced_names(item) for item in value)) if value else set()
    if not isinstance(value, dict):
        return set()
    names: set[str] = set()
    for key, inner in value.items():
        if key == "Ref" and isinstance(inner, str):
            names.add(inner)
        elif key == "Fn::GetAtt":
            names.add(inner[0] if isinstance(inner, list) else str(inner).partition(".")[0])
        elif key == "Fn::Sub":
            names |= _substituted_names(inner)
        else:
            names |= referenced_names(inner)
    return names


def _substituted_names(value: Any) -> set[str]:
    text, given = (value[0], value[1]) if isinstance(value, list) else (value, {})
    names = {name.partition(".")[0] for name in _SUBSTITUTION.findall(text)} - set(given)
    return names | referenced_names(given)


def explicit_dependencies(resource: dict[str, Any]) -> list[str]:
    """DependsOn, which is one name or a list of them."""
    explicit = resource.get("DependsOn") or []
    return [explicit] if isinstance(explicit, str) else explicit


def dependencies(resources: dict[str, Any]) -> dict[str, set[str]]:
    """For each resource the resources it needs."""
    found = {}
    for name, resource in resources.items():
        explicit = explicit_dependencies(resource)
        unknown = [other for other in explicit if other not in resources]
        if unknown:
            raise BadTemplate(
                f"Template format error: Unresolved resource dependencies {unknown} in the Resources block "
                "of the template"
            )
        mentioned = referenced_names(resource.get("Properties") or {}) & set(resources)
        found[name] = (mentioned | set(explicit)) - {name}
    return found


def creation_order(resources: dict[str, Any]) -> list[str]:
    """Names ordered so that each follows everything it needs. Raises BadTemplate for a cycle."""
    needs = dependencies(resources)
    order: list[str] = []
    while len(order) < len(resources):
        ready = [name for name in resources if name not in order and needs[name] <= set(order)]
        if not ready:
            stuck = sorted(set(resources) - set(order))
            raise BadTemplate(f"Circular dependency between resources: [{', '.join(stuck)}]")
        order += ready
    return order


def changed_text(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """True when two resource definitions differ in what matters for their deployment."""
    parts = ("Type", "Properties", "DeletionPolicy", "UpdateReplacePolicy", "Condition")
    return any(old.get(part) != new.get(part) for part in parts)


def changed_properties(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """Names of the top-level properties whose resolved values differ, sorted."""
    return sorted(name for name in {*old, *new} if old.get(name) != new.get(name))
