"""AWS on one machine: the control plane of the lab, on moto with the gaps closed that would hide bugs.

For: `ControlPlane` serves the lab over HTTP; `lab.aws.core.strict.strict_mock_aws` gives unit tests the same rules.
Guarantees: what is exported here is stable. Does not: run machines (`Machines`), answer DNS or instance metadata.
"""

from __future__ import annotations

from lab.aws.core.control_plane import ControlPlane
from lab.aws.core.engine import ManualClock
from lab.aws.core.machines import MachineOrder, Machines, Nic, NoMachines
from lab.aws.core.timing import AWS, FAST, Spread, Timing
from lab.aws.core.views import (
    AccessPointView,
    ActivityView,
    Event,
    GroupView,
    InstanceView,
    MemberView,
    MountTargetView,
    NetworkInterfaceView,
    RecordView,
    RoleCredentials,
    SubnetView,
)
from lab.aws.faults.faults import Fault
from lab.aws.faults.presets import PRESETS, preset

__all__ = [
    "AWS",
    "FAST",
    "PRESETS",
    "AccessPointView",
    "ActivityView",
    "ControlPlane",
    "Event",
    "Fault",
    "GroupView",
    "InstanceView",
    "MachineOrder",
    "Machines",
    "ManualClock",
    "MemberView",
    "MountTargetView",
    "NetworkInterfaceView",
    "Nic",
    "NoMachines",
    "RecordView",
    "RoleCredentials",
    "Spread",
    "SubnetView",
    "Timing",
    "preset",
]
