"""A second kind of connection and of storage, from the service file to what the instance reads: nothing else changes.

The kinds are made up here; what they need is what stacks.connection, stacks.storage and services say a newcomer adds.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import aws_cdk as cdk
import pytest
from aws_cdk import aws_iam as iam
from pydantic import ValidationError

from bootstrap.base.document import ConnectionSettings, Directory, StorageSettings, parse_user_data
from bootstrap.run.kinds import KINDS
from services import schema
from services.connection import CONNECTIONS, ConnectionSection
from services.derived import OneOfParts
from services.fields import Address, DomainName
from services.spec import ServiceFile
from services.storage import STORAGES, StorageSection
from stacks.connection import kinds as connections
from stacks.connection.contract import Connection
from stacks.service_stack import ServiceStack
from stacks.storage import kinds as storages
from stacks.storage.contract import Storage
from tests.stacks.templates import Template, user_data


class Rfc2136Section(ConnectionSection):
    """A record on a DNS server that takes updates (RFC 2136)."""

    kind: Literal["rfc2136"]
    server: Address
    record: DomainName

    @property
    def name(self) -> str:
        return self.record


class VolumeSection(StorageSection):
    """One EBS volume per zone, made elsewhere."""

    kind: Literal["ebs"]
    size_gib: int


class SecondKinds(ServiceFile):
    """The service file as it would be with both."""

    dns: Annotated[ConnectionSection, OneOfParts((*CONNECTIONS, Rfc2136Section), default="route53")]
    file_system: Annotated[StorageSection, OneOfParts((*STORAGES, VolumeSection), default="efs")]


@dataclass(frozen=True, kw_only=True)
class Rfc2136Settings(ConnectionSettings):
    kind: Literal["rfc2136"] = "rfc2136"
    server: str
    name: str


@dataclass(frozen=True, kw_only=True)
class VolumeSettings(StorageSettings):
    kind: Literal["ebs"] = "ebs"
    volume_id: str


class Rfc2136Record(Connection):
    def __init__(self, scope, construct_id, *, section, region, network) -> None:
        super().__init__(scope, construct_id)
        self._section = section

    def settings(self):
        return Rfc2136Settings(server=self._section.server, name=self._section.record)

    def statements(self):
        return []

    def outputs(self):
        return {"NameServer": self._section.server}


class Volume(Storage):
    def __init__(self, scope, construct_id, *, section, service, network) -> None:
        super().__init__(scope, construct_id)
        self._section = section
        self._id = cdk.CfnResource(
            self, "Volume", type="AWS::EC2::Volume", properties={"Size": section.size_gib, "AvailabilityZone": "x"}
        ).ref

    @property
    def identity(self):
        return self._id

    def settings(self):
        directories = tuple(Directory(**each.model_dump()) for each in self._section.directories)
        return VolumeSettings(volume_id=self._id, directories=directories)

    def statements(self):
        return [iam.PolicyStatement(actions=["ec2:AttachVolume"], resources=["arn:aws:ec2:::volume/x"])]

    def outputs(self):
        return {"VolumeId": self._id}


@pytest.fixture
def tree(service_tree):
    tree = service_tree("one zone")
    tree["dns"] = {"kind": "rfc2136", "server": "10.0.0.53", "record": "monitor.example.internal"}
    tree["file_system"] = {"kind": "ebs", "size_gib": 8, "directories": [{"source": "lib", "target": "/var/lib/x"}]}
    return tree


def read(tree) -> SecondKinds:
    return SecondKinds.model_validate_json(json.dumps(tree))


def test_a_service_file_of_today_is_of_todays_kinds(service_tree):
    tree = service_tree("one zone")
    service = read(tree)
    assert (service.dns.kind, service.file_system.kind) == ("route53", "efs")
    assert service.dns == ServiceFile.model_validate_json(json.dumps(tree)).dns


def test_an_unknown_kind_is_refused_with_those_there_are(tree):
    tree["dns"]["kind"] = "hosts-file"
    with pytest.raises(ValidationError, match="'route53', 'rfc2136'"):
        read(tree)


@pytest.mark.parametrize(("kind", "key"), [("rfc2136", "server"), ("route53", "zone"), (None, "zone")])
def test_findings_quote_the_description_of_the_kind_that_is_meant(monkeypatch, kind, key):
    monkeypatch.setattr(schema, "json_schema", SecondKinds.model_json_schema)
    tree = {"dns": {"kind": kind} if kind else {}}
    described = {"server": "An IPv4 address", "zone": "A domain name in lower case, without a trailing dot"}
    assert schema.schema_at(("dns", key), tree)["description"] == described[key]


def test_second_kinds_reach_the_stack_the_role_and_the_instance(tree, monkeypatch, tmp_path: Path):
    monkeypatch.setitem(connections.CONNECTIONS, "rfc2136", Rfc2136Record)
    monkeypatch.setitem(storages.STORAGES, "ebs", Volume)
    app = cdk.App(outdir=str(tmp_path))
    ServiceStack(app, service=read(tree))
    app.synth()
    template = Template(json.loads((tmp_path / "soloist-monitor.template.json").read_text()))
    assert not template.of_type("AWS::Route53::HostedZone")
    assert not template.of_type("AWS::EFS::FileSystem")
    assert template.body["Outputs"]["NameServer"]["Value"] == "10.0.0.53"
    statements = template.properties("AWS::IAM::Policy")["PolicyDocument"]["Statement"]
    assert "ec2:AttachVolume" in [each["Action"] for each in statements]
    members = {
        **KINDS,
        ConnectionSettings: (*KINDS[ConnectionSettings], Rfc2136Settings),
        StorageSettings: (*KINDS[StorageSettings], VolumeSettings),
    }
    document = parse_user_data(user_data(template), members)
    assert document.connection == Rfc2136Settings(server="10.0.0.53", name="monitor.example.internal")
    (volume,) = template.of_type("AWS::EC2::Volume")
    assert isinstance(document.file_system, VolumeSettings)
    assert document.file_system.volume_id == f"AWS::EC2::Volume|{volume}"


@pytest.mark.parametrize("contract", [Connection, Storage])
def test_a_kind_that_lacks_a_part_cannot_be_made(contract) -> None:
    class Half(contract):
        def outputs(self):
            return {}

    with pytest.raises(TypeError, match="settings"):
        Half(cdk.Stack(), "Half")
