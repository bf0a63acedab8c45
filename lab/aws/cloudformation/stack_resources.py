"""Deployed resources and the interface of resource types.

For: `resource_types` fills the table, `stack_operations` works through it. Guarantees: an attribute that a resource
does not have, and a change that a type does not model, are errors that name resource and property, never a no-op.
Does not: contain any resource type. Source: CloudFormation resource reference, "Return values" and "Update requires".
"""

import contextlib
import importlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from operator import attrgetter
from typing import Any, Protocol

from moto.cloudformation.exceptions import UnformattedGetAttTemplateException
from moto.cloudformation.parsing import generate_resource_name, resource_name_property_from_type

from lab.aws.cloudformation.stack_tags import TagWriter
from lab.aws.core.cloud import Cloud
from lab.aws.core.modelled import Shape, unmodelled

Properties = dict[str, Any]


class NotModelled(Exception):
    """The lab does not know how AWS would do this."""


class ResourceFailed(Exception):
    """Creation, update or deletion of a resource was refused; the text is the resource's status reason.

    `physical_id` is set when something has come into being all the same and must be deleted again.
    """

    def __init__(self, reason: str, physical_id: str = "") -> None:
        super().__init__(reason)
        self.physical_id = physical_id


@dataclass(frozen=True, kw_only=True)
class StackContext:
    """Where a resource is being deployed."""

    cloud: Cloud
    stack_name: str
    stack_id: str
    stack_tags: dict[str, str] = field(default_factory=dict)

    def tags_of(self, logical_id: str) -> dict[str, str]:
        """The tags that CloudFormation adds by itself, those of the stack among them; a resource's own tags win."""
        return self.stack_tags | {
            "aws:cloudformation:stack-name": self.stack_name,
            "aws:cloudformation:stack-id": self.stack_id,
            "aws:cloudformation:logical-id": logical_id,
        }


@dataclass
class Deployed:
    """One resource of a stack. Attribute names in the style of moto, whose API code reads some of them."""

    logical_resource_id: str
    cf_resource_type: str
    physical_resource_id: str
    properties: Properties = field(default_factory=dict)
    definition: dict[str, Any] = field(default_factory=dict)
    record: Any = None  # moto's object, where there is one
    attributes: dict[str, Callable[[], Any]] = field(default_factory=dict)
    recorded: dict[str, Any] = field(default_factory=dict)  # what Fn::GetAtt gives until the next update of this one

    def get_cfn_attribute(self, name: str) -> Any:
        """The value of Fn::GetAtt, as it was when this resource was made or last updated: what others change meanwhile
        is not seen (aws-cloudformation/cloudformation-coverage-roadmap#68). Raises moto's exception, which becomes a
        ValidationError, when there is none."""
        return self.recorded[name] if name in self.recorded else self._read(name)

    def record_attributes(self, names: Iterable[str]) -> None:
        """Read the attributes of these names, where there are any. To be called whenever the resource has changed."""
        self.recorded = {}
        for name in {*names, *self.attributes}:
            # A name that this type does not have is an error only where a template uses it: get_cfn_attribute raises.
            with contextlib.suppress(UnformattedGetAttTemplateException, NotImplementedError):
                self.recorded[name] = self._read(name)

    def _read(self, name: str) -> Any:
        if name in self.attributes:
            return self.attributes[name]()
        reader = getattr(self.record, "get_cfn_attribute", None)
        if reader is None:
            raise UnformattedGetAttTemplateException()
        return reader(name)

    def is_created(self) -> bool:
        """True: it would not be here otherwise."""
        return True


class ResourceType(Protocol):
    """How one type of resource is created, changed and deleted. All under no lock; each takes it where needed."""

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Create; raises ResourceFailed or any AWS error."""

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """Change in place; raises NotModelled for a property that this type cannot change."""

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        """Delete; raises ResourceFailed or any AWS error."""


_NAME_PROPERTIES = {  # of the types that moto lacks
    "AWS::AutoScaling::LifecycleHook": "LifecycleHookName",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::CloudWatch::Dashboard": "DashboardName",
}


def name_property(type_name: str) -> str | None:
    """The property that names a resource of this type, or None."""
    found: str | None = _NAME_PROPERTIES.get(type_name) or resource_name_property_from_type(type_name)
    return found


def physical_name(context: StackContext, logical_id: str, type_name: str, properties: Properties) -> str:
    """The name given in the template, else one made of stack and logical id."""
    naming = name_property(type_name)
    given = properties.get(naming) if naming else None
    name: str = given or generate_resource_name(type_name, context.stack_name, logical_id)
    return name


def refuse_unmodelled(what: str, shape: Shape, properties: Any) -> None:
    """Raise NotModelled for properties at any depth that the table of the API's parameters does not have."""
    unknown = list(unmodelled(shape, properties))
    if unknown:
        raise NotModelled(f"the lab does not model {', '.join(unknown)} of {what}, and drops nothing in silence")


def refuse_changes(deployed: Deployed, changed: list[str], allowed: tuple[str, ...]) -> None:
    for name in changed:
        if name not in allowed:
            raise NotModelled(
                f"the lab does not model a change of property {name} of {deployed.cf_resource_type} "
                f"{deployed.logical_resource_id}: it may need replacement on AWS; deploy to a fresh lab instead"
            )


def tag_map(tags: Any) -> dict[str, str]:
    if isinstance(tags, dict):
        return dict(tags)
    return {tag["Key"]: tag["Value"] for tag in tags or []}


def removed_by(service: str, method: str, *, listed: bool = False) -> Callable[[StackContext, Deployed], None]:
    """Remove by the method of moto's backend that takes the physical id, or a list of ids."""

    def remove(context: StackContext, deployed: Deployed) -> None:
        name = deployed.physical_resource_id
        getattr(context.cloud.backend(service), method)([name] if listed else name)

    return remove


def goes_with_its_owner(_context: StackContext, _deployed: Deployed) -> None:
    """A part of another resource, which the same stack deletes."""


@dataclass(frozen=True)
class WrittenType:
    """A type that is written alike when it is new and when it changes: by `put`, under the lock.

    `changes` are the properties that may change in place; None: all that the schema does not call for a replacement.
    """

    put: Callable[[StackContext, Deployed, Properties], None]
    remove: Callable[[StackContext, Deployed], None]
    changes: tuple[str, ...] | None = None

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """Ref is the name, unless `put` says otherwise."""
        deployed = Deployed(logical_id, type_name, physical_name(context, logical_id, type_name, properties))
        with context.cloud.call():
            self.put(context, deployed, properties)
        return deployed

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        if self.changes is not None:
            refuse_changes(deployed, changed, self.changes)
        with context.cloud.call():
            self.put(context, deployed, new)

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        with context.cloud.call():
            self.remove(context, deployed)


@dataclass(frozen=True)
class MotoType:
    """A type of which moto keeps the record. `path` is `module:Class`; `tag_property` may change, for `tags` writes it.

    `make` makes the record where moto's class does it wrong, and `complete` adds what it leaves out. `ref` and
    `attributes` name the record's attributes that Ref and GetAtt give, where moto's class does not know.
    `change` writes those of `changes`, the properties that change in place besides the tags.
    """

    path: str
    tag_property: str = "Tags"
    tags: TagWriter | None = None
    make: Callable[[StackContext, str, Properties], Any] | None = None
    ref: str = "physical_resource_id"
    attributes: Mapping[str, str] = field(default_factory=dict)
    complete: Callable[[StackContext, Deployed, Properties], None] | None = None
    changes: tuple[str, ...] = ()
    change: Callable[[StackContext, Deployed, Properties, list[str]], None] | None = None
    remove: Callable[[StackContext, Deployed], None] | None = None  # for classes of moto that cannot delete

    def _model(self) -> Any:
        module, _, name = self.path.partition(":")
        return getattr(importlib.import_module(module), name)

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """With the template's and CloudFormation's tags, where `tags` writes them."""
        cloud = context.cloud
        with cloud.call():
            name = physical_name(context, logical_id, type_name, properties)
            if self.make is not None:
                record = self.make(context, name, properties)
            else:
                record = self._model().create_from_cloudformation_json(
                    name,
                    {"Type": type_name, "Properties": properties},
                    cloud.account_id,
                    cloud.region,
                    LogicalId=logical_id,
                    StackId=context.stack_id,
                    ResourceType=type_name,
                )
            deployed = Deployed(logical_id, type_name, attrgetter(self.ref)(record), record=record)
            deployed.attributes = {name: partial(attrgetter(path), record) for name, path in self.attributes.items()}
            self._write_tags(context, deployed, properties)
            if self.complete is not None:
                self.complete(context, deployed, properties)
        return deployed

    def _write_tags(self, context: StackContext, deployed: Deployed, properties: Properties) -> None:
        if self.tags is None:
            return  # tags in the template stay unread, and fail by name
        tags = context.tags_of(deployed.logical_resource_id) | tag_map(properties.get(self.tag_property))
        self.tags.write(context.cloud, deployed.physical_resource_id, tags)

    def _erase_tags(self, context: StackContext, deployed: Deployed, new: Properties) -> None:
        before, after = tag_map(deployed.properties.get(self.tag_property)), tag_map(new.get(self.tag_property))
        gone = sorted(set(before) - set(after))
        if self.tags is not None and gone:
            self.tags.erase(context.cloud, deployed.physical_resource_id, gone)

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """What `changes` names, and tags."""
        refuse_changes(deployed, changed, self.changes + ((self.tag_property,) if self.tags else ()))
        with context.cloud.call():
            if self.change is not None:
                self.change(context, deployed, new, changed)
            self._erase_tags(context, deployed, new)
            self._write_tags(context, deployed, new)

    def delete(self, context: StackContext, deployed: Deployed) -> None:
        """By `remove`, else by moto's own deletion in whichever shape the class has it."""
        cloud = context.cloud
        model = self._model()
        with cloud.call():
            if self.remove is not None:
                self.remove(context, deployed)
            elif "delete" in vars(model):
                deployed.record.delete(cloud.account_id, cloud.region)
            elif not getattr(model.delete_from_cloudformation_json, "__isabstractmethod__", False):
                model.delete_from_cloudformation_json(
                    deployed.physical_resource_id,
                    {"Type": deployed.cf_resource_type, "Properties": deployed.properties},
                    cloud.account_id,
                    cloud.region,
                )
            else:
                raise NotModelled(f"the lab cannot delete a {deployed.cf_resource_type}")
