"""Deployed resources and the interface of resource types.

For: `resource_types` fills the table, `stack_operations` works through it. Guarantees: an attribute that a resource
does not have, and a change that a type does not model, are errors that name resource and property, never a no-op.
Does not: contain any resource type. Source: CloudFormation resource reference, "Return values" and "Update requires".
"""

from __future__ import annotations

import copy
import importlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from moto.cloudformation.exceptions import UnformattedGetAttTemplateException
from moto.cloudformation.parsing import generate_resource_name, resource_name_property_from_type

from lab.aws.cloudformation.stack_tags import TagWriter
from lab.aws.core.cloud import Cloud

Properties = dict[str, Any]


class Noticing(dict[str, Any]):
    """Properties that remember which of them were looked at, so that none is dropped in silence.

    Whoever goes through all of them, or hands all of them on, has looked at all; copies share the memory.
    """

    def __init__(self, properties: Properties, seen: set[str] | None = None) -> None:
        super().__init__(properties)
        self._seen: set[str] = set() if seen is None else seen

    def unseen(self) -> list[str]:
        """The properties that nobody has looked at, sorted."""
        return sorted(set(super().keys()) - self._seen)

    def __getitem__(self, key: str) -> Any:
        self._seen.add(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        """As of any dict."""
        self._seen.add(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self._seen.add(str(key))
        return super().__contains__(key)

    def __iter__(self) -> Iterator[str]:
        self._seen |= set(super().keys())
        return super().__iter__()

    def items(self) -> Any:
        """As of any dict."""
        self._seen |= set(super().keys())
        return super().items()

    def __or__(self, other: Any) -> Any:
        return Noticing(dict(super().items()) | dict(other), self._seen)

    def __deepcopy__(self, memo: dict[int, Any]) -> Noticing:
        return Noticing(copy.deepcopy(dict(super().items()), memo), self._seen)


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

    def get_cfn_attribute(self, name: str) -> Any:
        """The value of Fn::GetAtt. Raises moto's exception, which becomes a ValidationError, when there is none."""
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


def refuse_changes(deployed: Deployed, changed: list[str], allowed: tuple[str, ...]) -> None:
    """Raise NotModelled when a changed property is not among the allowed ones."""
    for name in changed:
        if name not in allowed:
            raise NotModelled(
                f"the lab does not model a change of property {name} of {deployed.cf_resource_type} "
                f"{deployed.logical_resource_id}: it may need replacement on AWS; deploy to a fresh lab instead"
            )


def tag_map(tags: Any) -> dict[str, str]:
    """Tags of a template, list or map, as a map."""
    if isinstance(tags, dict):
        return dict(tags)
    return {tag["Key"]: tag["Value"] for tag in tags or []}


@dataclass(frozen=True)
class MotoType:
    """A type that moto creates well. `path` is `module:Class`; `tag_property` may change, for `tags` writes it."""

    path: str
    tag_property: str = "Tags"
    ec2_tags: bool = False
    tags: TagWriter | None = None
    remove: Callable[[StackContext, Deployed], None] | None = None  # for classes of moto that cannot delete

    def _model(self) -> Any:
        module, _, name = self.path.partition(":")
        return getattr(importlib.import_module(module), name)

    def create(self, context: StackContext, logical_id: str, type_name: str, properties: Properties) -> Deployed:
        """As moto does; EC2 resources get the template's and CloudFormation's tags."""
        cloud = context.cloud
        with cloud.call():
            record = self._model().create_from_cloudformation_json(
                physical_name(context, logical_id, type_name, properties),
                {"Type": type_name, "Properties": properties},
                cloud.account_id,
                cloud.region,
                LogicalId=logical_id,
                StackId=context.stack_id,
                ResourceType=type_name,
            )
            deployed = Deployed(logical_id, type_name, record.physical_resource_id, record=record)
            self._write_tags(context, deployed, properties)
        return deployed

    def _write_tags(self, context: StackContext, deployed: Deployed, properties: Properties) -> None:
        if not self.ec2_tags and self.tags is None:
            return  # tags in the template stay unread, and fail by name
        tags = context.tags_of(deployed.logical_resource_id) | tag_map(properties.get(self.tag_property))
        if self.ec2_tags:
            context.cloud.backend("ec2").create_tags([deployed.physical_resource_id], tags)
        elif self.tags is not None:
            self.tags.write(context.cloud, deployed.physical_resource_id, tags)

    def _erase_tags(self, context: StackContext, deployed: Deployed, new: Properties) -> None:
        before, after = tag_map(deployed.properties.get(self.tag_property)), tag_map(new.get(self.tag_property))
        gone = sorted(set(before) - set(after))
        if self.ec2_tags and gone:
            context.cloud.backend("ec2").delete_tags([deployed.physical_resource_id], dict.fromkeys(gone))
        elif self.tags is not None and gone:
            self.tags.erase(context.cloud, deployed.physical_resource_id, gone)

    def update(self, context: StackContext, deployed: Deployed, new: Properties, changed: list[str]) -> None:
        """Tags only."""
        refuse_changes(deployed, changed, (self.tag_property,) if self.ec2_tags or self.tags else ())
        with context.cloud.call():
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
