"""The watchdog's door to AWS: what it reads and what it changes, nothing more.

For: watch. Guarantees: every call has time-outs; whatever AWS or the network answers instead of a result is `AwsError`;
time is AWS's (the Date of its answers), because the clock of a function may be wrong. Does not: decide.
Sources: API references of Auto Scaling (DescribeAutoScalingGroups, SetInstanceHealth, CompleteLifecycleAction,
UpdateAutoScalingGroup), EC2 (DescribeInstances, DescribeInstanceStatus, GetConsoleOutput), CloudWatch (GetMetricData,
PutMetricData: a datum without Timestamp gets the time of its receipt), Lambda (Invoke), Systems Manager (PutParameter
returns the version it made; GetParameter reads a former one under NAME:VERSION).
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from itertools import pairwise
from statistics import median
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from bootstrap.base.names import (
    INSTANCE_DIMENSION,
    LAUNCH_HOOK,
    METRIC_NAMESPACE,
    SERVICE_DIMENSION,
    TERMINATE_HOOK,
    Metric,
    look_function,
    maintenance_parameter,
    stack_name,
    state_parameter,
    watchdog_parameter,
)
from bootstrap.tell.message import Message
from watchdog.breaker import Member

CALLS = Config(connect_timeout=3, read_timeout=8, retries={"mode": "standard", "total_max_attempts": 2})
LOOK_TIMEOUT_S = 3.0
HEARTBEAT: Metric = "Heartbeat"
LOOKED: Metric = "WatchdogLooked"
WINDOW_S = 900  # how far back metrics are looked at
CONSOLE_CHARACTERS = 16_000  # of the end of a console's output


class AwsError(Exception):
    """A call was refused or not answered. The message says which."""


class Interfered(AwsError):
    """Somebody else wrote the memory since it was read."""


@dataclass(frozen=True, kw_only=True)
class Group:
    """The group. `now_s`: epoch seconds of AWS's clock."""

    version: str  # of the launch template, which the next launch boots
    members: tuple[Member, ...]
    now_s: float


@dataclass(frozen=True, kw_only=True)
class Machine:
    """What EC2 says of an instance."""

    address: str
    zone: str
    launched_at: float  # epoch seconds


class Aws:
    """Of one service."""

    def __init__(self, service: str, topic_arn: str) -> None:
        self._service = service
        self._name = stack_name(service)
        self._topic_arn = topic_arn
        self._clients: dict[str, Any] = {}

    def group(self) -> Group:
        """Raises AwsError, also where there is no such group."""
        answer = self._call("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[self._name])
        groups = answer["AutoScalingGroups"]
        if not groups:
            raise AwsError(f"there is no group {self._name}")
        members = tuple(
            Member(
                instance_id=one["InstanceId"],
                version=one.get("LaunchTemplate", {}).get("Version", ""),
                lifecycle=one["LifecycleState"],
                health=one["HealthStatus"],
            )
            for one in groups[0]["Instances"]
        )
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return Group(version=_launched(groups[0])["Version"], members=members, now_s=now.timestamp())

    def machine(self, instance_id: str) -> Machine | None:
        """None where EC2 does not know it, or it has no address any more. Raises AwsError."""
        answer = self._call("ec2", "describe_instances", InstanceIds=[instance_id])
        for reservation in answer["Reservations"]:
            for one in reservation["Instances"]:
                if one.get("PrivateIpAddress"):
                    return Machine(
                        address=one["PrivateIpAddress"],
                        zone=one["Placement"]["AvailabilityZone"],
                        launched_at=one["LaunchTime"].timestamp(),
                    )
        return None

    def is_impaired(self, instance_id: str) -> bool:
        """Whether one of EC2's status checks fails. Raises AwsError."""
        answer = self._call("ec2", "describe_instance_status", InstanceIds=[instance_id], IncludeAllInstances=True)
        return any(
            one[kind]["Status"] == "impaired"
            for one in answer["InstanceStatuses"]
            for kind in ("InstanceStatus", "SystemStatus")
            if kind in one
        )

    def look(self, address: str, port: int, *, is_tls: bool) -> dict[str, Any]:
        """What `look` returns. Raises AwsError, also when the function itself fails: then nobody has looked."""
        event = {"address": address, "port": port, "is_tls": is_tls, "timeout_s": LOOK_TIMEOUT_S}
        answer = self._call(
            "lambda", "invoke", FunctionName=look_function(self._service), Payload=json.dumps(event).encode()
        )
        text = answer["Payload"].read()
        if answer.get("FunctionError"):
            raise AwsError(f"function {look_function(self._service)} failed: {text[:500]!r}")
        found: dict[str, Any] = json.loads(text)
        return found

    def count(self, **metrics: float) -> None:
        """Send metrics of this service. Raises AwsError."""
        data = [
            {
                "MetricName": name,
                "Dimensions": [{"Name": SERVICE_DIMENSION, "Value": self._service}],
                "Value": value,
                "StorageResolution": 1,
            }
            for name, value in metrics.items()
        ]
        self._call("cloudwatch", "put_metric_data", Namespace=METRIC_NAMESPACE, MetricData=data)

    def ages(self, instance_id: str, now_s: float) -> tuple[float | None, float, float | None]:
        """Age of the instance's last heartbeat, the usual time between two of them, and the age of the watchdog's own
        last metric, in seconds; None for none within `WINDOW_S`. Raises AwsError."""
        service = {"Name": SERVICE_DIMENSION, "Value": self._service}
        wanted = {
            "beat": (HEARTBEAT, [service, {"Name": INSTANCE_DIMENSION, "Value": instance_id}]),
            "own": (LOOKED, [service]),
        }
        queries = [
            {
                "Id": key,
                "MetricStat": {
                    "Metric": {"Namespace": METRIC_NAMESPACE, "MetricName": name, "Dimensions": dimensions},
                    "Period": 1,
                    "Stat": "SampleCount",
                },
            }
            for key, (name, dimensions) in wanted.items()
        ]
        now = datetime.fromtimestamp(now_s, UTC)
        answer = self._call(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=queries,
            StartTime=now - timedelta(seconds=WINDOW_S),
            EndTime=now + timedelta(seconds=60),  # the end is exclusive, and AWS has more than one clock
            ScanBy="TimestampDescending",
        )
        sent = {one["Id"]: sorted(at.timestamp() for at in one["Timestamps"]) for one in answer["MetricDataResults"]}
        beat, own = (max(0.0, now_s - sent[key][-1]) if sent.get(key) else None for key in ("beat", "own"))
        gaps = [later - earlier for earlier, later in pairwise(sent.get("beat", []))]
        return beat, median(gaps) if gaps else 0.0, own

    def maintenance(self, now_s: float) -> str:
        """Who works on the service and why; "" when nobody does. Raises AwsError."""
        text, written_at, _ = self._parameter(maintenance_parameter(self._service))
        if not text:
            return ""
        try:
            found = json.loads(text)
            left_s = float(found["for_s"]) - (now_s - written_at)
            return f"{found['by']}: {found['why']}" if left_s > 0 else ""
        except (ValueError, TypeError, KeyError) as error:
            raise AwsError(f"the maintenance parameter cannot be read: {error!r}") from None

    def state_text(self) -> str:
        """What an instance has reported last. Raises AwsError."""
        return self._parameter(state_parameter(self._service))[0]

    def memory(self) -> tuple[str, int]:
        """The text and its version. Raises AwsError."""
        text, _, version = self._parameter(watchdog_parameter(self._service))
        return text, version

    def remember(self, text: str, version: int) -> int:
        """Write the memory over `version`; returns the new version. Raises Interfered, AwsError."""
        if self.memory()[1] != version:
            raise Interfered("another run of the watchdog, or a person, has changed its memory")
        name = watchdog_parameter(self._service)
        made: int = self._call("ssm", "put_parameter", Name=name, Value=text, Type="String", Overwrite=True)["Version"]
        if made != version + 1:  # the other one's text is kept as the version before, and goes back to where it was
            theirs = self._parameter(f"{name}:{made - 1}")[0]
            self._call("ssm", "put_parameter", Name=name, Value=theirs, Type="String", Overwrite=True)
            raise Interfered("another run of the watchdog, or a person, changed its memory in the same moment")
        return made

    def report_unhealthy(self, instance_id: str) -> None:
        """Raises AwsError."""
        how = {"HealthStatus": "Unhealthy", "ShouldRespectGracePeriod": False}
        self._call("autoscaling", "set_instance_health", InstanceId=instance_id, **how)

    def abandon_launch(self, instance_id: str) -> None:
        """Raises AwsError."""
        self._complete(instance_id, LAUNCH_HOOK, "ABANDON")

    def let_go(self, instance_id: str) -> None:
        """Raises AwsError."""
        self._complete(instance_id, TERMINATE_HOOK, "CONTINUE")

    def launch_from(self, version: str) -> None:
        """Make `version` what the group launches. Raises AwsError."""
        answer = self._call("autoscaling", "describe_auto_scaling_groups", AutoScalingGroupNames=[self._name])
        group = answer["AutoScalingGroups"][0]
        _launched(group)["Version"] = version
        _launched(group).pop("LaunchTemplateName", None)  # the id is enough, and both are refused
        policy, template = group.get("MixedInstancesPolicy"), group.get("LaunchTemplate")
        how = {"MixedInstancesPolicy": policy} if policy else {"LaunchTemplate": template}
        self._call("autoscaling", "update_auto_scaling_group", AutoScalingGroupName=self._name, **how)

    def console(self, instance_id: str) -> str:
        """The end of its console's output. Raises AwsError."""
        answer = self._call("ec2", "get_console_output", InstanceId=instance_id)
        return base64.b64decode(answer.get("Output", "")).decode(errors="replace")[-CONSOLE_CHARACTERS:]

    def tell(self, message: Message) -> None:
        """Raises AwsError."""
        attributes = {name: {"DataType": "String", "StringValue": value} for name, value in message.attributes.items()}
        self._call(
            "sns",
            "publish",
            TopicArn=self._topic_arn,
            Subject=message.subject[:100],
            Message=message.text,
            MessageAttributes=attributes,
        )

    def _complete(self, instance_id: str, hook: str, result: str) -> None:
        which = {"AutoScalingGroupName": self._name, "InstanceId": instance_id, "LifecycleHookName": hook}
        self._call("autoscaling", "complete_lifecycle_action", **which, LifecycleActionResult=result)

    def _parameter(self, name: str) -> tuple[str, float, int]:
        """Its text, when it was written (epoch seconds) and its version; nothing and zeros where there is none."""
        try:
            found = self._call("ssm", "get_parameter", Name=name)["Parameter"]
        except NoParameter:
            return "", 0.0, 0
        return found["Value"], found["LastModifiedDate"].timestamp(), found["Version"]

    def _call(self, service: str, operation: str, **parameters: Any) -> Any:
        with _errors(f"{service}: {operation}"):
            if service not in self._clients:
                self._clients[service] = boto3.client(service, config=CALLS)  # type: ignore[call-overload]
            return getattr(self._clients[service], operation)(**parameters)


class NoParameter(AwsError):
    """There is no such parameter."""


def _launched(group: dict[str, Any]) -> dict[str, Any]:
    """The launch template of a group, alone or within a mixed instances policy."""
    policy = group.get("MixedInstancesPolicy")
    found: dict[str, Any] = (
        policy["LaunchTemplate"]["LaunchTemplateSpecification"] if policy else group["LaunchTemplate"]
    )
    return found


@contextmanager
def _errors(doing: str) -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        kind = NoParameter if error.response["Error"]["Code"] == "ParameterNotFound" else AwsError
        raise kind(f"{doing}: {error}") from error
    except BotoCoreError as error:
        raise AwsError(f"{doing}: {error}") from error
