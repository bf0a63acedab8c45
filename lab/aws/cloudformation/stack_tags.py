"""How a stack's tags get onto resources, and off again.

For: the resource types. Guarantees: what is written here is what the service's own ListTags or Describe call answers;
only tags that the stack had are taken away, never one that somebody else added. Does not: know templates.
Source: CloudFormation user guide "Resource tags".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from lab.aws.core.cloud import Cloud

Tags = dict[str, str]


@dataclass(frozen=True)
class TagWriter:
    """`write` adds or changes tags of a resource, given by its physical id; `erase` takes keys away."""

    write: Callable[[Cloud, str, Tags], None]
    erase: Callable[[Cloud, str, list[str]], None]


def _write_to_role(cloud: Cloud, name: str, tags: Tags) -> None:
    """Not by moto's TagRole, which refuses CloudFormation's own keys as it must refuse them to callers."""
    role = cloud.backend("iam").get_role(name)
    kept = [tag for tag in role.tags if tag["Key"] not in tags]
    role.tags = kept + [{"Key": key, "Value": value} for key, value in tags.items()]


def _erase_from_role(cloud: Cloud, name: str, keys: list[str]) -> None:
    role = cloud.backend("iam").get_role(name)
    role.tags = [tag for tag in role.tags if tag["Key"] not in keys]


def _function(cloud: Cloud, name: str) -> Any:
    return cloud.backend("lambda").get_function(name)


def _erase_from_function(cloud: Cloud, name: str, keys: list[str]) -> None:
    for key in keys:
        _function(cloud, name).tags.pop(key, None)


def _plainly(service: str) -> TagWriter:
    return TagWriter(
        lambda cloud, name, tags: cloud.backend(service).tag_resource(name, tags),
        lambda cloud, name, keys: cloud.backend(service).untag_resource(name, keys),
    )


TOPIC_TAGS, EFS_TAGS = _plainly("sns"), _plainly("efs")
EC2_TAGS = TagWriter(
    lambda cloud, resource_id, tags: cloud.backend("ec2").create_tags([resource_id], tags),
    lambda cloud, resource_id, keys: cloud.backend("ec2").delete_tags([resource_id], dict.fromkeys(keys)),
)
PARAMETER_TAGS = TagWriter(
    lambda cloud, name, tags: cloud.backend("ssm").add_tags_to_resource("Parameter", name, tags),
    lambda cloud, name, keys: cloud.backend("ssm").remove_tags_from_resource("Parameter", name, keys),
)
ROLE_TAGS = TagWriter(_write_to_role, _erase_from_role)
FUNCTION_TAGS = TagWriter(lambda cloud, name, tags: _function(cloud, name).tags.update(tags), _erase_from_function)
