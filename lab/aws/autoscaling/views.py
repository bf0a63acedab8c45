"""Auto Scaling as the rest of the lab sees it: frozen records of groups, and the zones that launches may use.

For: metadata service, live display, checkers, scenes. Guarantees: a view is a copy taken under the lock at one moment
and never changes; times are seconds of the control plane's clock. Does not: change AWS; the API does. Only what the lab
itself decides, such as zones without capacity, is set here.
Source: EC2 user guide "Instance metadata categories", autoscaling/target-lifecycle-state.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from lab.aws.autoscaling.group_records import Group
from lab.aws.autoscaling.state import AutoScaling
from lab.aws.core.cloud import Cloud

_Place = TypeVar("_Place")

_TARGETS = {"Pending": "InService", "InService": "InService", "Terminating": "Terminated", "Standby": "Standby"}


@dataclass(frozen=True, kw_only=True)
class MemberView:
    """An instance as its Auto Scaling group sees it."""

    instance_id: str
    zone: str
    lifecycle_state: str
    launch_template_version: str


@dataclass(frozen=True, kw_only=True)
class GroupView:
    name: str
    zones: tuple[str, ...]
    suspended: tuple[str, ...]
    launch_template_version: str  # as configured: number, $Default or $Latest
    members: tuple[MemberView, ...]


class AutoScalingQueries:
    """Queries about Auto Scaling, and control over zones. Thread-safe."""

    cloud: Cloud

    def group(self, name: str) -> GroupView | None:
        return next((view for view in self.groups() if view.name == name), None)

    def groups(self) -> list[GroupView]:
        with self.cloud.lock:
            return [_group(group) for group in AutoScaling.of(self.cloud).groups.values()]

    def target_lifecycle_state(self, instance_id: str) -> str | None:
        """What IMDS says at autoscaling/target-lifecycle-state; None (404) when the instance is in no group.

        It is the state that the instance is moving to, never its current state.
        """
        with self.cloud.lock:
            for group in AutoScaling.of(self.cloud).groups.values():
                member = group.members.get(instance_id)
                if member is not None:
                    return _TARGETS.get(member.lifecycle.partition(":")[0])
            return None

    def set_zone_available(self, zone: str, *, available: bool) -> None:
        """Groups launch nothing in a zone that is not available; what runs there is not touched."""
        self._put(AutoScaling.of(self.cloud).places.unavailable, zone, is_in=not available)

    def no_capacity(self, zone: str, *, instance_type: str = "", empty: bool = True) -> None:
        """Launches in a zone, or only those of a type, fail with InsufficientInstanceCapacity until told otherwise."""
        places = AutoScaling.of(self.cloud).places
        if instance_type:
            self._put(places.without_type, (zone, instance_type), is_in=empty)
        else:
            self._put(places.without_capacity, zone, is_in=empty)

    def _put(self, places: set[_Place], place: _Place, *, is_in: bool) -> None:
        with self.cloud.call():
            (places.add if is_in else places.discard)(place)

    def prefer_zones(self, zones: Sequence[str]) -> None:
        """Launch in these zones first, in this order, before any balancing. Empty restores AWS's own order."""
        with self.cloud.call():
            AutoScaling.of(self.cloud).places.preferred = tuple(zones)


def _group(group: Group) -> GroupView:
    record = group.record
    return GroupView(
        name=group.name,
        zones=tuple(record.availability_zones),
        suspended=tuple(sorted(process["ProcessName"] for process in record.suspended_processes)),
        launch_template_version=str(record.launch_template_version) if record.ec2_launch_template is not None else "",
        members=tuple(
            MemberView(
                instance_id=member.instance_id,
                zone=member.zone,
                lifecycle_state=member.lifecycle,
                launch_template_version=(member.template or {}).get("Version", ""),
            )
            for member in group.members.values()
        ),
    )
