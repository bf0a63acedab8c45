"""What is there now: one service's launch template, group, instance and reported state.

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

TEMPLATE_VERSIONS_PER_PAGE = 200


@dataclass(frozen=True, kw_only=True)
class StagedVersion:
    """One version of the launch template."""

    number: int
    image_id: str


@dataclass(frozen=True, kw_only=True)
class Observed:
    """Everything a decision needs. Versions are in ascending order."""

    service: str
    group_name: str
    launch_template_id: str
    versions: tuple[StagedVersion, ...]
    default_version: int
    group_version: str
    instance_ids: tuple[str, ...]
    state: State

    def version(self, number: int) -> StagedVersion:
        """The version of that number. Raises PreconditionError where there is none."""
        for version in self.versions:
            if version.number == number:
                return version
        known = ", ".join(str(version.number) for version in self.versions)
        raise PreconditionError(f"{self.service}: launch template has no version {number}. Choose one of {known}")


def observe(clients: Clients, service: str) -> Observed:
    """Read launch template versions, group, instances and reported state of `service`.

    Raises PreconditionError where there is no such stack, RolloutError where AWS refuses or does not answer."""
    name = stack_name(service)
    group = _group(clients, name)
    template = group["LaunchTemplate"]
    versions = _versions(clients, template["LaunchTemplateId"])
    default = next(number for number, _, is_default in versions if is_default)
    return Observed(
        service=service,
        group_name=name,
        launch_template_id=template["LaunchTemplateId"],
        versions=tuple(StagedVersion(number=number, image_id=image_id) for number, image_id, _ in versions),
        default_version=default,
        group_version=str(template["Version"]),
        instance_ids=tuple(
            item["InstanceId"] for item in group["Instances"] if not item["LifecycleState"].startswith("Terminat")
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
    if "LaunchTemplate" not in groups[0]:
        raise PreconditionError(
            f"group {name} has no launch template, so soloist's stack did not make it. Name a service of soloist"
        )
    return groups[0]


def _versions(clients: Clients, template_id: str) -> list[tuple[int, str, bool]]:
    """Number, AMI id and "is the default" of every version, in ascending order; there is always a default one."""
    with doing(f"cannot read versions of launch template {template_id}"):
        pages = clients.ec2.get_paginator("describe_launch_template_versions").paginate(
            LaunchTemplateId=template_id, PaginationConfig={"PageSize": TEMPLATE_VERSIONS_PER_PAGE}
        )
        return sorted(
            (item["VersionNumber"], item["LaunchTemplateData"].get("ImageId", ""), item["DefaultVersion"])
            for page in pages
            for item in page["LaunchTemplateVersions"]
        )
