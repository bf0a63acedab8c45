"""Between a deployment and the promotion the group heals, with the promoted version, in every zone that it has now.

Every kind of change is deployed to one account, one after the other; nothing is ever promoted. After each, the running
instance lets go of what it has, and the group then launches in each of its zones. Each launch claims what a boot
claims, by the agent's own functions and with its role, and the role is judged as in test_role_policies.py.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootstrap.base.clock import Deadline, SystemClock
from bootstrap.base.document import BootDocument, Route53Settings, Zone, parse_user_data
from bootstrap.base.names import LAUNCH_HOOK, site_parameter
from bootstrap.base.retry import Pauses
from bootstrap.claims import group, network_interface
from bootstrap.claims.connection.contract import establish
from bootstrap.claims.connection.kinds import connection_of
from bootstrap.claims.group import complete_launch_hook
from bootstrap.claims.network_interface import Claim
from bootstrap.cloud.autoscaling import AutoScaling
from bootstrap.cloud.clients import Clients
from bootstrap.cloud.ec2 import Ec2
from bootstrap.cloud.parameters import Parameter
from bootstrap.run.kinds import KINDS
from bootstrap.run.site import sited
from lab.aws import FAST, ControlPlane, NoMachines
from lab.base.checkout import SERVICE_FILES
from lab.base.errors import LabError
from lab.base.waiting import wait_for
from lab.play.deployment import deploy
from lab.policies.check import calls_by_role, ungranted
from lab.policies.evaluator import evaluate
from lab.policies.roles import roles_of
from tests.contract.cloudformation.service_template import Change, template_of
from tests.contract.deployed_account import ONE, TWO
from tests.kit.cloud import permitted
from tests.kit.documents import merged
from tests.kit.lab_clients import client

A, B, C = "us-east-1a", "us-east-1b", "us-east-1c"
NAME = "soloist-influxdb"


def properties(template: dict[str, Any], kind: str, **wanted: str) -> dict[str, Any]:
    (found,) = [
        one["Properties"]
        for one in template["Resources"].values()
        if one["Type"] == kind and wanted.items() <= one["Properties"].items()
    ]
    return found  # type: ignore[no-any-return]


def as_a_later_release(template: dict[str, Any]) -> None:
    """The site of a release that says more."""
    parameter = properties(template, "AWS::SSM::Parameter", Name=site_parameter("influxdb"))
    parts = parameter["Value"]["Fn::Join"][1]
    parts[0] = parts[0].replace('{"group":{', '{"volume":{"id":"vol-1"},"group":{"warm_pool":true,', 1)


def refused(template: dict[str, Any]) -> None:
    properties(template, "AWS::AutoScaling::AutoScalingGroup")["MinSize"] = "2"


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """`service`: what changes in the service file, on top of the deployments before. `runs_in`: where the instance is.
    `zones`: those of the group afterwards."""

    service: dict[str, Any]
    runs_in: str
    zones: tuple[str, ...]
    template: Change = lambda _template: None
    tags: tuple[tuple[str, str], ...] = ()


DEPLOYMENTS = {
    "first": Deployment(service={"zones": [A, B]}, runs_in=A, zones=(A, B)),
    "a zone added": Deployment(service={"zones": [A, B, C]}, runs_in=A, zones=(A, B, C)),
    "an address changed": Deployment(service={"addresses": {A: "10.0.100.77"}}, runs_in=A, zones=(A, B, C)),
    "a zone removed": Deployment(service={"zones": [A, C]}, runs_in=B, zones=(A, C)),
    "rolled back": Deployment(
        service={"zones": [A, B, C], "addresses": {C: "10.0.102.99"}, "instance": {"ami": TWO}},
        runs_in=C,
        zones=(A, C),
        template=refused,
    ),
    "the record renamed": Deployment(service={"dns": {"record": "watch.lab.internal"}}, runs_in=C, zones=(A, C)),
    "another hosted zone": Deployment(
        service={"dns": {"zone": "ops.internal", "record": "watch.ops.internal"}}, runs_in=A, zones=(A, C)
    ),
    "a hook and tags": Deployment(
        service={"lifecycle_hooks": {"boot_heartbeat_s": 300}}, runs_in=C, zones=(A, C), tags=(("Cost Center", "x/1"),)
    ),
    "an image and units": Deployment(
        service={"instance": {"ami": TWO}, "service": {"units": ["other.service"]}}, runs_in=A, zones=(A, C)
    ),
    "a later release": Deployment(service={"zones": [A, B]}, runs_in=C, zones=(A, B), template=as_a_later_release),
}


@dataclass
class Serving:
    """The instance of the group, and what it goes by."""

    id: str
    document: BootDocument
    zone: Zone
    clients: Clients

    @property
    def claim(self) -> Claim:
        return Claim(Ec2(self.clients), self.zone, self.id, permitted)


class World:
    """One account in which nothing is ever promoted."""

    def __init__(self, plane: ControlPlane, patch: pytest.MonkeyPatch) -> None:
        self.plane, self._patch = plane, patch
        self.generation, self._judged = 0, 0
        self.serving: Serving | None = None
        self.client = cache(partial(client, plane))

    def deadline(self) -> Deadline:
        return Deadline(SystemClock(), 15.0, "what a boot does")

    def launch_in(self, zone: str) -> None:
        """The instance ends, and its successor comes up in `zone`."""
        self.plane.prefer_zones([zone])
        before = self.serving.id if self.serving else ""
        if before:
            self.client("ec2").terminate_instances(InstanceIds=[before])

        def successor() -> str:
            found = self.plane.group(NAME)
            waiting = [one for one in found.members if one.lifecycle_state == "Pending:Wait"] if found else []
            return next((one.instance_id for one in waiting if one.instance_id != before), "")

        self.boot(wait_for(successor, f"a launch in {zone}", deadline_s=30.0, poll_s=0.05))

    def boot(self, instance_id: str) -> None:
        view = self.plane.instance(instance_id)
        assert view is not None
        assert view.credentials is not None
        for name, value in {
            "AWS_ENDPOINT_URL": self.plane.endpoint_url,
            "AWS_ACCESS_KEY_ID": view.credentials.access_key_id,
            "AWS_SECRET_ACCESS_KEY": view.credentials.secret_access_key,
            "AWS_SESSION_TOKEN": view.credentials.token,
        }.items():
            self._patch.setenv(name, value)
        clients = Clients("us-east-1")
        promoted = parse_user_data(view.user_data, KINDS)
        read = Parameter(clients, site_parameter("influxdb")).read
        found = sited(promoted, view.zone, "", read, self.deadline()).document
        zone = next((one for one in found.zones if one.name == view.zone), None)
        assert zone is not None, f"it boots in {view.zone} and knows {[one.name for one in found.zones]}"
        self.serving = Serving(view.id, found, zone, clients)
        interface = self.serving.claim.acquire(self.deadline())
        shown = next(one for one in self.plane.network_interfaces() if one.id == interface.id)
        assert (shown.address, shown.zone, shown.instance_id) == (zone.address, view.zone, view.id)
        target = found.file_system.mount_targets_from(view.zone)[0].address  # type: ignore[attr-defined]
        assert target in [one.address for one in self.plane.mount_targets()]
        self.generation += 1
        establish(connection_of(found.connection, clients, zone.address, permitted), self.generation, self.deadline())
        group = AutoScaling(clients, found.group.name, view.id)
        complete_launch_hook(group, found.group.launch_hook, self.deadline())
        hooks = self.client("autoscaling").describe_lifecycle_hooks(AutoScalingGroupName=NAME)["LifecycleHooks"]
        (timeout_s,) = [one["HeartbeatTimeout"] for one in hooks if one["LifecycleHookName"] == LAUNCH_HOOK]
        assert found.group.launch_hook_timeout_s == timeout_s
        assert (view.image_id, found.service) == (ONE, promoted.service), "it is the promoted version"
        assert found.file_system == replace(promoted.file_system, mount_targets=found.file_system.mount_targets)  # type: ignore[attr-defined]

    def record(self) -> dict[str, tuple[str, ...]]:
        return {one.name.rstrip("."): one.values for one in self.plane.hosted_zone_records() if one.type == "A"}

    def judge(self) -> None:
        """Every call since the last time is granted by the roles as they are now."""
        calls = self.plane.calls.calls()
        roles = roles_of(self.client("cloudformation"), self.client("iam"), NAME)
        mine, _ = calls_by_role(calls[self._judged :], [one for one in roles if one.logical_id.startswith("Instance")])
        self._judged = len(calls)
        assert ungranted(evaluate(mine)) == []


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setattr(network_interface, "PAUSES", Pauses(first_s=0.1))
    monkeypatch.setattr(network_interface, "RELEASE_PAUSES", Pauses(first_s=0.1))
    monkeypatch.setattr(group, "PAUSES", Pauses(first_s=0.1))
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0) as plane:
        plane.register_image(ONE, "influxdb-1")
        plane.register_image(TWO, "influxdb-2")
        yield World(plane, monkeypatch)
        assert plane.errors == []


def test_whatever_is_deployed_the_promoted_version_heals_in_every_zone_of_the_group(
    world: World, tmp_path: Path
) -> None:
    tree = merged(yaml.safe_load((SERVICE_FILES / "influxdb.yaml").read_text()), {"instance": {"ami": ONE}})
    for number, (name, each) in enumerate(DEPLOYMENTS.items()):
        print(name)  # shown where the test fails
        changed = merged(tree, each.service)
        template = template_of(changed, tmp_path / str(number), each.template, dict(each.tags))
        before = world.serving
        if before is not None and before.zone.name != each.runs_in:
            world.launch_in(each.runs_in)
            before = world.serving
            world.judge()  # by the roles before the deployment
        if each.template is refused:
            with pytest.raises(LabError, match="UPDATE_ROLLBACK_COMPLETE"):
                deploy(world.client("cloudformation"), template)
        else:
            deploy(world.client("cloudformation"), template)
            tree = changed
        shown = world.plane.group(NAME)
        assert shown is not None
        assert set(shown.zones) == set(each.zones)
        if before is not None:
            assert before.claim.drift() == "", "a deployment takes nothing from the instance that runs"
            assert before.claim.release(world.deadline())
        for zone in each.zones:
            world.launch_in(zone)
            assert world.serving is not None
            assert world.serving.zone.name == zone
            connection = world.serving.document.connection
            assert isinstance(connection, Route53Settings)
            assert world.record() == {tree["dns"]["record"]: (world.serving.zone.address,)}
        world.judge()
