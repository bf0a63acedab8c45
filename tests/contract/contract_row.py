"""One row of behaviours.yaml at work: its steps, over HTTP with boto3, on AWS's own clock.

For: test_behaviours. Guarantees: time passes only in `advance`; a refusal must be a ClientError with the row's code and
text. The kinds of steps are described at the top of behaviours.yaml.
"""

import http.client
import json
import re
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jmespath
import pytest
import yaml
from botocore.exceptions import ClientError

from lab.aws import ControlPlane, NoMachines
from lab.edges.metadata import InstanceMetadata, MetadataService
from lab.edges.metadata_http import MetadataServer
from lab.edges.names import Names
from lab.play.wiring import Wiring
from tests.kit.distinct_delays import DISTINCT
from tests.kit.lab_clients import client

from .row_words import START, hooks, row_of

ROWS = [row_of(tree) for tree in yaml.safe_load(Path(__file__).with_name("behaviours.yaml").read_text())]
TABLE = "contract table"  # property of a test report: those of all worker processes reach the summary
TIMING = replace(
    DISTINCT,
    custom_resource_timeout_s=20,
    file_system_s=2,
    mount_target_s=20,
    metadata_lag_s=8,
    change_busy_s=1,
    route53_burst=10,
    route53_rate_per_s=5,
)
IMAGES = {"image": "ami-00000000000000001", "image_2": "ami-00000000000000002"}
POLICY = {"Effect": "Allow", "Action": "s3:*", "Resource": "arn:aws:s3:::" + "x" * 6100}
LARGE = {  # what is too large for a limit of AWS
    "filler": "x" * 51_200,
    "label": "x" * 64,
    "log_line_too_large": "x" * (1_048_576 - 25),
    "many": {
        "Name": "a.lab.internal",
        "Type": "TXT",
        "TTL": 1,
        "ResourceRecords": [{"Value": f'"{number}"'} for number in range(501)],
    },
    "policy": json.dumps({"Version": "2012-10-17", "Statement": [POLICY]}),
}
TOKEN = "x-aws-ec2-metadata-token"


def dates() -> dict[str, str | int]:
    """A moment in ten minutes, and the whole minute next to it, as EC2 writes it; moments of CloudWatch Logs."""
    soon = datetime.fromtimestamp(time.time(), UTC).replace(second=0, microsecond=0) + timedelta(minutes=10)
    given = (soon + timedelta(seconds=20)).strftime("%Y-%m-%dT%H:%M:%SZ")
    now_ms = int(time.time() * 1000)
    return {
        "soon": given,
        "soon_to_the_minute": soon.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "now_ms": now_ms,
        "minute_ago_ms": now_ms - 60_000,
        "two_days_ago_ms": now_ms - 2 * 86_400_000,
    }


class DeafMachines(NoMachines):
    """Machines that ignore the power button."""

    def press_power_button(self, instance_id: str) -> None:
        """Nothing: `machine_dies` says when it is off."""


# Of the operator, by address and service: making a client costs more than most rows, so rows share them.
OPERATOR_CLIENTS: dict[tuple[str, str], Any] = {}


class Row:
    """The control plane as one row sees it. Close it after use."""

    def __init__(self, plane: ControlPlane, machines: NoMachines) -> None:
        self.plane, self.machines = plane, machines
        self.variables: dict[str, Any] = IMAGES | LARGE | dates()
        self._clients: dict[tuple[str, str], Any] = {}
        self._used: list[Any] = []
        self._metadata: MetadataServer | None = None
        self._asking = ""
        for name, image_id in IMAGES.items():
            plane.register_image(image_id, name)

    def close(self) -> None:
        """Let go of connections and ports: the next row's AWS may be at the same address."""
        for used in self._used:
            used.close()
        if self._metadata is not None:
            self._metadata.close()

    # ---------------------------------------------------------------- variables and clients
    def variable(self, name: str) -> Any:
        """A variable; those of the start are made when they are first asked for. None for one that is none."""
        if name == "one" not in self.variables:
            self._step_instance({"instance": {"as": "one", "zone": "a"}})
        elif name not in self.variables and name in START:
            operation, parameters, path = START[name]
            self.variables[name] = jmespath.search(path, self.call(operation, parameters))
        return self.variables.get(name)

    def prepare(self) -> None:
        """Make every variable of the start now, before a rule is broken."""
        for name in START:
            self.variable(name)

    def call(self, operation: str, parameters: dict[str, Any], caller: str = "") -> Any:
        """The answer to a call of boto3 (service.operation), with variables filled in."""
        service, _, name = operation.partition(".")
        return getattr(self.client(service, self.filled(caller)), name)(**self.filled(parameters))

    def client(self, service: str, of: str = "") -> Any:
        """A client of the operator, or of an instance's role."""
        if not of:
            at = (self.plane.endpoint_url, service)
            found = OPERATOR_CLIENTS[at] = OPERATOR_CLIENTS.get(at) or client(self.plane, service)
            self._used.append(found)
            return found
        if (service, of) not in self._clients:
            self._clients[service, of] = client(self.plane, service, of=of)
        return self._clients[service, of]

    def filled(self, value: Any) -> Any:
        """The value with its $variables; $Default and $Latest are AWS's own."""
        if isinstance(value, dict):
            return {self.filled(key): self.filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner) for inner in value]
        if not isinstance(value, str):
            return value
        if re.fullmatch(r"\$[a-z_0-9]+", value):
            return self.variable(value[1:]) or value
        return re.sub(r"\$([a-z_0-9]+)", lambda found: self.variable(found.group(1)) or found.group(0), value)

    # ---------------------------------------------------------------- steps
    def run(self, behaviour: dict[str, Any]) -> None:
        for step in behaviour["steps"]:
            self.step(step)

    def step(self, step: dict[str, Any]) -> None:
        kinds = {name.removeprefix("_step_") for name in dir(self) if name.startswith("_step_")}
        (kind,) = kinds & set(step)
        getattr(self, f"_step_{kind}")(step)

    def _step_advance(self, step: dict[str, Any]) -> None:
        self.plane.advance(step["advance"])

    def _step_repeat(self, step: dict[str, Any]) -> None:
        for _ in range(step["repeat"]):
            self.run(step)

    def _step_machine_dies(self, step: dict[str, Any]) -> None:
        self.machines.power_off(self.filled(step["machine_dies"]))

    def _step_machine_hangs(self, step: dict[str, Any]) -> None:
        self.machines.silent.add(self.filled(step["machine_hangs"]))

    def _step_machine_goes_on(self, step: dict[str, Any]) -> None:
        self.machines.silent.discard(self.filled(step["machine_goes_on"]))

    def _step_interrupt(self, step: dict[str, Any]) -> None:
        self.plane.interrupt(self.filled(step["interrupt"]))

    def _step_machine_writes(self, step: dict[str, Any]) -> None:
        self.machines.consoles[self.filled(step["of"])] = (step["machine_writes"] * step.get("times", 1)).encode()

    def _step_no_capacity(self, step: dict[str, Any]) -> None:
        self.plane.no_capacity(step["no_capacity"], instance_type=step.get("type", ""))

    def _step_capacity(self, step: dict[str, Any]) -> None:
        self.plane.no_capacity(step["capacity"], empty=False)

    def _step_stack_settles(self, step: dict[str, Any]) -> None:
        deadline = time.monotonic() + 60  # the first stack of a process loads CloudFormation's schemas
        while time.monotonic() < deadline:
            found = self.client("cloudformation").list_stacks()["StackSummaries"]
            status = next(stack["StackStatus"] for stack in found if stack["StackName"] == step["stack_settles"])
            if not status.endswith("IN_PROGRESS"):
                return
            self.plane.advance(1)
            time.sleep(0.01)
        pytest.fail(f"stack {step['stack_settles']} is still {status} after 60 s")

    def _step_instance(self, step: dict[str, Any]) -> None:
        wanted = dict(step["instance"])
        name, zone, kind = wanted.pop("as"), wanted.pop("zone"), wanted.pop("type", "t3.medium")
        made = self.client("ec2").run_instances(
            ImageId=self.variables["image"],
            MinCount=1,
            MaxCount=1,
            InstanceType=kind,
            SubnetId=self.variable(f"subnet_{zone}"),
            **self.filled(wanted),
        )
        self.plane.advance(10)
        self.variables[name] = made["Instances"][0]["InstanceId"]

    def _step_group(self, step: dict[str, Any]) -> None:
        given = self.filled(step["group"])
        if "hooks" in given:
            given["LifecycleHookSpecificationList"] = hooks(given.pop("hooks"))
        subnets = ",".join(self.variable(f"subnet_{letter}") for letter in "abc")
        wanted = {
            "AutoScalingGroupName": "one",
            "MinSize": 1,
            "MaxSize": 1,
            "LaunchTemplate": {"LaunchTemplateId": self.variable("template"), "Version": "$Default"},
            "VPCZoneIdentifier": subnets,
        } | given
        given_at_all = {name: value for name, value in wanted.items() if value is not None}
        self.client("autoscaling").create_auto_scaling_group(**given_at_all)

    def _step_running_group(self, step: dict[str, Any]) -> None:
        self._step_group({"group": step["running_group"]})
        self.plane.advance(20)
        members = self._members()
        assert len(members) == 1, members
        self.variables["one"] = members[0]["InstanceId"]

    def _members(self) -> list[dict[str, Any]]:
        found = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=["one"])
        members: list[dict[str, Any]] = found["AutoScalingGroups"][0]["Instances"]
        return members

    def _step_members(self, step: dict[str, Any]) -> None:
        members = self._members()
        assert sorted(member["LifecycleState"] for member in members) == sorted(step["members"]), members
        self.variables |= {"newest": members[-1]["InstanceId"]} if members else {}

    def _step_imds(self, step: dict[str, Any]) -> None:
        headers: dict[str, str] = {}
        if step.get("token", True):
            status, token = self._ask(step["of"], "PUT", "/latest/api/token", {f"{TOKEN}-ttl-seconds": "60"})
            assert status == 200
            headers[TOKEN] = token
        method, given = step.get("method", "GET"), step.get("headers", {})
        status, body = self._ask(step["of"], method, self.filled(step["imds"]), headers | given)
        assert status == step.get("status", 200), (status, body)
        if "body" in step:
            assert re.fullmatch(str(self.filled(step["body"])), body), body

    def _ask(self, instance: str, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        """One request as this instance; the caller is known by its address, which here is the row's own."""
        server = self._serve_metadata()
        self._asking = self.filled(instance)
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        connection.request(method, path, headers=headers)
        answer = connection.getresponse()
        status, body = answer.status, answer.read().decode()
        connection.close()
        return status, body

    def _serve_metadata(self) -> MetadataServer:
        if self._metadata is None:
            now = self.plane.cloud.now
            wiring = Wiring(self.plane, now)

            def lookup(_: str) -> InstanceMetadata | None:
                view = self.plane.instance(self._asking)
                return wiring.instance_metadata(view.address) if view is not None else None

            self._metadata = MetadataServer(lookup, MetadataService(), address="127.0.0.1", port=0, clock=now)
            self._metadata.open()
        return self._metadata

    def _step_resolves(self, step: dict[str, Any]) -> None:
        wiring, asking = Wiring(self.plane, self.plane.cloud.now), self.plane.instance(self.filled(step["of"]))
        assert asking is not None, step
        names = Names(wiring.zones, wiring.mount_targets, wiring.zone_of)
        found = names.find(self.filled(step["resolves"]), "A", asking.address)
        seen = [value for answer in found.answers for value in answer.values]
        assert seen == self.filled(step["to"]), found

    def _step_do(self, step: dict[str, Any]) -> None:
        assert set(step) <= {"do", "with", "caller", "refused", "expect", "save"}, step
        given = (step["do"], step["with"], step.get("caller", ""))
        if "refused" in step:
            with pytest.raises(ClientError) as caught:
                self.call(*given)
            error = caught.value.response["Error"]
            assert error["Code"] == step["refused"]["code"], error
            pattern = self.filled(step["refused"].get("message", ""))
            assert re.search(pattern, error.get("Message") or ""), error
            return
        answer = self.call(*given)
        for path, value in step.get("expect", {}).items():
            assert jmespath.search(self.filled(path), answer) == self.filled(value), (path, answer)
        for name, path in step.get("save", {}).items():
            self.variables[name] = jmespath.search(self.filled(path), answer)
            assert self.variables[name], f"{path} is not in the answer"
