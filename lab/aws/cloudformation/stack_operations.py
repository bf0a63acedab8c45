"""Creating and deleting a stack, resource by resource, with rollback; the steps that updates are made of as well.

For: `api`, which starts each in a thread of its own. Guarantees: every operation ends in one of CloudFormation's
final states; a failure names the resource; what was done before it is undone. Does not: decide what an update changes;
`stack_updates` does. Source: CloudFormation user guide "Stack status codes", "DeletionPolicy attribute".
"""

import copy
import traceback
from collections.abc import Callable
from functools import partial
from typing import Any

from moto.cloudformation.models import Event as StackEvent
from moto.cloudformation.parsing import clean_json
from moto.core.exceptions import ServiceException

from lab.aws.cloudformation.resource_schemas import Noticing, attribute_names, property_findings
from lab.aws.cloudformation.resource_types import is_custom, type_named
from lab.aws.cloudformation.stack_resources import Deployed, NotModelled, ResourceFailed, ResourceType, StackContext
from lab.aws.cloudformation.stack_templates import creation_order, explicit_dependencies
from lab.aws.core.call_log import OK, Call, Caller, Resource
from lab.aws.core.cloud import Cloud


class StackOperation:
    """One operation on one of moto's stacks."""

    def __init__(self, cloud: Cloud, stack: Any) -> None:
        self.cloud = cloud
        self.stack = stack
        self.context = StackContext(
            cloud=cloud, stack_name=stack.name, stack_id=stack.stack_id, stack_tags=dict(stack.tags or {})
        )

    # ---------------------------------------------------------------- status
    def set_status(self, status: str, reason: str = "") -> None:
        """The stack's own status, as an event and in the description."""
        self.stack.status = status
        if reason or "ROLLBACK_COMPLETE" not in status:  # the reason of the failure stays readable
            self.stack.stack_status_reason = reason or None
        self.stack._add_stack_event(status, reason or None)
        self.cloud.event("stack", self.stack.name, f"{status}{': ' + reason if reason else ''}")

    def note(self, name: str, type_name: str, status: str, physical_id: str = "", reason: str = "") -> None:
        self.stack.events.append(
            StackEvent(
                stack_id=self.stack.stack_id,
                stack_name=self.stack.name,
                logical_resource_id=name,
                physical_resource_id=physical_id,
                resource_type=type_name,
                resource_status=status,
                resource_status_reason=reason or None,
                resource_properties=None,
            )
        )
        self.cloud.event("stack", self.stack.name, f"{name} ({type_name}) {status}{': ' + reason if reason else ''}")
        verb, _, end = status.partition("_")
        if end in ("COMPLETE", "FAILED"):
            self.cloud.calls.add(
                Call(
                    at_s=round(self.cloud.now(), 3),
                    caller=Caller(kind="cloudformation", arn="cloudformation.amazonaws.com"),
                    action=f"cloudformation:{verb.capitalize()}Resource",
                    resources=(Resource(arn=self.stack.stack_id),),
                    keys={"cloudformation:ResourceTypes": [type_name], "logical-id": name, "physical-id": physical_id},
                    outcome=reason or OK,
                )
            )

    @property
    def parsed(self) -> dict[str, Any]:
        """Parameters, pseudo parameters and deployed resources by name: what Ref and GetAtt look into."""
        found: dict[str, Any] = self.stack.resource_map._parsed_resources
        return found

    def deployed(self) -> dict[str, Deployed]:
        """The resources there are, in the order of their creation."""
        return {name: one for name, one in self.parsed.items() if isinstance(one, Deployed)}

    # ---------------------------------------------------------------- create
    def create(self) -> None:
        """CREATE_COMPLETE, or ROLLBACK_COMPLETE with the reason in the events."""
        resources = self.stack.template_dict["Resources"]
        try:
            for name in creation_order(resources):
                if self.is_wanted(resources[name]):
                    self.create_one(name, resources[name])
            self.read_outputs()
        except Stop as stop:
            self.set_status(
                "ROLLBACK_IN_PROGRESS", f"The following resource(s) failed to create: [{stop.name}]. {stop.reason}"
            )
            failed = self.remove(list(reversed(self.deployed())), keep=resources, is_undo=True)
            self.set_status("ROLLBACK_FAILED" if failed else "ROLLBACK_COMPLETE")
            return
        self.set_status("CREATE_COMPLETE")

    def read_outputs(self) -> None:
        """Raises Stop for an output whose value cannot be had; AWS refuses such a template from the start."""
        self.attempt("Outputs", lambda: list(self.stack.output_map.values()))

    def is_wanted(self, definition: dict[str, Any]) -> bool:
        """True unless its Condition is false."""
        condition = definition.get("Condition")
        return not condition or bool(self.stack.resource_map.lazy_condition_map[condition])

    def resolve(self, definition: dict[str, Any]) -> dict[str, Any]:
        """The properties with every function replaced by its value."""
        resolved = clean_json(copy.deepcopy(definition.get("Properties") or {}), self.stack.resource_map)
        found: dict[str, Any] = resolved
        return found

    def create_one(self, name: str, definition: dict[str, Any]) -> None:
        """Create one resource. Raises Stop; a half-made resource is then among the deployed ones."""
        type_name = definition["Type"]
        self.note(name, type_name, "CREATE_IN_PROGRESS")

        try:
            properties = self.attempt(name, lambda: self.resolve(definition))
            deployed = self.make(name, type_name, properties)
        except Stop as stop:
            self.note(name, type_name, "CREATE_FAILED", stop.physical_id, stop.reason)
            if stop.physical_id and name not in self.parsed:
                self.parsed[name] = Deployed(name, type_name, stop.physical_id, properties, definition)
            raise
        self.parsed[name], deployed.definition = deployed, definition
        self.note(name, type_name, "CREATE_COMPLETE", deployed.physical_resource_id)

    def make(self, name: str, type_name: str, properties: dict[str, Any]) -> Deployed:
        """Create the physical resource from resolved properties. Raises Stop, also when a property was not looked at:
        the resource is then deleted again."""
        noticing = Noticing(copy.deepcopy(properties))

        def work() -> Deployed:
            self.check_properties(name, type_name, properties)
            return resource_type(type_name).create(self.context, name, type_name, noticing)

        deployed: Deployed = self.attempt(name, work)
        deployed.properties = properties
        deployed.record_attributes(attribute_names(type_name))
        ignored = noticing.unseen()
        if ignored and not is_custom(type_name):
            self.delete_one(deployed, is_kept=False)
            raise Stop(
                name, f"the lab does not model {', '.join(ignored)} of {type_name}, and drops nothing in silence"
            )
        return deployed

    def check_properties(self, name: str, type_name: str, properties: dict[str, Any]) -> None:
        """Raises ResourceFailed for property names that the type does not have, or lacks."""
        findings = property_findings(type_name, properties)
        if findings:
            text = "\n".join(findings)
            raise ResourceFailed(f"Properties validation failed for resource {name} with message:\n{text}")

    def attempt(self, name: str, work: Callable[[], Any]) -> Any:
        """`work()`, with whatever goes wrong turned into Stop."""
        try:
            return work()
        except ResourceFailed as error:
            raise Stop(name, str(error), error.physical_id) from error
        except NotModelled as error:
            raise Stop(name, str(error)) from error
        except ServiceException as error:
            raise Stop(name, f"{error.message} (Error Code: {error.code})") from error
        except Exception as error:
            self.cloud.note_error(f"stack {self.stack.name}, resource {name}:\n{traceback.format_exc()}")
            raise Stop(name, f"the lab failed: {type(error).__name__}: {error}") from error

    # ---------------------------------------------------------------- delete
    def delete(self) -> bool:
        """DELETE_COMPLETE and True, or DELETE_FAILED with the reason."""
        self.set_status("DELETE_IN_PROGRESS")
        failed = self.remove(self._deletion_order(), keep=self.stack.template_dict["Resources"])
        if failed:
            self.set_status("DELETE_FAILED", f"The following resource(s) failed to delete: [{', '.join(failed)}].")
            return False
        self.set_status("DELETE_COMPLETE")
        return True

    def _deletion_order(self) -> list[str]:
        present = self.deployed()
        resources = {
            name: self.stack.template_dict["Resources"].get(name, one.definition) for name, one in present.items()
        }
        return list(
            reversed(creation_order({name: _without_absent(one, resources) for name, one in resources.items()}))
        )

    def remove(self, names: list[str], *, keep: dict[str, Any], is_undo: bool = False) -> list[str]:
        """Delete resources of the stack in this order, as far as their DeletionPolicy says so; the names that would
        not go. `keep` holds definitions that count more than the deployed ones; `is_undo` when their creation failed.
        """
        retaining = ("Retain",) if is_undo else ("Retain", "RetainExceptOnCreate")
        failed = []
        for name in names:
            deployed = self.deployed()[name]
            policy = keep.get(name, deployed.definition).get("DeletionPolicy")
            if self.delete_one(deployed, is_kept=policy in retaining):
                del self.parsed[name]
            else:
                failed.append(name)
        return failed

    def delete_one(self, deployed: Deployed, *, is_kept: bool) -> bool:
        """Delete one physical resource, or leave it to itself where it is kept. False when it would not go."""
        name, type_name = deployed.logical_resource_id, deployed.cf_resource_type
        physical_id = deployed.physical_resource_id
        if is_kept:
            self.note(name, type_name, "DELETE_SKIPPED", physical_id)
            return True
        self.note(name, type_name, "DELETE_IN_PROGRESS", physical_id)
        try:
            self.attempt(name, partial(resource_type(type_name).delete, self.context, deployed))
        except Stop as stop:
            self.note(name, type_name, "DELETE_FAILED", physical_id, stop.reason)
            return False
        self.note(name, type_name, "DELETE_COMPLETE", physical_id)
        return True


class Stop(Exception):
    """The operation stops because a resource failed."""

    def __init__(self, name: str, reason: str, physical_id: str = "") -> None:
        super().__init__(f"{name}: {reason}")
        self.name, self.reason, self.physical_id = name, reason, physical_id


def resource_type(type_name: str) -> ResourceType:
    """The type. Raises NotModelled."""
    found = type_named(type_name)
    if found is None:
        raise NotModelled(f"the lab does not model resource type {type_name}")
    return found


def _without_absent(definition: dict[str, Any], present: dict[str, Any]) -> dict[str, Any]:
    return definition | {"DependsOn": [name for name in explicit_dependencies(definition) if name in present]}
