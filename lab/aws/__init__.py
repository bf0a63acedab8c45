"""AWS on one machine: the control plane of the lab, on moto with the gaps closed that would hide bugs.

For: `ControlPlane` serves the lab over HTTP; `strict_mock_aws` gives unit tests the same rules in process.
Rooms: `http` and `in_process` (the two doors) -> `account` (rules in force, queries) and `calls` (what a request is) ->
`cloudformation` -> `autoscaling` -> `ec2`, `route53`, `efs`, `lambdas` -> `faults` -> `core`. Imports
go in this direction only.
Guarantees: what is exported here is stable. Does not: run machines (`Machines`), answer DNS or instance metadata.
"""

from lab.aws.autoscaling.views import GroupView, MemberView
from lab.aws.core.clockwork import ManualClock
from lab.aws.core.cloud import Event
from lab.aws.core.timing import AWS, FAST, Timing
from lab.aws.ec2.machines import MachineOrder, Nic, NoMachines
from lab.aws.ec2.views import InstanceView, NetworkInterfaceView, SubnetView
from lab.aws.efs.views import MountTargetView
from lab.aws.faults.faults import Fault
from lab.aws.http.control_plane import ControlPlane
from lab.aws.in_process.strict import StrictAws, strict_mock_aws
from lab.aws.route53.views import RecordView

__all__ = [
    "AWS",
    "FAST",
    "ControlPlane",
    "Event",
    "Fault",
    "GroupView",
    "InstanceView",
    "MachineOrder",
    "ManualClock",
    "MemberView",
    "MountTargetView",
    "NetworkInterfaceView",
    "Nic",
    "NoMachines",
    "RecordView",
    "StrictAws",
    "SubnetView",
    "Timing",
    "strict_mock_aws",
]
