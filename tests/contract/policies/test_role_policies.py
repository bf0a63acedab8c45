"""Every call of the agent's adapters and of the custom resources against the roles that the synthesized template makes,
as deployed; then the same calls with each role broken on purpose.

The calls of a full run on real machines are judged in tests/lab/test_scenes.py.
"""

import copy
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from bootstrap.base.metric import Metric
from bootstrap.base.names import log_group, maintenance_parameter, site_parameter, state_parameter
from bootstrap.cloud.autoscaling import AutoScaling
from bootstrap.cloud.clients import Clients
from bootstrap.cloud.ec2 import Ec2, NetworkInterface
from bootstrap.cloud.log_stream import LogStream
from bootstrap.cloud.metrics import Metrics
from bootstrap.cloud.parameters import Parameter
from bootstrap.cloud.route53 import RecordSet, Route53
from bootstrap.cloud.topic import Topic
from lab.aws import FAST, ControlPlane, NoMachines
from lab.base.checkout import SERVICE_FILES
from lab.base.waiting import wait_for
from lab.play.deployment import deploy
from lab.play.synthesis import Template, synthesize
from lab.policies.check import calls_by_role, read_reasons, ungranted, unused
from lab.policies.evaluator import evaluate
from lab.policies.roles import roles_of
from tests.contract.deployed_account import ONE
from tests.kit.lab_clients import client

REASONS = Path(__file__).parents[3] / "stacks" / "unrehearsed_grants.yaml"


class Run:
    """A deployed stack, and the calls of everything that holds one of its roles."""

    def __init__(self, plane: ControlPlane, template: Template) -> None:
        self.plane = plane
        self.resources: dict[str, Any] = json.loads(template.path.read_text())["Resources"]
        self.roles = roles_of(self.client("cloudformation"), self.client("iam"), template.stack_name)
        calls, self.strange = calls_by_role(plane.calls.calls(), self.roles)
        self.judgements = evaluate(calls)

    def client(self, service: str) -> Any:
        return client(self.plane, service)


def _await(look: Callable[[], Any], what: str) -> Any:
    return wait_for(look, what, deadline_s=30.0, poll_s=0.05)


def _if_attached(interface: NetworkInterface) -> NetworkInterface | None:
    return interface if interface.attachment_status == "attached" else None


def _agent_calls(plane: ControlPlane, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each adapter of the agent once, with the credentials of the group's instance."""
    instance = _await(lambda: next((one for one in plane.instances() if one.state == "running"), None), "an instance")
    assert instance.credentials is not None
    for name, value in {
        "AWS_ENDPOINT_URL": plane.endpoint_url,
        "AWS_ACCESS_KEY_ID": instance.credentials.access_key_id,
        "AWS_SECRET_ACCESS_KEY": instance.credentials.secret_access_key,
        "AWS_SESSION_TOKEN": instance.credentials.token,
    }.items():
        monkeypatch.setenv(name, value)
    clients = Clients("us-east-1")
    ec2 = Ec2(clients)
    interface = next(nic for nic in plane.network_interfaces() if nic.tags.get("soloist:zone") == instance.zone)
    ec2.instance_state(instance.id)
    assert ec2.deprecation(instance.image_id) == ("", 0.0)
    ec2.attach(interface.id, instance.id, 1)
    attached = _await(lambda: _if_attached(ec2.network_interface(interface.id)), "an attachment")
    ec2.keep_on_termination(interface.id, attached.attachment_id)
    record = next(one for one in plane.hosted_zone_records() if one.type == "A")
    route53 = Route53(clients, record.zone_id)
    old = route53.address_record(record.name)
    assert old is not None
    route53.swap(old, RecordSet(name=record.name, values=(interface.address,), ttl_s=10))
    assert Parameter(clients, site_parameter("influxdb")).read() != ""
    assert Parameter(clients, maintenance_parameter("influxdb")).read_with_age() == ("", 0.0)
    assert Parameter(clients, site_parameter("influxdb")).read_with_age()[1] < 600
    state = Parameter(clients, state_parameter("influxdb"))
    state.write(state.read())
    Topic(clients, client(plane, "sns").list_topics()["Topics"][0]["TopicArn"]).publish(
        "subject", "text", {"kind": "x"}
    )
    Metrics(clients).put([Metric(name="Heartbeat", value=1, dimensions=(("Service", "influxdb"),), is_fine=True)])
    assert LogStream(clients, log_group("influxdb"), instance.id).put([(int(time.time() * 1000), "ready")]) == 0
    group = AutoScaling(clients, "soloist-influxdb", instance.id)
    _await(lambda: group.lifecycle_state() == "Pending:Wait" or None, "the launch hook")
    assert group.prolong_hook("boot")
    assert group.complete_hook("boot", "CONTINUE")
    ec2.detach(attached.attachment_id)
    ec2.terminate(instance.id, is_forced=False)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """With every option of the service file that needs a permission of its own and makes a call of the agent."""
    directory = tmp_path_factory.mktemp("services")
    tree = yaml.safe_load((SERVICE_FILES / "influxdb.yaml").read_text()) | {"logs": {"cloudwatch": True}}
    (directory / "influxdb.yaml").write_text(yaml.safe_dump(tree))
    template = synthesize("influxdb", ONE, tmp_path_factory.mktemp("synthesized"), directory)
    with ControlPlane(NoMachines(), FAST, address="127.0.0.1", port=0) as plane, pytest.MonkeyPatch.context() as patch:
        plane.register_image(ONE, "influxdb-1")
        deploy(client(plane, "cloudformation"), template)
        _agent_calls(plane, patch)
        yield Run(plane, template)
        assert plane.errors == []


def test_the_roles_judged_are_the_templates_statement_by_statement(run: Run) -> None:
    wanted = {name: 0 for name, one in run.resources.items() if one["Type"] == "AWS::IAM::Role"}
    for name, one in run.resources.items():
        properties = one.get("Properties", {})
        if one["Type"] == "AWS::IAM::Role":
            wanted[name] += sum(len(each["PolicyDocument"]["Statement"]) for each in properties.get("Policies", []))
        if one["Type"] == "AWS::IAM::Policy":
            (role,) = properties["Roles"]
            wanted[role["Ref"]] += len(properties["PolicyDocument"]["Statement"])
    assert {role.logical_id: len(role.statements) for role in run.roles} == wanted
    assert min(wanted.values()) > 0


def test_every_call_of_agent_and_custom_resources_is_granted(run: Run) -> None:
    actions = {judgement.call.action for judgement in run.judgements}
    assert {"ec2:AttachNetworkInterface", "autoscaling:SuspendProcesses", "sns:Publish"} <= actions
    assert ungranted(run.judgements) == []
    assert run.strange == []


def test_every_grant_is_used_or_has_its_written_reason(run: Run) -> None:
    findings = unused(run.judgements, run.roles, read_reasons(REASONS))
    assert not findings, "\n".join(findings)


def broken(run: Run, logical_id: str, break_it: Callable[[dict[str, Any]], None]) -> list[str]:
    """The findings when the statements of one role are changed."""
    (asked,) = [one for one in run.roles if one.logical_id.startswith(logical_id)]
    statements = copy.deepcopy(dict(asked.statements))
    for document in statements.values():
        break_it(document["Statement"][0])
    changed = replace(asked, statements=statements)
    return ungranted(evaluate([(changed, one.call) for one in run.judgements if one.role is asked]))


@pytest.mark.parametrize(
    ("logical_id", "word", "replacement", "finding"),
    [
        (
            "InstanceRole",
            ":instance/",
            ":elsewhere/",
            "AttachNetworkInterface: ImplicitlyDenied on arn:aws:ec2:us-east-1",
        ),
        ("InstanceRole", '"influxdb"', '"other"', "AttachNetworkInterface: ImplicitlyDenied"),
        ("InstanceRole", "monitor.lab.internal", "m.lab.internal", "ChangeResourceRecordSets: ImplicitlyDenied"),
        ("InstanceRole", '"DELETE"', '"UPSERT"', "ChangeResourceRecordSets: ImplicitlyDenied"),
        ("InstanceRole", "Name/soloist-influxdb", "Name/other", "CompleteLifecycleAction: ImplicitlyDenied"),
        ("InstanceRole", "/soloist/influxdb/state", "/soloist/influxdb", "ssm:PutParameter: ImplicitlyDenied"),
        ("InstanceRole", "/soloist/influxdb:*", "/soloist/other:*", "logs:CreateLogStream: ImplicitlyDenied"),
        ("InstanceRole", "/soloist/influxdb:*", "/soloist/influxdb", "logs:PutLogEvents: ImplicitlyDenied"),
        ("InstanceRole", '"soloist"', '"AWS/EC2"', "cloudwatch:PutMetricData: ImplicitlyDenied"),
        ("InstanceRole", "DescribeInstances", "DescribeInstance", "DescribeInstances: ImplicitlyDenied"),
        ("InstanceRole", '"Allow"', '"Deny"', "Publish: ExplicitlyDenied"),
        ("InstanceGroupSuspended", "SuspendProcesses", "ResumeProcesses", "SuspendProcesses: ImplicitlyDenied"),
        ("RecordFirst", "hostedzone/", "hostedzone/X", "ListResourceRecordSets: ImplicitlyDenied"),
    ],
)
def test_a_role_broken_on_purpose_is_found(
    run: Run, logical_id: str, word: str, replacement: str, finding: str
) -> None:
    def break_it(statement: dict[str, Any]) -> None:
        text = json.dumps(statement)
        statement.update(json.loads(text.replace(word, replacement)))

    assert any(finding in each for each in broken(run, logical_id, break_it)), finding
