"""Views of single records: moto's and ours turned into the frozen records of `views`.

For: `query`. Guarantees: reads only. Does not: lock; the caller holds the lock.
"""

from __future__ import annotations

from typing import Any

from lab.aws.autoscaling.group_records import Group
from lab.aws.core.views import AccessPointView, ActivityView, GroupView, MemberView


def tags_of(record: Any) -> dict[str, str]:
    """The tags of an EC2 resource."""
    return {tag["key"]: tag["value"] for tag in record.get_tags()}


def access_point_view(point: Any) -> AccessPointView:
    """An access point; owner and mode are those of its CreationInfo."""
    directory = point.root_directory or {}
    creation = directory.get("CreationInfo") or {}
    return AccessPointView(
        id=point.access_point_id,
        file_system_id=point.file_system_id,
        path=directory.get("Path", "/"),
        owner_uid=int(creation.get("OwnerUid", 0)),
        owner_gid=int(creation.get("OwnerGid", 0)),
        mode=str(creation.get("Permissions", "0755")),
    )


def group_view(group: Group) -> GroupView:
    """A group with its members and activities."""
    record = group.record
    template = record.ec2_launch_template
    return GroupView(
        name=group.name,
        minimum=int(record.min_size or 0),
        maximum=int(record.max_size or 0),
        desired=int(record.desired_capacity or 0),
        zones=tuple(record.availability_zones),
        suspended=tuple(sorted(process["ProcessName"] for process in record.suspended_processes)),
        launch_template_id=template.id if template is not None else "",
        launch_template_version=str(record.launch_template_version) if template is not None else "",
        members=tuple(
            MemberView(
                instance_id=member.instance_id,
                zone=member.zone,
                lifecycle_state=member.lifecycle,
                health_status=member.health,
                launch_template_version=(member.template or {}).get("Version", ""),
            )
            for member in group.members.values()
        ),
        activities=tuple(
            ActivityView(
                id=activity.id,
                description=activity.description,
                cause=activity.cause,
                status=activity.status,
                status_message=activity.message,
                started_at=activity.started_at,
                ended_at=activity.ended_at,
            )
            for activity in group.activities
        ),
    )
