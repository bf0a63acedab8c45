"""Reading service files from disk, and the profiles and schema that are shipped."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from services.__main__ import main
from services.findings import ServiceFileError
from services.lease import LeaseSection
from services.load import load_service, load_services
from services.schema import schema_text
from services.timing import boot_need_s, stop_need_s

SERVICES = Path(__file__).parents[3] / "services"
PROFILES = sorted(SERVICES.glob("*.yaml"))


@pytest.fixture
def directory(tmp_path):
    """Two good service files."""
    for name in ("influxdb", "opscenter"):
        (tmp_path / f"{name}.yaml").write_text((SERVICES / f"{name}.yaml").read_text())
    return tmp_path


@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_every_shipped_profile_is_good_and_points_at_the_schema(profile):
    service = load_service(profile)
    assert service.name == profile.stem
    assert profile.read_text().startswith("# yaml-language-server: $schema=schema.json\n")
    assert service.deadlines.boot_s >= boot_need_s(service.service, service.deadlines, service.lease)
    assert service.lifecycle_hooks.drain_heartbeat_s > stop_need_s(service.service, service.deadlines)


def test_the_lab_service_is_what_the_lab_expects():
    service = load_service(SERVICES / "influxdb.yaml")
    assert service.dns.record == "monitor.lab.internal"
    assert service.dns.ttl_s == 10
    assert service.file_system.transport == "nfs"
    assert [each.target for each in service.file_system.directories] == ["/var/lib/influxdb"]
    assert [plan.address for plan in service.zone_plans()] == ["10.0.100.10", "10.0.101.10", "10.0.102.10"]
    assert [plan.instance_subnet_cidr for plan in service.zone_plans()] == ["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]


def test_opscenter_keeps_its_factory_paths_and_ports():
    service = load_service(SERVICES / "opscenter.yaml")
    targets = {each.target for each in service.file_system.directories}
    assert {"/var/lib/opscenter", "/etc/opscenter"} <= targets
    assert {port.port for port in service.ports} == {8888, 61619, 61620}
    assert service.service.units == ("opscenterd.service",)
    assert service.file_system.transport == "efs-tls"


# For each policy what it says of itself and what it costs, in the words of the schema and of the shipped files alike.
CONSEQUENCES = {
    "proof": ("only when EC2 says that the holder is terminated", "nobody serves"),
    "proof-or-lease": ("lease has run out unrenewed", "paused together with its clock", "may still write for a while"),
}


def unbroken(text: str) -> str:
    return " ".join(text.replace("#", " ").split())


def told(text: str) -> dict[str, str]:
    """What `text` says about each policy: it names `proof` first and `proof-or-lease` after it."""
    before, after = text.split("proof-or-lease", 1)
    return {"proof": before, "proof-or-lease": after}


@pytest.mark.parametrize("policy", CONSEQUENCES)
@pytest.mark.parametrize("profile", PROFILES, ids=lambda path: path.stem)
def test_the_consequence_of_each_fence_policy_is_written_beside_it(profile, policy):
    lines = profile.read_text().splitlines()
    (at,) = [number for number, line in enumerate(lines) if line.startswith("  fence: ")]
    begin = max(number for number in range(at) if not lines[number].startswith("  #"))
    beside = unbroken(" ".join(lines[begin + 1 : at]))
    for words in CONSEQUENCES[policy]:
        assert words in told(beside)[policy], f"{profile.name} does not say what {policy} means: {words}"


@pytest.mark.parametrize("policy", CONSEQUENCES)
def test_an_editor_shows_the_consequence_of_each_fence_policy(policy):
    fence = json.loads((SERVICES / "schema.json").read_text())["$defs"]["LeaseSection"]["properties"]["fence"]
    assert set(fence["enum"]) == set(CONSEQUENCES)
    for words in CONSEQUENCES[policy]:
        assert words in told(unbroken(fence["description"]))[policy]


def test_the_committed_schema_is_the_current_one():
    assert (SERVICES / "schema.json").read_text() == schema_text(), "run: python -m services schema"


def test_the_schema_describes_every_leaf_people_write():
    properties = json.loads(schema_text())["properties"]
    assert {"name", "region", "dns", "file_system", "service", "ports", "existing_vpc"} <= set(properties)
    assert properties["name"]["description"]


def test_a_directory_gives_every_service_and_only_gives_one(directory):
    assert [service.name for service in load_services(directory)] == ["influxdb", "opscenter"]
    assert [service.name for service in load_services(directory, only="opscenter")] == ["opscenter"]
    assert [service.name for service in load_services(directory / "influxdb.yaml")] == ["influxdb"]


def test_the_image_is_replaced_and_checked(directory):
    (service,) = load_services(directory, only="influxdb", ami="ami-0fedcba9876543210")
    assert service.instance.ami == "ami-0fedcba9876543210"
    with pytest.raises(ServiceFileError, match=r"instance\.ami \(is \"latest\"\)"):
        load_services(directory, only="influxdb", ami="latest")


def test_an_image_without_a_service_is_refused(directory):
    with pytest.raises(ServiceFileError, match="Add -c service=NAME"):
        load_services(directory, ami="ami-0fedcba9876543210")


def test_mistakes_of_all_files_come_together(directory):
    for name in ("influxdb", "opscenter"):
        tree = yaml.safe_load((directory / f"{name}.yaml").read_text())
        tree["colour"] = "red"
        (directory / f"{name}.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(ServiceFileError) as raised:
        load_services(directory)
    assert [finding.path.rsplit("/", 1)[1] for finding in raised.value.findings] == [
        "influxdb.yaml: colour",
        "opscenter.yaml: colour",
    ]


def test_two_services_of_one_name_are_refused(directory):
    (directory / "again.yaml").write_text((directory / "influxdb.yaml").read_text())
    with pytest.raises(ServiceFileError, match=r"name \(is influxdb\): used by two"):
        load_services(directory)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"name: [", "not YAML"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"", "not a mapping"),
        (b"!!python/object:x {}", "not YAML"),
    ],
)
def test_what_is_no_yaml_is_one_finding(tmp_path, content, words):
    file = tmp_path / "x.yaml"
    file.write_bytes(content)
    with pytest.raises(ServiceFileError, match=words) as raised:
        load_service(file)
    assert len(raised.value.findings) == 1


def test_a_file_that_is_not_there_is_one_finding(tmp_path):
    with pytest.raises(ServiceFileError, match="cannot be read"):
        load_service(tmp_path / "x.yaml")


def test_an_empty_directory_is_one_finding(tmp_path):
    with pytest.raises(ServiceFileError, match="no service file"):
        load_services(tmp_path)


def test_validate_prints_findings_and_ends_with_3(directory, capsys):
    (directory / "bad.yaml").write_text("name: Bad\n")
    assert main(["validate", str(directory / "influxdb.yaml"), str(directory / "bad.yaml")]) == 3
    printed = capsys.readouterr()
    assert "service influxdb in us-east-1a, us-east-1b, us-east-1c: no findings" in printed.out
    assert "bad.yaml: 7 findings" in printed.err
    assert main(["validate", str(directory / "influxdb.yaml")]) == 0


def test_a_lease_without_a_word_on_the_fence_falls_back_on_the_lease():
    assert LeaseSection().fence == "proof-or-lease"
