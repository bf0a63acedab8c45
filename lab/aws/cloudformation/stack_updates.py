"""Updating a stack: what differs is changed in place or replaced, and changed back when something fails.

For: `api`. Guarantees: an update touches only resources whose resolved properties differ, and re-resolves
those that mention a changed one, as CloudFormation does. Where the schema says so a resource is replaced: the new one
first, then everything that refers to it, the old one only in the clean-up; a failure before that brings the old one
back, with the properties that were recorded. Does not: continue a failed rollback.
Sources: CloudFormation user guide "Update behaviors of stack resources", "Stack status codes", "UpdateReplacePolicy
attribute"; "Troubleshooting CloudFormation" for custom-named resources that would need replacing.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from lab.aws.cloudformation.resource_schemas import attribute_names, replacing_properties
from lab.aws.cloudformation.stack_operations import StackOperation, Stop, resource_type
from lab.aws.cloudformation.stack_resources import Deployed, name_property
from lab.aws.cloudformation.stack_templates import changed_properties, changed_text, creation_order, referenced_names

_REPLACING = "Requested update requires the creation of a new physical resource; hence creating one."


@dataclass
class _Change:
    """One resource changed by an update, with what is needed to change it back. `former` where it was replaced."""

    deployed: Deployed
    before: dict[str, Any]
    definition_before: dict[str, Any]
    former: Deployed | None = None


class StackUpdate:
    def __init__(self, operation: StackOperation) -> None:
        self._operation = operation
        self._stack = operation.stack
        self._changes: list[_Change] = []
        self._added: list[str] = []

    def run(self, template: dict[str, Any], install: Callable[[], None], undo: Callable[[], None]) -> None:
        """UPDATE_COMPLETE, or UPDATE_ROLLBACK_COMPLETE. `install` puts the new template and parameters into the stack,
        `undo` the old ones."""
        operation, new = self._operation, template["Resources"]
        old_inputs = dict(self._stack.resource_map.resolved_parameters)
        install()
        inputs = self._stack.resource_map.resolved_parameters
        touched = {name for name, value in inputs.items() if old_inputs.get(name) != value}
        try:
            for name in creation_order(new):
                if operation.is_wanted(new[name]) and self._bring_up_to_date(name, new[name], touched):
                    touched.add(name)
            operation.read_outputs()
        except Stop as stop:
            self._roll_back(stop, undo)
            return
        operation.set_status("UPDATE_COMPLETE_CLEANUP_IN_PROGRESS")
        operation.remove([name for name in reversed(operation.deployed()) if name not in new], keep={})
        for change in reversed(self._changes):
            if change.former is not None:
                is_kept = change.former.definition.get("UpdateReplacePolicy") == "Retain"
                operation.delete_one(change.former, is_kept=is_kept)
        operation.set_status("UPDATE_COMPLETE")

    def _bring_up_to_date(self, name: str, definition: dict[str, Any], touched: set[str]) -> bool:
        if name in self._operation.deployed():
            return self._update_one(name, definition, touched)
        self._added.append(name)
        self._operation.create_one(name, definition)
        return True

    def _update_one(self, name: str, definition: dict[str, Any], touched: set[str]) -> bool:
        operation, type_name = self._operation, definition["Type"]
        deployed = operation.deployed()[name]
        mentions_touched = bool(referenced_names(definition.get("Properties") or {}) & touched)
        if not changed_text(deployed.definition, definition) and not mentions_touched:
            deployed.definition = definition
            return False
        if deployed.cf_resource_type != type_name:
            raise Stop(name, f"Update of resource type is not permitted: {deployed.cf_resource_type} to {type_name}")
        new = operation.attempt(name, lambda: operation.resolve(definition))
        changed = changed_properties(deployed.properties, new)
        if not changed:
            deployed.definition = definition
            return False
        replacing = replacing_properties(type_name, deployed.properties, new)
        operation.note(
            name, type_name, "UPDATE_IN_PROGRESS", deployed.physical_resource_id, _REPLACING if replacing else ""
        )
        try:
            operation.attempt(name, lambda: operation.check_properties(name, type_name, new))
            if replacing:
                self._replace(name, definition, deployed, new)
            else:
                self._change(name, definition, deployed, new, changed)
        except Stop as stop:
            operation.note(name, type_name, "UPDATE_FAILED", deployed.physical_resource_id, stop.reason)
            raise
        physical_id = operation.deployed()[name].physical_resource_id
        operation.note(name, type_name, "UPDATE_COMPLETE", physical_id)
        return True

    def _change(
        self, name: str, definition: dict[str, Any], deployed: Deployed, new: dict[str, Any], changed: list[str]
    ) -> None:
        self._operation.attempt(name, partial(self._write, deployed, new, changed))
        self._changes.append(_Change(deployed, deployed.properties, deployed.definition))
        deployed.properties, deployed.definition = new, definition

    def _write(self, deployed: Deployed, new: dict[str, Any], changed: list[str]) -> None:
        type_name = deployed.cf_resource_type
        resource_type(type_name).update(self._operation.context, deployed, copy.deepcopy(new), changed)
        deployed.record_attributes(attribute_names(type_name))

    def _replace(self, name: str, definition: dict[str, Any], former: Deployed, new: dict[str, Any]) -> None:
        type_name = definition["Type"]
        naming = name_property(type_name)
        given = new.get(naming) if naming else None
        if naming and given and given == former.properties.get(naming):
            raise Stop(
                name,
                "CloudFormation cannot update a stack when a custom-named resource requires replacing. "
                f"Rename {given} and update the stack again.",
            )
        made = self._operation.make(name, type_name, new)
        made.definition = definition
        self._operation.parsed[name] = made
        self._changes.append(_Change(made, former.properties, former.definition, former))

    def _roll_back(self, stop: Stop, undo: Callable[[], None]) -> None:
        operation = self._operation
        operation.set_status(
            "UPDATE_ROLLBACK_IN_PROGRESS", f"The following resource(s) failed to update: [{stop.name}]. {stop.reason}"
        )
        undo()
        replaced: list[Deployed] = []
        for change in reversed(self._changes):
            try:
                self._change_back(change, replaced)
            except Stop as second:
                operation.set_status("UPDATE_ROLLBACK_FAILED", f"[{second.name}] {second.reason}")
                return
        operation.set_status("UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS")
        for made in replaced:
            operation.delete_one(made, is_kept=False)
        added = [name for name in reversed(self._added) if name in operation.deployed()]
        operation.remove(added, keep={}, is_undo=True)
        operation.set_status("UPDATE_ROLLBACK_COMPLETE")

    def _change_back(self, change: _Change, replaced: list[Deployed]) -> None:
        deployed, name = change.deployed, change.deployed.logical_resource_id
        if change.former is not None:
            self._operation.parsed[name] = change.former
            replaced.append(deployed)
            return
        changed = changed_properties(deployed.properties, change.before)
        self._operation.attempt(name, partial(self._write, deployed, change.before, changed))
        deployed.properties, deployed.definition = change.before, change.definition_before
