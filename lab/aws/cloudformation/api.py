"""CloudFormation's API over the lab's own deployment engine.

For: CreateStack, UpdateStack, DeleteStack and the CDK's direct method. Guarantees: calls return at once and
the operation goes on in a thread of its own, as on AWS; a template with a type that the lab does not model is refused
before anything is made; the hash of each template is that of the bytes received.
Does not: support change sets (moto reports success for those that fail; `cdk deploy` must be given `--method=direct`),
nested stacks, sets, transforms, imports, drift.
Sources: CloudFormation API reference (CreateStack, UpdateStack "No updates are to be performed.", DeleteStack).
"""

import hashlib
import json
import threading
import traceback
from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from moto.cloudformation.models import Stack
from yaml import YAMLError

from lab.aws.cloudformation.resource_types import type_named
from lab.aws.cloudformation.stack_operations import StackOperation
from lab.aws.cloudformation.stack_requests import format_findings, parameter_findings, reference_findings
from lab.aws.cloudformation.stack_templates import BadTemplate, creation_order
from lab.aws.cloudformation.stack_updates import StackUpdate
from lab.aws.cloudformation.state import CloudFormation
from lab.aws.core.cloud import Cloud, current
from lab.aws.core.errors import stack_refused
from lab.aws.core.patches import PROPERTY, original, replaces

_MODELS = "moto.cloudformation.models"
_PARSING = "moto.cloudformation.parsing"
_RESPONSE = "moto.cloudformation.responses:CloudFormationResponse"
_SHOWN = ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
_ENGINE = "moto skips unknown types, never rolls back, and updates by deleting"


def _start(cloud: Cloud, stack: Any, work: Callable[[], object]) -> None:
    def run() -> None:
        try:
            work()
        except Exception as error:
            cloud.note_error(f"stack {stack.name}:\n{traceback.format_exc()}")
            verb = stack.status.split("_", maxsplit=1)[0]
            StackOperation(cloud, stack).set_status(
                f"{verb}_FAILED", f"the lab failed: {type(error).__name__}: {error}"
            )
        finally:
            cloud.drain()

    thread = threading.Thread(target=run, name=f"stack-{stack.name}", daemon=True)
    CloudFormation.of(cloud).operations.append(thread)
    thread.start()


def _note_hash(cloud: Cloud, name: str, template: str) -> None:
    """The text is the request's TemplateBody, or the object in S3 that its TemplateURL names."""
    CloudFormation.of(cloud).template_hashes[name] = hashlib.sha256(template.encode("utf-8")).hexdigest()


def refuse_template(template: dict[str, Any], parameters: dict[str, Any]) -> None:
    """Raise AWS's ValidationError for a template that cannot be deployed with these parameters."""
    for finding in chain(format_findings(template), _unknown_types(template)):
        raise stack_refused(finding)
    for finding in chain(reference_findings(template), parameter_findings(template, parameters)):
        raise stack_refused(finding)
    try:
        creation_order(template["Resources"])
    except BadTemplate as error:
        raise stack_refused(str(error)) from error


def _unknown_types(template: dict[str, Any]) -> Iterator[str]:
    unknown = sorted({one["Type"] for one in template["Resources"].values() if type_named(one["Type"]) is None})
    if unknown:
        yield f"Template format error: Unrecognized resource types: {unknown} (the lab does not model them)"


@replaces(
    f"{_MODELS}:CloudFormationBackend.create_stack",
    expects="self, name, template, parameters, notification_arns, tags, role_arn, enable_termination_protection, "
    "timeout_in_mins, stack_policy_body",
    reason=_ENGINE,
)
def create_stack(self: Any, name: str, template: str, parameters: dict[str, Any], **kwargs: Any) -> Any:
    """CreateStack: refused at once, or CREATE_IN_PROGRESS."""
    from moto.cloudformation.utils import generate_stack_id

    cloud = current()
    _note_hash(cloud, name, template)
    if any(stack.name == name for stack in self.stacks.values()):
        raise stack_refused(f"Stack [{name}] already exists", "AlreadyExistsException")
    refuse_template(Stack.parse_template(template), parameters)
    stack = Stack(
        stack_id=generate_stack_id(name, self.region_name, self.account_id),
        name=name,
        template=template,
        parameters=parameters,
        account_id=self.account_id,
        region_name=self.region_name,
        cross_stack_resources=self.exports,
        **kwargs,
    )
    self.stacks[stack.stack_id] = stack
    operation = StackOperation(cloud, stack)
    operation.set_status("CREATE_IN_PROGRESS", "User Initiated")
    _start(cloud, stack, operation.create)
    return stack


@replaces(
    f"{_MODELS}:CloudFormationBackend.update_stack",
    expects="self, name, template, role_arn, parameters, tags",
    reason=_ENGINE,
)
def update_stack(
    self: Any,
    name: str,
    template: str,
    role_arn: str | None,  # noqa: ARG001 - part of moto's signature
    parameters: list[dict[str, Any]],
    tags: dict[str, str] | None,
) -> Any:
    """UpdateStack: refused at once, or UPDATE_IN_PROGRESS."""
    cloud, stack = current(), self.get_stack(name)
    _note_hash(cloud, stack.name, template)
    if not stack.status.endswith("_COMPLETE") or stack.status in ("ROLLBACK_COMPLETE", "DELETE_COMPLETE"):
        raise stack_refused(f"Stack:{stack.stack_id} is in {stack.status} state and can not be updated.")
    new = Stack.parse_template(template)
    former = _with_defaults(stack.template_dict, stack.parameters)
    given = _given(parameters, former)
    refuse_template(new, given)
    resolved = _with_defaults(new, given)
    if _essence(new) == _essence(stack.template_dict) and resolved == former:
        raise stack_refused("No updates are to be performed.")
    before = (stack.template, stack.template_dict, stack.parameters)
    operation = StackOperation(cloud, stack)
    operation.set_status("UPDATE_IN_PROGRESS", "User Initiated")
    if tags is not None:
        stack.tags = tags

    def install() -> None:
        _install(stack, template, new, resolved)

    def undo() -> None:
        _install(stack, *before)

    _start(cloud, stack, lambda: StackUpdate(operation).run(new, install, undo))
    return stack


def _given(parameters: list[dict[str, str]], former: dict[str, str]) -> dict[str, str]:
    """A key that the former template lacks has no former value; moto has refused that by now."""
    return {
        one["ParameterKey"]: former[one["ParameterKey"]] if one.get("UsePreviousValue") else one["ParameterValue"]
        for one in parameters
    }


def _with_defaults(template: dict[str, Any], given: dict[str, str]) -> dict[str, str]:
    """A key that is not given has its default, not its former value (CloudFormation API reference "Parameter")."""
    slots = template.get("Parameters", {})
    found = {key: given.get(key, slot.get("Default")) for key, slot in slots.items()}
    lacking = [key for key, value in found.items() if value is None]
    if lacking:
        raise stack_refused(f"Parameters: [{', '.join(lacking)}] must have values")
    return found


def _essence(template: dict[str, Any]) -> Any:
    resources = {
        name: {key: value for key, value in one.items() if key != "Metadata"}
        for name, one in template["Resources"].items()
    }
    return {key: value for key, value in template.items() if key not in ("Metadata", "Resources")} | {
        "Resources": resources
    }


def _install(stack: Any, text: str, template: dict[str, Any], parameters: dict[str, Any]) -> None:
    stack.template, stack.template_dict, stack.parameters = text, template, parameters
    stack.description = template.get("Description")
    resource_map = stack.resource_map
    resource_map._template, resource_map._resource_json_map = template, template["Resources"]
    resource_map.input_parameters = parameters
    resource_map.resolved_parameters = {}
    resource_map.load()
    stack.output_map = stack._create_output_map()


@replaces(f"{_MODELS}:CloudFormationBackend.delete_stack", expects="self, name_or_stack_id", reason=_ENGINE)
def delete_stack(self: Any, name_or_stack_id: str) -> None:
    """DeleteStack: returns at once with DELETE_IN_PROGRESS; a stack that does not exist is no error."""
    cloud = current()
    stack = next((one for one in self.stacks.values() if name_or_stack_id in (one.name, one.stack_id)), None)
    if stack is None or stack.status == "DELETE_IN_PROGRESS":
        return
    if stack.enable_termination_protection:
        raise stack_refused(f"Stack [{stack.name}] cannot be deleted while TerminationProtection is enabled")
    if stack.status.endswith("_IN_PROGRESS"):
        raise stack_refused(f"Stack [{stack.name}] cannot be deleted while in status {stack.status}")
    operation = StackOperation(cloud, stack)

    def work() -> None:
        if operation.delete():
            self.stacks.pop(stack.stack_id, None)
            self.deleted_stacks[stack.stack_id] = stack

    stack.status = "DELETE_IN_PROGRESS"
    _start(cloud, stack, work)


# -------------------------------------------------------------------- parts of moto that would create by themselves
@replaces(f"{_PARSING}:ResourceMap.__getitem__", expects="self, key", reason="looking up a resource must not create it")
def look_up(self: Any, key: str) -> Any:
    """The deployed resource, or None while it is not deployed. Raises KeyError for a name that the template lacks."""
    if key in self._parsed_resources:
        return self._parsed_resources[key]
    if key not in self._resource_json_map:
        raise KeyError(key)
    return None


@replaces(f"{_PARSING}:ResourceMap.validate_outputs", reason="moto's list of attributes is not that of the lab's types")
def validate_outputs(self: Any) -> None:
    """Do nothing: reading an attribute that does not exist fails by itself."""


def parse_template(template: str) -> dict[str, Any]:
    """Parse JSON here; leave YAML to moto."""
    try:
        parsed: Any = json.loads(template)
    except ValueError as error:
        if template.lstrip().startswith("{"):
            raise stack_refused(f"Template format error: JSON not well-formed. ({error})") from error
        try:
            parsed = original(f"{_MODELS}:Stack.parse_template").__func__(template)
        except (YAMLError, ValueError) as bad:
            raise stack_refused("Template format error: YAML not well-formed.") from bad
    if not isinstance(parsed, dict):
        raise stack_refused("Template format error: unsupported structure.")
    return parsed


replaces(f"{_MODELS}:Stack.parse_template", expects="template", reason="moto reads JSON with a slow YAML parser")(
    staticmethod(parse_template)
)


def _resources(stack: Any) -> list[Any]:
    return [one for one in list(stack.resource_map._parsed_resources.values()) if hasattr(one, "cf_resource_type")]


def _outputs(stack: Any) -> Any:
    if stack.status not in _SHOWN:
        return None
    return original(f"{_MODELS}:Stack.outputs").fget(stack)


replaces(f"{_MODELS}:Stack.stack_resources", expects=PROPERTY, reason="listing must not create")(property(_resources))
replaces(f"{_MODELS}:Stack.outputs", expects=PROPERTY, reason="outputs exist once the stack does")(property(_outputs))
