"""What the lab keeps of Auto Scaling: its groups, the account's settings, and what launches find in each zone.

For: the modules of this room, and CloudFormation's group types. Guarantees: all is read and written under the cloud's
lock. Does not: decide anything.
"""

from dataclasses import dataclass, field

from lab.aws.autoscaling.group_records import Group
from lab.aws.core.cloud import Room

LAUNCH_FIRST = "launchBeforeTerminate"


@dataclass
class Places:
    """What the lab decides about zones: closed, out of capacity, preferred."""

    unavailable: set[str] = field(default_factory=set)
    without_capacity: set[str] = field(default_factory=set)
    without_type: set[tuple[str, str]] = field(default_factory=set)  # zone and instance type
    preferred: tuple[str, ...] = ()


@dataclass
class AutoScaling(Room):
    groups: dict[str, Group] = field(default_factory=dict)  # by name
    account_settings: dict[str, str] = field(default_factory=lambda: {LAUNCH_FIRST: "disabled"})
    places: Places = field(default_factory=Places)
