"""AWS on one machine: the control plane of the lab, on moto with the gaps closed that would hide bugs.

For: `ControlPlane` serves the lab over HTTP; `lab.cloud.strict.strict_mock_aws` gives unit tests the same rules.
Guarantees: what is exported here is stable. Does not: run machines (`Machines`), answer DNS or instance metadata.
"""

from __future__ import annotations

from lab.cloud.control_plane import ControlPlane
from lab.cloud.engine import ManualClock
from lab.cloud.fault_presets import PRESETS, preset
from lab.cloud.faults import Fault
from lab.cloud.machines import MachineOrder, Machines, Nic, NoMachines
from lab.cloud.timing import AWS, FAST, Spread, Timing
from lab.cloud.views import (
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
