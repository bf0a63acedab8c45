"""Records of an Auto Scaling group at run time: group, member, scaling activity.

For: `groups`, `group_launch` and `group_api` share these. Guarantees: each describes itself as the API shows it.
Does not: change anything by itself.
"""

import json
import math
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from lab.aws.autoscaling.lifecycle_hooks import Hook, Wait
from lab.aws.core.cloud import Cloud


@dataclass
class Activity:
    group_name: str
    description: str
    cause: str
    started_at: float
    details: dict[str, str]
    status: str = "InProgress"
    message: str = ""
    ended_at: float | None = None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))

    def end(self, now: float, status: str, message: str = "") -> None:
        """Close the activity. No-op when it is closed."""
        if self.ended_at is None:
            self.ended_at, self.status, self.message = now, status, message or self.message

    def describe(self) -> dict[str, Any]:
        """As DescribeScalingActivities shows it."""
        return {
            "ActivityId": self.id,
            "AutoScalingGroupName": self.group_name,
            "Description": self.description,
            "Cause": self.cause,
            "StartTime": datetime.fromtimestamp(self.started_at, UTC),
            "EndTime": datetime.fromtimestamp(self.ended_at, UTC) if self.ended_at is not None else None,
            "StatusCode": self.status,
            "StatusMessage": self.message or None,
            "Progress": 100 if self.ended_at is not None else 50,
            "Details": json.dumps(self.details),
        }


@dataclass
class Member:
    instance_id: str
    instance_type: str
    zone: str
    launched_at: float
    template: dict[str, str] | None
    launch: Activity | None
    lifecycle: str = "Pending"
    health: str = "Healthy"
    unhealthy_cause: str = ""
    in_service_since: float | None = None
    protected: bool = False
    waits: dict[str, Wait] = field(default_factory=dict)
    termination: Activity | None = None

    def describe(self) -> dict[str, Any]:
        """As DescribeAutoScalingGroups shows it."""
        return {
            "InstanceId": self.instance_id,
            "InstanceType": self.instance_type,
            "AvailabilityZone": self.zone,
            "LifecycleState": self.lifecycle,
            "HealthStatus": self.health,
            "LaunchTemplate": self.template,
            "ProtectedFromScaleIn": self.protected,
        }


@dataclass
class Group:
    """A group at run time; `record` is moto's record of its configuration."""

    name: str
    record: Any
    grace_s: int = 0
    maintenance_policy: dict[str, int] = field(default_factory=dict)
    distribution: str = "balanced-best-effort"
    hooks: dict[str, Hook] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    notifications: list[dict[str, Any]] = field(default_factory=list)  # NotificationConfigurations
    activities: list[Activity] = field(default_factory=list)
    capacity_cause: str = ""
    next_health_at: float = 0.0
    launch_allowed_at: float = 0.0
    is_deleting: bool = False  # by force: its name is free once its instances are terminated
    replacing: int = 0  # unhealthy instances whose replacement is still to be launched

    def launches_first(self, *, by_default: bool) -> bool:
        """True when a replacement must be in service before its predecessor goes: by the policy, else by the account.

        If the minimum healthy percentage allows no missing instance, the group launches first, whatever the maximum
        (API reference RefreshPreferences).
        """
        if not self.maintenance_policy:
            return by_default
        desired = int(self.record.desired_capacity or 0)
        kept = math.ceil(desired * self.maintenance_policy["MinHealthyPercentage"] / 100)
        return desired > 0 and kept >= desired


def subnet_in(cloud: Cloud, group: Group, zone: str) -> str | None:
    """The group's subnet in a zone, or None: also when it is gone."""
    in_zone = cloud.backend("ec2").subnets.get(zone, {})
    named = (group.record.vpc_zone_identifier or "").split(",")
    return next((subnet_id for subnet_id in named if subnet_id in in_zone), None)


def stamp(cloud: Cloud) -> str:
    """The current time in the format of scaling activities."""
    return datetime.fromtimestamp(cloud.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def begin_activity(cloud: Cloud, group: Group, description: str, cause: str, zone: str) -> Activity:
    activity = Activity(
        group_name=group.name,
        description=description,
        cause=f"At {stamp(cloud)} {cause}",
        started_at=cloud.now(),
        details={"Subnet ID": subnet_in(cloud, group, zone) or "", "Availability Zone": zone},
    )
    group.activities.insert(0, activity)
    return activity
