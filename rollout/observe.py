"""What is there now: one service's launch template, group, instance and reported state.

For: `promote` decides from an `Observed`; this module only reads. Guarantees: one consistent-enough picture per call,
foreign errors become `RolloutError`. Does not: change anything, or believe that AWS answers are never stale.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from bootstrap.base.names import stack_name, state_parameter
from rollout.errors import PreconditionError, RolloutError

TEMPLATE_VERSIONS_PER_PAGE = 200


class Clients(Protocol):
    """The boto3 clients that a rollout uses."""

    @property
    def ec2(self) -> Any: ...
    @property
    def autoscaling(self) -> Any: ...
    @property
    def ssm(self) -> Any: ...


@dataclass(frozen=True, kw_only=True)
class StagedVersion:
    """One version of the launch template."""

    number: int
    image_id: str


@dataclass(frozen=True, kw_only=True)
class ReportedState:
    """What the instance last said of itself in the state parameter; empty strings where it said nothing."""

    phase: str = ""
    instance_id: str = ""
    image_id: str = ""
    zone: str = ""
    address: str = ""
    sentence: str = ""
    generation: str = ""  # of the lease; "0" before it is held


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
    state: ReportedState

    def version(self, number: int) -> StagedVersion:
        """The version of that number. Raises PreconditionError where there is none."""
        for version in self.versions:
            if version.number == number:
                return version
        known = ", ".join(str(version.number) for version in self.versions)
        raise PreconditionError(f"{self.service}: launch template has no version {number}; it has {known}")


def observe(clients: Clients, service: str) -> Observed:
    """Read launch template versions, group, instances and reported state of `service`."""
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


def read_state(clients: Clients, service: str) -> ReportedState:
    """What the instance last reported; an empty state where it never did or the text is not JSON."""
    name = state_parameter(service)
    try:
        text = clients.ssm.get_parameter(Name=name)["Parameter"]["Value"]
    except clients.ssm.exceptions.ParameterNotFound:
        return ReportedState()
    except (ClientError, BotoCoreError) as error:
        raise RolloutError(f"{service}: cannot read parameter {name}: {error}") from error
    try:
        tree = json.loads(text)
    except ValueError:
        return ReportedState()
    known = ReportedState.__dataclass_fields__
    return ReportedState(**{key: str(value) for key, value in tree.items() if key in known and value is not None})


def _group(clients: Clients, name: str) -> Any:
    try:
        groups = clients.autoscaling.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    except (ClientError, BotoCoreError) as error:
        raise RolloutError(f"cannot read Auto Scaling group {name}: {error}") from error
    if not groups:
        raise PreconditionError(f"no Auto Scaling group {name} in this account and Region: deploy the stack first")
    if "LaunchTemplate" not in groups[0]:
        raise PreconditionError(f"group {name} has no launch template: it was not made by soloist's stack")
    return groups[0]


def _versions(clients: Clients, template_id: str) -> list[tuple[int, str, bool]]:
    found: list[tuple[int, str, bool]] = []
    token: dict[str, str] = {}
    try:
        while True:
            page = clients.ec2.describe_launch_template_versions(
                LaunchTemplateId=template_id, MaxResults=TEMPLATE_VERSIONS_PER_PAGE, **token
            )
            for item in page["LaunchTemplateVersions"]:
                image_id = item["LaunchTemplateData"].get("ImageId", "")
                found.append((item["VersionNumber"], image_id, item["DefaultVersion"]))
            if not page.get("NextToken"):
                return sorted(found)
            token = {"NextToken": page["NextToken"]}
    except (ClientError, BotoCoreError) as error:
        raise RolloutError(f"cannot read versions of launch template {template_id}: {error}") from error
