"""Every name that two programs must spell alike: what a service is called on AWS and what its units are told.

For: the stacks, which create these things; the agent, which uses them; the operator's command, which reads and changes
them. Each imports the name from here. Guarantees: pure; the same service always has the same names, and two services
of one account and Region share none of them. `service` is the name in the service file (services.fields.ServiceName).
Does not: know directories and files of the instance (bootstrap.base.paths does), or ask whether a thing exists.
"""

from __future__ import annotations

from typing import Literal

SERVICE_TAG = "soloist:service"  # on everything of a stack; policies allow changes only where it has the right value
ZONE_TAG = "soloist:zone"  # on each network interface
LAUNCH_HOOK = "boot"
TERMINATE_HOOK = "drain"
PROMOTED_PARAMETER = "PromotedVersion"  # of the stack: the version of the launch template that the group launches
FIRST_VERSION = "first"  # its value until the first promotion
WATCH_SUFFIX = "-watch"
STAGED_OUTPUT = "StagedVersion"  # of the stack: the description of the version that the last deployment staged
GENERATION_VARIABLE = "SOLOIST_GENERATION"  # the service's fencing token, in its environment
Use = Literal["data", "lease"]  # what a part of the file system is for
METRIC_NAMESPACE = "soloist"  # the instance's role may write to no other one
SERVICE_DIMENSION = "Service"  # of every metric
INSTANCE_DIMENSION = "InstanceId"  # one more of Heartbeat
REASON_DIMENSION = "Reason"  # one more of Trouble
PHASE_DIMENSION = "Phase"  # one more of BootPhase
Part = Literal["storage", "launch-template", "instance-role"]
PARTS: tuple[Part, ...] = ("storage", "launch-template", "instance-role")  # two ids and an ARN
Metric = Literal[
    "BootFailed",
    "BootPhase",
    "BootTime",
    "Heartbeat",
    "LeaseAge",
    "Serving",
    "Takeover",
    "Trouble",
    "Troubles",
    "WatchdogActed",
    "WatchdogBlind",
    "WatchdogLooked",
]


def stack_name(service: str) -> str:
    """The name of the stack, and also of its Auto Scaling group, launch template and topic."""
    return f"soloist-{service}"


def watch_stack_name(service: str) -> str:
    """The name of the stack with what watches the service: alarms and dashboard. No service may be called so."""
    return f"{stack_name(service)}{WATCH_SUFFIX}"


def watchdog_name(service: str) -> str:
    """The function that watches the service from outside."""
    return f"{stack_name(service)}-watchdog"


def state_parameter(service: str) -> str:
    """The SSM parameter in which the instance reports its state."""
    return f"/soloist/{service}/state"


def log_group(service: str) -> str:
    """The log group of CloudWatch Logs, where the service file asks for one; a stream for each instance."""
    return f"/soloist/{service}"


def site_parameter(service: str) -> str:
    """The SSM parameter in which the stack keeps what a boot needs as it is now (bootstrap.base.site)."""
    return f"/soloist/{service}/site"


def parts_parameter(service: str) -> str:
    """The SSM parameter in which the stack tells the watch stack what only AWS knows beforehand: `PARTS`, in order."""
    return f"/soloist/{service}/parts"


def maintenance_parameter(service: str) -> str:
    """The SSM parameter in which the operator's command asks for maintenance mode; there is none otherwise."""
    return f"/soloist/{service}/maintenance"


def rollouts_parameter(service: str) -> str:
    """The SSM parameter in which the operator's command keeps the history of promotions."""
    return f"/soloist/{service}/rollouts"


def watchdog_parameter(service: str) -> str:
    """The SSM parameter in which the watchdog keeps what its next run must know (watchdog.memory)."""
    return f"/soloist/{service}/watchdog"


def look_function(service: str) -> str:
    """The Lambda function in the VPC that asks the instance's state port."""
    return f"soloist-{service}-look"


def access_point_path(service: str, use: Use) -> str:
    """The root directory of the access point for `use`, absolute on the file system."""
    return f"/{service}/{use}"
