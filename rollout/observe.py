"""What is there now: one service's stack, launch template, group, members and reported state.

For: `promote` decides from an `Observed`. Guarantees: reads only; an error of AWS becomes a `RolloutError`.
Does not: read all of it at one moment; AWS may also answer with what was true a moment ago.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from bootstrap.base.names import stack_name, state_parameter
from bootstrap.base.state import State, parse_state
from rollout.aws import Clients, doing, read_parameter
from rollout.errors import PreconditionError
from rollout.stack import Stack, read_stack

TEMPLATE_VERSIONS_PER_PAGE = 200


@dataclass(frozen=True, kw_only=True)
class StagedVersion:
    """One version of the launch template."""

    number: int
    image_id: str
    instance_type: str = ""
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class Member:
    """One instance of the group that is not ending, and the version that it was launched from ("" where unknown)."""

    instance_id: str
    version: str


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Everything a decision needs. Versions are in ascending order."""

    service: str
    group_name: str
    launch_template_id: str
    versions: tuple[StagedVersion, ...]
    default_version: int
    group_version: str
    types: tuple[str, ...] = ()  # of the group's own list, in order; empty where each version names its type
    stack: Stack
    members: tuple[Member, ...]
    state: State

    @property
    def promoted(self) -> int:
        """The version that the group launches."""
        named = {"$Default": self.default_version, "$Latest": self.versions[-1].number}
        return named[self.group_version] if self.group_version in named else int(self.group_version)

    @property
    def staged(self) -> StagedVersion:
        """The version that the last deployment staged: the newest with its description. Raises PreconditionError."""
        known = ", ".join(str(version.number) for version in self.versions)
        if self.stack.was_rolled_back:
            raise PreconditionError(
                f"stack {self.stack.name} is {self.stack.status}: the last deployment failed, and staged nothing. "
                f"Deploy again, or give the version by its number, one of {known}"
            )
        for version in reversed(self.versions):
            if version.description == self.stack.staged:
                return version
        raise PreconditionError(
            f"{self.service}: no version of the launch template is {self.stack.staged!r}, which stack "
            f"{self.stack.name} names as staged. Deploy again, or give the version by its number, one of {known}"
        )

    def serves(self, version: int) -> bool:
        """Whether a member that was launched from `version` reports ready."""
        of_version = {member.instance_id for member in self.members if member.version == str(version)}
        return self.state.phase == "ready" and self.state.instance_id in of_version

    def version(self, number: int) -> StagedVersion:
        """The version of that number. Raises PreconditionError where there is none."""
        for version in self.versions:
            if version.number == number:
                return version
        known = ", ".join(str(version.number) for version in self.versions)
        raise PreconditionError(f"{self.service}: launch template has no version {number}. Choose one of {known}")


def observe(clients: Clients, service: str) -> Observed:
    """Read stack, launch template versions, group, members and reported state of `service`.

    Raises PreconditionError where there is no such stack, RolloutError where AWS refuses or does not answer."""
    name = stack_name(service)
    group = _group(clients, name)
    template = _template(group)
    versions = _versions(clients, template["LaunchTemplateId"])
    return Observed(
        service=service,
        group_name=name,
        launch_template_id=template["LaunchTemplateId"],
        versions=tuple(version for version, _ in versions),
        default_version=next(version.number for version, is_default in versions if is_default),
        group_version=str(template["Version"]),
        types=_types(group),
        stack=read_stack(clients, name),
        members=tuple(
            Member(instance_id=item["InstanceId"], version=str((item.get("LaunchTemplate") or {}).get("Version", "")))
            for item in group["Instances"]
            if not item["LifecycleState"].startswith("Terminat")
        ),
        state=read_state(clients, service),
    )


def read_state(clients: Clients, service: str) -> State:
    """What the instance last reported; an empty state where there is none yet. Raises RolloutError."""
    return parse_state(read_parameter(clients, state_parameter(service))) or State()


def _group(clients: Clients, name: str) -> Any:
    with doing(f"cannot read Auto Scaling group {name}"):
        groups = clients.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    if not groups:
        raise PreconditionError(f"no Auto Scaling group {name} in this account and Region. Deploy the stack first")
    if not _template(groups[0]):
        raise PreconditionError(
            f"group {name} has no launch template, so soloist's stack did not make it. Name a service of soloist"
        )
    return groups[0]


def _template(group: Any) -> Any:
    """The launch template of a group; in a mixed instances policy, where the group has a list of types; else {}.

    Source: Auto Scaling API reference, AutoScalingGroup: it has one of the two."""
    policy = group.get("MixedInstancesPolicy") or {"LaunchTemplate": {}}
    return group.get("LaunchTemplate") or policy["LaunchTemplate"].get("LaunchTemplateSpecification") or {}


def _types(group: Any) -> tuple[str, ...]:
    policy = group.get("MixedInstancesPolicy") or {"LaunchTemplate": {}}
    return tuple(one["InstanceType"] for one in policy["LaunchTemplate"].get("Overrides", []))


def _versions(clients: Clients, template_id: str) -> list[tuple[StagedVersion, bool]]:
    """Every version and whether it is the default, in ascending order; there is always a default one."""
    with doing(f"cannot read versions of launch template {template_id}"):
        pages = clients.ec2.get_paginator("describe_launch_template_versions").paginate(
            LaunchTemplateId=template_id, PaginationConfig={"PageSize": TEMPLATE_VERSIONS_PER_PAGE}
        )
        items = [item for page in pages for item in page["LaunchTemplateVersions"]]
    return [
        (
            StagedVersion(
                number=item["VersionNumber"],
                image_id=item["LaunchTemplateData"].get("ImageId", ""),
                instance_type=item["LaunchTemplateData"].get("InstanceType", ""),
                description=item.get("VersionDescription", ""),
            ),
            item["DefaultVersion"],
        )
        for item in sorted(items, key=lambda item: int(item["VersionNumber"]))
    ]
