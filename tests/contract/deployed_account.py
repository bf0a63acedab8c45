"""The account that the deployment tests look at, and a small template of the shape of ours.

For: the tests of deployments, of faults and of updates. Guarantees: every wait ends after 30 s.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml

from lab.aws import FAST, ControlPlane, Event, NoMachines
from lab.base.waiting import wait_for
from tests.kit.lab_clients import client

ONE, TWO = "ami-00000000000000001", "ami-00000000000000002"

HANDLER = """
import json, os, urllib.request
import boto3

def on_event(event, context):
    mine = event.get("PhysicalResourceId", "made-" + event["LogicalResourceId"])
    answer = {"Status": "SUCCESS", "PhysicalResourceId": mine}
    wanted = event["ResourceProperties"]
    if wanted.get("Fail") == event["RequestType"]:
        answer = {"Status": "FAILED", "Reason": "told to fail", "PhysicalResourceId": "half-made"}
    if wanted.get("Crash") == event["RequestType"]:
        raise RuntimeError("handler fell over")
    ssm = boto3.client("ssm")
    ssm.put_parameter(Name="/calls/" + event["RequestId"], Type="String", Value=json.dumps(
        [event["RequestType"], event.get("PhysicalResourceId", ""), wanted.get("Number"), os.environ["GREETING"]]))
    answer["Data"] = {"Who": boto3.client("sts").get_caller_identity()["Arn"]}
    for key in ("StackId", "RequestId", "LogicalResourceId"):
        answer[key] = event[key]
    request = urllib.request.Request(event["ResponseURL"], json.dumps(answer).encode(), method="PUT")
    urllib.request.urlopen(request, timeout=10).close()
"""


def template(**changes: Any) -> dict[str, Any]:
    """The small stack of deployed_template.yaml; `changes` are properties as Resource__Property=value."""
    document: dict[str, Any] = copy.deepcopy(_template())
    for path, value in changes.items():
        resource, _, name = path.partition("__")
        document["Resources"][resource]["Properties"][name] = value
    return document


def of(document: dict[str, Any]) -> dict[str, Any]:
    """The parameters of CreateStack and UpdateStack that carry a template; ours has a role with a name."""
    return {"TemplateBody": json.dumps(document), "Capabilities": ["CAPABILITY_NAMED_IAM"]}


@lru_cache
def _template() -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("deployed_template.yaml").read_text())
    document["Resources"]["Code"]["Properties"]["Code"] = {"ZipFile": HANDLER}
    return document


@contextmanager
def open_account() -> Iterator[Account]:
    """A control plane that answers fast, with two images."""
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0) as plane:
        plane.register_image(ONE, "service-1")
        plane.register_image(TWO, "service-2")
        yield Account(plane)


class Account:
    """The operator's view."""

    def __init__(self, plane: ControlPlane) -> None:
        self.plane = plane
        self.events: list[Event] = []
        self._clients: dict[tuple[str, int], Any] = {}
        plane.subscribe(self.events.append)

    def client(self, service: str, attempts: int = 1) -> Any:
        if (service, attempts) not in self._clients:
            self._clients[service, attempts] = client(self.plane, service, attempts=attempts)
        return self._clients[service, attempts]

    def settled(self) -> dict[str, Any]:
        """The stack, when nothing is being done to it any more."""

        def stack() -> dict[str, Any] | None:
            found: dict[str, Any] = self.client("cloudformation").describe_stacks(StackName=self.stack_id)["Stacks"][0]
            return None if found["StackStatus"].endswith("IN_PROGRESS") else found

        return wait_for(stack, "the end of what is done to the stack", deadline_s=30.0, poll_s=0.05)

    def create(self, document: dict[str, Any]) -> dict[str, Any]:
        made = self.client("cloudformation").create_stack(StackName="x", **of(document))
        self.stack_id = made["StackId"]
        return self.settled()

    def update(self, document: dict[str, Any]) -> dict[str, Any]:
        self.client("cloudformation").update_stack(StackName="x", **of(document))
        return self.settled()

    def calls(self) -> list[list[Any]]:
        found = self.client("ssm").get_parameters_by_path(Path="/calls")["Parameters"]
        return [json.loads(one["Value"]) for one in sorted(found, key=lambda one: one["LastModifiedDate"])]

    def group(self) -> dict[str, Any]:
        found: dict[str, Any] = self.client("autoscaling").describe_auto_scaling_groups()["AutoScalingGroups"][0]
        return found
