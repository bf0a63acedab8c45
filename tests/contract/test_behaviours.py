"""Runs every row of behaviours.yaml over HTTP with boto3, on AWS's own clock."""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import boto3
import jmespath
import pytest
import yaml
from botocore.config import Config
from botocore.exceptions import ClientError

from lab.cloud import ControlPlane, ManualClock, NoMachines, Timing, patches

REGION = "us-east-1"
ROWS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("behaviours.yaml").read_text())
TIMING = Timing(
    pending_s=10,
    status_initializing_s=60,
    shutdown_deadline_s=100,
    stopping_poll_s=1,
    release_s=4,
    terminated_visible_s=3600,
    attach_s=3,
    detach_s=5,
    insync_s=30,
    impaired_after_s=60,
    impaired_replace_s=120,
    group_poll_s=15,
    launch_retry_s=60,
    custom_resource_timeout_s=20,
    stack_settle_s=10,
)


class DeafMachines(NoMachines):
    """Machines that ignore the power button."""

    def press_power_button(self, instance_id: str) -> None:
        """Nothing: `machine_dies` says when it is off."""


@lru_cache
def session() -> boto3.session.Session:
    return boto3.session.Session("AKIAOPERATOR", "secret", region_name=REGION)


class Row:
    """One row at work."""

    def __init__(self, plane: ControlPlane, machines: NoMachines) -> None:
        self.plane, self.machines = plane, machines
        self.variables: dict[str, Any] = {"image": "ami-00000000000000001", "image_2": "ami-00000000000000002"}
        for name in ("image", "image_2"):
            plane.register_image(self.variables[name], name)

    def client(self, service: str) -> Any:
        config = Config(retries={"total_max_attempts": 1})
        return session().client(service, endpoint_url=self.plane.endpoint_url, config=config)  # type: ignore[call-overload]

    def prepare(self) -> None:
        ec2 = self.client("ec2")
        vpc = self.variables["vpc"] = ec2.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        for number, letter in enumerate("abc"):
            zone = f"us-east-1{letter}"
            for offset, name in ((0, "subnet"), (100, "service")):
                cidr = f"10.0.{offset + number}.0/24"
                made = ec2.create_subnet(VpcId=vpc, CidrBlock=cidr, AvailabilityZone=zone)
                self.variables[f"{name}_{letter}"] = made["Subnet"]["SubnetId"]
            interface = ec2.create_network_interface(
                SubnetId=self.variables[f"service_{letter}"], PrivateIpAddress=f"10.0.{100 + number}.10"
            )
            self.variables[f"eni_{letter}"] = interface["NetworkInterface"]["NetworkInterfaceId"]
        template = ec2.create_launch_template(
            LaunchTemplateName="one",
            LaunchTemplateData={
                "ImageId": self.variables["image"],
                "InstanceType": "t3.medium",
                "MetadataOptions": {"HttpTokens": "required"},
                "UserData": base64.b64encode(b"hello").decode(),
            },
        )
        self.variables["template"] = template["LaunchTemplate"]["LaunchTemplateId"]
        zone = self.client("route53").create_hosted_zone(
            Name="lab.internal", CallerReference="1", VPC={"VPCRegion": REGION, "VPCId": vpc}
        )
        self.variables["zone"] = zone["HostedZone"]["Id"]

    def filled(self, value: Any) -> Any:
        """The value with its $variables; $Default and $Latest are AWS's own."""
        if isinstance(value, dict):
            return {self.filled(key): self.filled(inner) for key, inner in value.items()}
        if isinstance(value, list):
            return [self.filled(inner) for inner in value]
        if not isinstance(value, str):
            return value
        return re.sub(r"\$([a-z_0-9]+)", lambda found: self.variables.get(found.group(1), found.group(0)), value)

    def run(self, behaviour: dict[str, Any]) -> None:
        for step in behaviour["steps"]:
            self.step(step)

    def step(self, step: dict[str, Any]) -> None:
        (kind,) = {"do", "advance", "instance", "group", "machine_dies", "no_capacity", "stack_settles"} & set(step)
        getattr(self, f"_{kind}")(step)

    def _advance(self, step: dict[str, Any]) -> None:
        self.plane.advance(step["advance"])

    def _machine_dies(self, step: dict[str, Any]) -> None:
        self.machines.power_off(self.filled(step["machine_dies"]))

    def _no_capacity(self, step: dict[str, Any]) -> None:
        self.plane.no_capacity(step["no_capacity"])

    def _stack_settles(self, step: dict[str, Any]) -> None:
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            stack = self.client("cloudformation").describe_stacks(StackName=step["stack_settles"])["Stacks"][0]
            if not stack["StackStatus"].endswith("IN_PROGRESS"):
                return
            time.sleep(0.02)
        pytest.fail(f"stack {step['stack_settles']} is still {stack['StackStatus']} after 10 s")

    def _instance(self, step: dict[str, Any]) -> None:
        wanted = step["instance"]
        made = self.client("ec2").run_instances(
            ImageId=self.variables["image"],
            MinCount=1,
            MaxCount=1,
            InstanceType=wanted.get("type", "t3.medium"),
            SubnetId=self.variables[f"subnet_{wanted['zone']}"],
        )
        self.plane.advance(10)
        self.variables[wanted["as"]] = made["Instances"][0]["InstanceId"]

    def _group(self, step: dict[str, Any]) -> None:
        subnets = ",".join(self.variables[f"subnet_{letter}"] for letter in "abc")
        self.client("autoscaling").create_auto_scaling_group(
            AutoScalingGroupName="one",
            MinSize=1,
            MaxSize=1,
            LaunchTemplate={"LaunchTemplateId": self.variables["template"], "Version": "$Default"},
            VPCZoneIdentifier=subnets,
            **step["group"],
        )

    def _do(self, step: dict[str, Any]) -> None:
        service, _, operation = step["do"].partition(".")
        call = getattr(self.client(service), operation)
        if "refused" in step:
            with pytest.raises(ClientError) as caught:
                call(**self.filled(step.get("with", {})))
            error = caught.value.response["Error"]
            assert error["Code"] == step["refused"]["code"], error
            assert re.search(step["refused"]["message"], error["Message"]), error
            return
        answer = call(**self.filled(step.get("with", {})))
        for path, value in step.get("expect", {}).items():
            assert jmespath.search(self.filled(path), answer) == self.filled(value), (path, answer)
        for name, path in step.get("save", {}).items():
            self.variables[name] = jmespath.search(path, answer)
            assert self.variables[name], f"{path} is not in the answer"


@pytest.fixture
def row() -> Iterator[Row]:
    machines = DeafMachines()
    with ControlPlane(machines, TIMING, address="127.0.0.1", port=0, clock=ManualClock(time.time())) as plane:
        row = Row(plane, machines)
        row.prepare()
        yield row
        assert plane.errors == []


@pytest.mark.parametrize("behaviour", ROWS, ids=[row["id"] for row in ROWS])
def test_behaviour(row: Row, behaviour: dict[str, Any]) -> None:
    row.run(behaviour)


def test_the_table_is_in_order(record_property: Any) -> None:
    record_property("rows", len(ROWS))
    print(f"{len(ROWS)} behaviours of AWS are checked over HTTP")
    assert len(ROWS) >= 40
    assert len({row["id"] for row in ROWS}) == len(ROWS)
    for row in ROWS:
        assert set(row) == {"id", "behaviour", "source", "steps"}, row["id"]
        checks = [step for step in row["steps"] if "refused" in step or "expect" in step]
        assert checks, f"{row['id']} checks nothing"


BROKEN_RULES = [
    ("moto.ec2.models.elastic_network_interfaces:NetworkInterfaceBackend.attach_network_interface", "attach-in-use"),
    (
        "moto.ec2.models.elastic_network_interfaces:NetworkInterfaceBackend.attach_network_interface",
        "attach-other-zone",
    ),
    ("moto.ec2.models.elastic_network_interfaces:NetworkInterfaceBackend.attach_network_interface", "attach-limit"),
    (
        "moto.ec2.models.elastic_network_interfaces:NetworkInterfaceBackend.detach_network_interface",
        "detach-takes-time",
    ),
    ("moto.ec2.models.elastic_network_interfaces:NetworkInterfaceBackend.create_network_interface", "address-in-use"),
    ("moto.ec2.models.instances:InstanceBackend.run_instances", "run-unknown-image"),
    ("moto.ec2.responses.instances:InstanceResponse.terminate_instances", "terminate-skip-shutdown"),
    ("moto.ec2.models.instances:Instance.instance_status", "status-impaired"),
    ("moto.ec2.models.launch_templates:LaunchTemplate.get_version", "template-unknown-version"),
    ("moto.autoscaling.responses:AutoScalingResponse.set_instance_health", "group-grace-period"),
    ("moto.autoscaling.responses:AutoScalingResponse.set_desired_capacity", "group-maximum"),
    ("moto.route53.models:Route53Backend.change_resource_record_sets", "record-batch-atomic"),
    ("moto.route53.responses:Route53.get_change", "record-unknown-change"),
]


@pytest.mark.parametrize(("rule", "identifier"), BROKEN_RULES, ids=[f"{row}" for _, row in BROKEN_RULES])
def test_a_broken_rule_turns_its_row_red(monkeypatch: pytest.MonkeyPatch, rule: str, identifier: str) -> None:
    """Without the one patch, that is with moto's own behaviour, the row must fail."""
    behaviour = next(one for one in ROWS if one["id"] == identifier)
    machines = DeafMachines()
    with ControlPlane(machines, TIMING, address="127.0.0.1", port=0, clock=ManualClock(time.time())) as plane:
        row = Row(plane, machines)
        row.prepare()
        owner, name = patches._locate(rule)
        monkeypatch.setattr(owner, name, patches.original(rule))
        with pytest.raises((AssertionError, ClientError, pytest.fail.Exception)):
            row.run(behaviour)
        monkeypatch.undo()
