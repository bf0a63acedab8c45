"""What CloudFormation refuses before anything is made: names, sizes, capabilities, parameters, and loose references.

For: `api`. Pure. Guarantees: a template that is let through has every name that it mentions, and its parameters are of
the values that they allow. Does not: look at properties (`resource_schemas`) or know attributes of resources.
Sources: CloudFormation API reference CreateStack (StackName, TemplateBody, Capabilities, Parameters); user guide
"Parameters", "Conditions"; texts as seen in serverless/serverless#4745, aws-cloudformation/cfn-lint#99.
"""

import re
from collections.abc import Iterator
from typing import Any

from lab.aws.cloudformation.stack_templates import referenced_names

_BODY_BYTES = 51_200
_NAME = re.compile(r"[a-zA-Z][-a-zA-Z0-9]{0,127}")
_PSEUDO = {f"AWS::{name}" for name in ("AccountId", "NotificationARNs", "NoValue", "Partition", "Region")}
_PSEUDO |= {f"AWS::{name}" for name in ("StackId", "StackName", "URLSuffix")}
_NAMING = {"Role": "RoleName", "InstanceProfile": "InstanceProfileName", "ManagedPolicy": "ManagedPolicyName"}
_FORMAT = "Template format error: Unresolved"
_UNMODELLED, _POLICIES = ("Transform", "Rules", "Hooks"), ("UpdatePolicy", "CreationPolicy")
_UNCHECKED = ("MinLength", "MaxLength", "MinValue", "MaxValue")


def bad_request(name: str, body: str | None) -> str:
    """What is wrong with a new stack's name, or with a template that is sent along; "" when nothing is."""
    if name and not _NAME.fullmatch(name):
        return (
            f"1 validation error detected: Value '{name}' at 'stackName' failed to satisfy constraint: Member must "
            "satisfy regular expression pattern: [a-zA-Z][-a-zA-Z0-9]* and have at most 128 characters"
        )
    if len((body or "").encode()) > _BODY_BYTES:
        return (
            "1 validation error detected: Value at 'templateBody' failed to satisfy constraint: Member must have "
            f"length less than or equal to {_BODY_BYTES}"
        )
    return ""


def missing_capability(template: dict[str, Any], given: list[str]) -> str:
    """The capability that must be acknowledged and is not; IAM resources with names of their own need the named one."""
    resources = (template.get("Resources") or {}).values()
    iam = [one for one in resources if str(one.get("Type")).startswith("AWS::IAM::")]
    named = any(_NAMING.get(one["Type"].rpartition(":")[2]) in (one.get("Properties") or {}) for one in iam)
    enough = {"CAPABILITY_NAMED_IAM"} | (set() if named else {"CAPABILITY_IAM"})
    return "" if not iam or enough & set(given) else "CAPABILITY_NAMED_IAM" if named else "CAPABILITY_IAM"


def parameter_findings(template: dict[str, Any], given: dict[str, Any]) -> Iterator[str]:
    """What is wrong with the parameters of a request."""
    declared = template.get("Parameters") or {}
    unknown = sorted(set(given) - set(declared))
    if unknown:
        yield f"Parameters: [{', '.join(unknown)}] do not exist in the template"
    for name, one in declared.items():
        value = str(given.get(name, one.get("Default", "")))
        pattern, allowed = one.get("AllowedPattern"), [str(each) for each in one.get("AllowedValues") or []]
        if pattern and not re.fullmatch(pattern, value):
            why = one.get("ConstraintDescription", f"must match pattern {pattern}")
            yield f"Parameter '{name}' failed to satisfy constraint: {why}"
        if allowed and value not in allowed:
            yield f"Parameter '{name}' must be one of AllowedValues"
        yield from (f"the lab does not model {key} of parameter {name}" for key in _UNCHECKED if key in one)


def format_findings(template: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a template's form, and which parts of it the lab does not model."""
    resources = template.get("Resources") or {}
    if not resources:
        yield "Template format error: At least one Resources member must be defined."
    yield from (f"the lab does not model {part} of a template" for part in _UNMODELLED if template.get(part))
    for name, one in resources.items():
        if "Type" not in one:
            yield f"Template format error: [/Resources/{name}] Every Resources object must contain a Type member."
        yield from (f"the lab does not model {part} (of {name})" for part in _POLICIES if one.get(part))


def reference_findings(template: dict[str, Any]) -> Iterator[str]:
    """Names that a template mentions and does not have."""
    resources, parameters = template["Resources"], set(template.get("Parameters") or {}) | _PSEUDO
    conditions, mappings = set(template.get("Conditions") or {}), set(template.get("Mappings") or {})
    known = {"Conditions": parameters, "Resources": parameters | set(resources), "Outputs": parameters | set(resources)}
    for block, names in known.items():
        parts = [_without_metadata(one) for one in (template.get(block) or {}).values()]
        lost = sorted(referenced_names(parts) - names)
        if lost:
            yield f"{_FORMAT} resource dependencies [{', '.join(lost)}] in the {block} block of the template"
        entries = list(_entries(parts))
        asked = {inner for key, inner in entries if key == "Condition" and isinstance(inner, str)}
        lost = sorted((asked | {inner[0] for key, inner in entries if key == "Fn::If"}) - conditions)
        if lost:
            yield f"{_FORMAT} condition dependency [{', '.join(lost)}] in the {block} block of the template"
        maps = {inner[0] for key, inner in entries if key == "Fn::FindInMap" and isinstance(inner[0], str)}
        yield from (
            f"Template error: Mapping named '{name}' is not present in the template" for name in sorted(maps - mappings)
        )
        yield from (f"the lab does not model Export, in the {block} block" for part in parts if "Export" in part)


def _without_metadata(part: Any) -> Any:
    return {key: value for key, value in part.items() if key != "Metadata"} if isinstance(part, dict) else part


def _entries(value: Any) -> Iterator[tuple[str, Any]]:
    """Each key of a piece of template, at any depth, with what is below it."""
    for item in value if isinstance(value, list) else []:
        yield from _entries(item)
    for key, inner in value.items() if isinstance(value, dict) else []:
        yield key, inner
        yield from _entries(inner)
