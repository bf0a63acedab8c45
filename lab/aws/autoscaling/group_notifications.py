"""Notifications of a group: whom it tells what.

For: DescribeNotificationConfigurations, by which the CLI and tests see what the stack asked for. Guarantees: what the
template says is there. Does not: send them. Source: Auto Scaling API reference.
"""

from __future__ import annotations

from typing import Any

from moto.core.responses import ActionResult

from lab.aws.autoscaling.state import AutoScaling
from lab.aws.core.cloud import current
from lab.aws.core.patches import ABSENT, replaces

_RESPONSE = "moto.autoscaling.responses:AutoScalingResponse"


@replaces(f"{_RESPONSE}.describe_notification_configurations", expects=ABSENT, reason="moto does not have it")
def describe_notification_configurations(self: Any) -> Any:
    """DescribeNotificationConfigurations: one entry per group, topic and type."""
    wanted = self._get_param("AutoScalingGroupNames") or []
    cloud = current()
    with cloud.lock:
        found = [
            {"AutoScalingGroupName": name, "TopicARN": topic, "NotificationType": kind}
            for name, group in AutoScaling.of(cloud).groups.items()
            if name in wanted or not wanted
            for one in group.notifications
            for topic in _topics(one)
            for kind in one.get("NotificationTypes", [])
        ]
    return ActionResult({"NotificationConfigurations": found})


def _topics(configuration: dict[str, Any]) -> list[str]:
    topic = configuration.get("TopicARN") or []
    return [topic] if isinstance(topic, str) else list(topic)
