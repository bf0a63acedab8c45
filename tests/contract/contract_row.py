"""One row of behaviours.yaml at work: its steps, over HTTP with boto3, on AWS's own clock.

For: test_behaviours. Guarantees: time passes only in `advance`; a refusal must be a ClientError with the row's code and
text. The kinds of steps are described at the top of behaviours.yaml.
"""

from __future__ import annotations

import base64
import http.client
import re
import time
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
import jmespath
import pytest
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError

from lab.aws import ControlPlane, NoMachines
from lab.edges.metadata import InstanceMetadata, MetadataService
from lab.edges.metadata_http import MetadataServer
from lab.play.wiring import Wiring
from tests.kit.distinct_delays import DISTINCT

ROWS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("behaviours.yaml").read_text())
TABLE = "contract table"  # property of a test report: those of all worker processes reach the summary
REGION = "us-east-1"
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
TOKEN = "x-aws-ec2-metadata-token"


class DeafMachines(NoMachines):
    """Machines that ignore the power button."""

    def press_power_button(self, instance_id: str) -> None:
        """Nothing: `machine_dies` says when it is off."""


ONCE = Config(retries={"total_max_attempts": 1})


@lru_cache
def operator_client(service: str, endpoint_url: str) -> Any:
    """A client of the operator; making one costs more than most rows, so rows at the same address share it."""
    return _session().client(service, endpoint_url=endpoint_url, config=ONCE)


@lru_cache
def _session() -> Any:
    return boto3.session.Session("AKIAOPERATOR", "secret", region_name=REGION)


class Row:
    """The control plane as one row sees it. Close it after use."""

    def __init__(self, plane: ControlPlane, machines: NoMachines) -> None:
        self.plane, self.machines = plane, machines
        self.variables: dict[str, Any] = dict(IMAGES)
        self._clients: dict[tuple[str, str], Any] = {}
        self._used: list[Any] = []
        self._metadata: MetadataServer | None = None
        self._asking = ""
        for name, image_id in IMAGES.items():
            plane.register_image(image_id, name)

    def close(self) -> None:
        """Let go of connections and ports: the next row's AWS may be at the same address."""
        for client in self._used:
            client.close()
        if self._metadata is not None:
            self._metadata.close()

    # ---------------------------------------------------------------- variables and clients
    def variable(self, name: str) -> Any:
        """A variable; those of the start are made when they are first asked for. None for one that is none."""
        if name not in self.variables:
            kind, _, letter = name.rpartition("_")
            make = getattr(self, f"_make_{kind or name}", None)
            if make is None:
                return None
            self.variables[name] = make(letter) if kind else make()
        return self.variables[name]

    def prepare(self) -> None:
        """Make every variable of the start now, before a rule is broken."""
        letters = [f"{kind}_{letter}" for kind in ("subnet", "service", "eni") for letter in "abc"]
        for name in ("vpc", *letters, "template", "zone"):
            self.variable(name)

    def _make_vpc(self) -> str:
        vpc: str = self.client("ec2").create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        return vpc

    def _make_subnet(self, letter: str, offset: int = 0) -> str:
        made = self.client("ec2").create_subnet(
            VpcId=self.variable("vpc"),
            CidrBlock=f"10.0.{offset + 'abc'.index(letter)}.0/24",
            AvailabilityZone=f"us-east-1{letter}",
        )
        subnet: str = made["Subnet"]["SubnetId"]
        return subnet

    def _make_service(self, letter: str) -> str:
        return self._make_subnet(letter, 100)

    def _make_eni(self, letter: str) -> str:
        made = self.client("ec2").create_network_interface(
            SubnetId=self.variable(f"service_{letter}"), PrivateIpAddress=f"10.0.{100 + 'abc'.index(letter)}.10"
        )
        interface: str = made["NetworkInterface"]["NetworkInterfaceId"]
        return interface

    def _make_template(self) -> str:
        made = self.client("ec2").create_launch_template(
            LaunchTemplateName="one",
            LaunchTemplateData={
                "ImageId": self.variables["image"],
                "InstanceType": "t3.medium",
                "MetadataOptions": {"HttpTokens": "required", "InstanceMetadataTags": "enabled"},
                "UserData": base64.b64encode(b"hello").decode(),
            },
        )
        template: str = made["LaunchTemplate"]["LaunchTemplateId"]
        return template

    def _make_zone(self) -> str:
        vpc = {"VPCRegion": REGION, "VPCId": self.variable("vpc")}
        made = self.client("route53").create_hosted_zone(Name="lab.internal", CallerReference="1", VPC=vpc)
        zone: str = made["HostedZone"]["Id"]
        return zone

    def client(self, service: str, of: str = "") -> Any:
        """A client of the operator, or of an instance's role."""
        if not of:
            found = operator_client(service, self.plane.endpoint_url)
            self._used.append(found)
            return found
        if (service, of) not in self._clients:
            view = self.plane.instance(of)
            assert view is not None
            assert view.credentials is not None, f"{of} has no role"
            given = view.credentials
            made: Any = boto3.session.Session(
                given.access_key_id, given.secret_access_key, given.token, region_name=REGION
            )
            self._clients[service, of] = made.client(service, endpoint_url=self.plane.endpoint_url, config=ONCE)
        return self._clients[service, of]

    def filled(self, value: Any) -> Any:
        """The value with its $variables; $Default and $Latest are AWS's own."""
        if isinstance(value, dict):
            return {self.filled(key): self.filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner) for inner in value]
        if not isinstance(value, str):
            return value
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

    def _step_no_capacity(self, step: dict[str, Any]) -> None:
        self.plane.no_capacity(step["no_capacity"])

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
        subnets = ",".join(self.variable(f"subnet_{letter}") for letter in "abc")
        self.client("autoscaling").create_auto_scaling_group(
            **{
                "AutoScalingGroupName": "one",
                "MinSize": 1,
                "MaxSize": 1,
                "LaunchTemplate": {"LaunchTemplateId": self.variable("template"), "Version": "$Default"},
                "VPCZoneIdentifier": subnets,
            }
            | self.filled(step["group"])
        )

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

    def _step_state(self, step: dict[str, Any]) -> None:
        for name, state in step["state"].items():
            found = self.client("ec2").describe_instances(InstanceIds=[self.filled(name)])
            assert found["Reservations"][0]["Instances"][0]["State"]["Name"] == state, name

    def _step_attached(self, step: dict[str, Any]) -> None:
        """`attached: {$eni_a: $one}`: to whom an interface belongs, null for nobody."""
        for name, instance in step["attached"].items():
            found = self.client("ec2").describe_network_interfaces(NetworkInterfaceIds=[self.filled(name)])
            held = found["NetworkInterfaces"][0].get("Attachment") or {}
            assert held.get("InstanceId") == self.filled(instance), (name, held)

    def _step_records(self, step: dict[str, Any]) -> None:
        changes = [self._change(line) for line in step["records"]]
        do = {"do": "route53.change_resource_record_sets", "with": {"HostedZoneId": "$zone"}}
        self._step_do(step | do | {"with": {"HostedZoneId": "$zone", "ChangeBatch": {"Changes": changes}}})

    def _change(self, line: str) -> dict[str, Any]:
        action, name, kind, *values = line.split()
        full = name if "." in name else f"{name}.lab.internal"
        records = [{"Value": value} for value in values]
        record_set = {"Name": full, "Type": kind, "TTL": 10, "ResourceRecords": records}
        return {"Action": action, "ResourceRecordSet": record_set}

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

    def _step_do(self, step: dict[str, Any]) -> None:
        service, _, operation = step["do"].partition(".")
        call = getattr(self.client(service, self.filled(step.get("caller", ""))), operation)
        if "refused" in step:
            with pytest.raises(ClientError) as caught:
                call(**self.filled(step.get("with", {})))
            error = caught.value.response["Error"]
            assert error["Code"] == step["refused"]["code"], error
            pattern = self.filled(step["refused"].get("message", ""))
            assert re.search(pattern, error.get("Message") or ""), error
            return
        answer = call(**self.filled(step.get("with", {})))
        for path, value in step.get("expect", {}).items():
            assert jmespath.search(self.filled(path), answer) == self.filled(value), (path, answer)
        for name, path in step.get("save", {}).items():
            self.variables[name] = jmespath.search(self.filled(path), answer)
            assert self.variables[name], f"{path} is not in the answer"
