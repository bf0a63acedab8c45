"""Creating, updating and deleting a stack, resource by resource, with rollback.

For: `cloudformation` starts these in a thread of their own. Guarantees: every operation ends in one of CloudFormation's
final states; a failure names the resource; what was done before it is undone. An update touches only resources whose
resolved properties differ, and re-resolves those that mention a changed one, as CloudFormation does (that is how the
group gets the promoted version when a new one is staged). Does not: replace resources; a change that needs it fails.
Source: CloudFormation user guide "Stack status codes", "Update behaviors of stack resources", DeletionPolicy.
"""

from __future__ import annotations

import copy
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from moto.cloudformation.models import Event as StackEvent
from moto.cloudformation.parsing import clean_json
from moto.core.exceptions import ServiceException

from lab.cloud.resource_types import type_named
from lab.cloud.stack_resources import Deployed, NotModelled, ResourceFailed, ResourceType, StackContext
from lab.cloud.stack_templates import (
    changed_properties,
    changed_text,
    creation_order,
    referenced_names,
)
from lab.cloud.state import Cloud


@dataclass
class _Change:
    """One resource changed by an update, with what is needed to change it back."""

    deployed: Deployed
    before: dict[str, Any]
    definition_before: dict[str, Any]


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
        if reason or not status.endswith("ROLLBACK_COMPLETE"):  # the reason of the failure stays readable
            self.stack.stack_status_reason = reason or None
        self.stack._add_stack_event(status, reason or None)
        self.cloud.event("stack", self.stack.name, f"{status}{': ' + reason if reason else ''}")

    def _note(self, name: str, type_name: str, status: str, physical_id: str = "", reason: str = "") -> None:
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
        if self.cloud.calls is not None and end in ("COMPLETE", "FAILED"):
            self.cloud.calls.note_resource(self.stack.stack_id, verb, type_name, (name, physical_id), reason)

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
                if self._wanted(resources[name]):
                    self._create_one(name, resources[name])
        except _Stop as stop:
            self.set_status(
                "ROLLBACK_IN_PROGRESS", f"The following resource(s) failed to create: [{stop.name}]. {stop.reason}"
            )
            failed = self._remove(list(reversed(self.deployed())), keep=resources)
            self.set_status("ROLLBACK_FAILED" if failed else "ROLLBACK_COMPLETE")
            return
        self.set_status("CREATE_COMPLETE")

    def _wanted(self, definition: dict[str, Any]) -> bool:
        condition = definition.get("Condition")
        return not condition or bool(self.stack.resource_map.lazy_condition_map[condition])

    def _resolve(self, definition: dict[str, Any]) -> dict[str, Any]:
        resolved = clean_json(copy.deepcopy(definition.get("Properties") or {}), self.stack.resource_map)
        found: dict[str, Any] = resolved
        return found

    def _create_one(self, name: str, definition: dict[str, Any]) -> None:
        type_name = definition["Type"]
        self._note(name, type_name, "CREATE_IN_PROGRESS")

        def work() -> Deployed:
            properties = self._resolve(definition)
            deployed = _type(type_name).create(self.context, name, type_name, copy.deepcopy(properties))
            deployed.properties, deployed.definition = properties, definition
            return deployed

        try:
            deployed = self._attempt(name, work)
        except _Stop as stop:
            self._note(name, type_name, "CREATE_FAILED", stop.physical_id, stop.reason)
            if stop.physical_id:
                properties = self._resolve(definition)
                self.parsed[name] = Deployed(name, type_name, stop.physical_id, properties, definition)
            raise
        self.parsed[name] = deployed
        self._note(name, type_name, "CREATE_COMPLETE", deployed.physical_resource_id)

    def _attempt(self, name: str, work: Callable[[], Any]) -> Any:
        try:
            return work()
        except ResourceFailed as error:
            raise _Stop(name, str(error), error.physical_id) from error
        except NotModelled as error:
            raise _Stop(name, str(error)) from error
        except ServiceException as error:
            raise _Stop(name, f"{error.message} (Error Code: {error.code})") from error
        except Exception as error:
            self.cloud.note_error(f"stack {self.stack.name}, resource {name}:\n{traceback.format_exc()}")
            raise _Stop(name, f"the lab failed: {type(error).__name__}: {error}") from error

    # ---------------------------------------------------------------- delete
    def delete(self) -> bool:
        """DELETE_COMPLETE and True, or DELETE_FAILED with the reason."""
        self.set_status("DELETE_IN_PROGRESS")
        failed = self._remove(self._deletion_order(), keep=self.stack.template_dict["Resources"])
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

    def _remove(self, names: list[str], *, keep: dict[str, Any]) -> list[str]:
        failed = []
        for name in names:
            deployed = self.deployed()[name]
            type_name, physical_id = deployed.cf_resource_type, deployed.physical_resource_id
            if keep.get(name, deployed.definition).get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate"):
                self._note(name, type_name, "DELETE_SKIPPED", physical_id)
                del self.parsed[name]
                continue
            self._note(name, type_name, "DELETE_IN_PROGRESS", physical_id)
            try:
                self._attempt(name, partial(_type(type_name).delete, self.context, deployed))
            except _Stop as stop:
                self._note(name, type_name, "DELETE_FAILED", physical_id, stop.reason)
                failed.append(name)
                continue
            del self.parsed[name]
            self._note(name, type_name, "DELETE_COMPLETE", physical_id)
        return failed

    # ---------------------------------------------------------------- update
    def update(self, template: dict[str, Any], install: Callable[[], None], undo: Callable[[], None]) -> None:
        """UPDATE_COMPLETE, or UPDATE_ROLLBACK_COMPLETE. `install` puts the new template and parameters into the stack,
        `undo` the old ones."""
        new = template["Resources"]
        old_inputs = dict(self.stack.resource_map.resolved_parameters)
        install()
        touched = {
            name for name, value in self.stack.resource_map.resolved_parameters.items() if old_inputs.get(name) != value
        }
        changes: list[_Change] = []
        added: list[str] = []
        try:
            for name in creation_order(new):
                if not self._wanted(new[name]):
                    continue
                if name not in self.deployed():
                    added.append(name)
                    self._create_one(name, new[name])
                    touched.add(name)
                elif self._update_one(name, new[name], touched, changes):
                    touched.add(name)
        except _Stop as stop:
            self._roll_back(stop, changes, added, undo)
            return
        self.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        self._remove([name for name in reversed(self.deployed()) if name not in new], keep={})
        self.set_status("UPDATE_COMPLETE")

    def _update_one(self, name: str, definition: dict[str, Any], touched: set[str], changes: list[_Change]) -> bool:
        deployed = self.deployed()[name]
        mentions_touched = bool(referenced_names(definition.get("Properties") or {}) & touched)
        if not changed_text(deployed.definition, definition) and not mentions_touched:
            deployed.definition = definition
            return False
        if deployed.cf_resource_type != definition["Type"]:
            raise _Stop(
                name, f"Update of resource type is not permitted: {deployed.cf_resource_type} to {definition['Type']}"
            )
        new = self._attempt(name, lambda: self._resolve(definition))
        changed = changed_properties(deployed.properties, new)
        if not changed:
            deployed.definition = definition
            return False
        self._note(name, definition["Type"], "UPDATE_IN_PROGRESS", deployed.physical_resource_id)
        change = _Change(deployed, deployed.properties, deployed.definition)
        try:
            self._attempt(
                name, lambda: _type(definition["Type"]).update(self.context, deployed, copy.deepcopy(new), changed)
            )
        except _Stop as stop:
            self._note(name, definition["Type"], "UPDATE_FAILED", deployed.physical_resource_id, stop.reason)
            raise
        deployed.properties, deployed.definition = new, definition
        changes.append(change)
        self._note(name, definition["Type"], "UPDATE_COMPLETE", deployed.physical_resource_id)
        return True

    def _roll_back(self, stop: _Stop, changes: list[_Change], added: list[str], undo: Callable[[], None]) -> None:
        self.set_status(
            "UPDATE_ROLLBACK_IN_PROGRESS", f"The following resource(s) failed to update: [{stop.name}]. {stop.reason}"
        )
        undo()
        for change in reversed(changes):
            deployed = change.deployed
            changed = changed_properties(deployed.properties, change.before)
            try:
                self._attempt(
                    deployed.logical_resource_id,
                    partial(
                        _type(deployed.cf_resource_type).update,
                        self.context,
                        deployed,
                        copy.deepcopy(change.before),
                        changed,
                    ),
                )
            except _Stop as second:
                self.set_status("UPDATE_ROLLBACK_FAILED", f"[{second.name}] {second.reason}")
                return
            deployed.properties, deployed.definition = change.before, change.definition_before
        self._remove([name for name in reversed(added) if name in self.deployed()], keep={})
        self.set_status("UPDATE_ROLLBACK_COMPLETE")


class _Stop(Exception):
    """The operation cannot go on: a resource failed."""

    def __init__(self, name: str, reason: str, physical_id: str = "") -> None:
        super().__init__(f"{name}: {reason}")
        self.name, self.reason, self.physical_id = name, reason, physical_id


def _type(type_name: str) -> ResourceType:
    found = type_named(type_name)
    if found is None:
        raise NotModelled(f"the lab does not model resource type {type_name}")
    return found


def _without_absent(definition: dict[str, Any], present: dict[str, Any]) -> dict[str, Any]:
    explicit = definition.get("DependsOn") or []
    explicit = [explicit] if isinstance(explicit, str) else explicit
    return definition | {"DependsOn": [name for name in explicit if name in present]}
