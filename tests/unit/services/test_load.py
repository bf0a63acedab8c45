"""Service files from disk, the profiles and schema that are shipped, and what they take from the instance."""

import dataclasses
import inspect
import json
import re
import typing
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml

from bootstrap.base.check import Check
from bootstrap.base.codec import decode_tree, to_tree
from bootstrap.base.document import Health
from bootstrap.base.timing import LeaseTiming
from bootstrap.base.values import Limits
from bootstrap.machine.health import KINDS
from services.__main__ import main
from services.findings import ServiceFileError
from services.lease import LeaseSection
from services.load import load_service, load_services, parse_service
from services.schema import json_schema, schema_text
from services.text import read_yaml
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
    assert service.boot_s >= boot_need_s(service.service, service.deadlines, service.lease)
    assert service.drain_heartbeat_s > stop_need_s(service.service, service.deadlines)


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


def test_a_directory_gives_every_service_and_only_gives_one(directory):
    assert [service.name for service in load_services(directory)] == ["influxdb", "opscenter"]
    assert [service.name for service in load_services(directory, only="opscenter")] == ["opscenter"]
    assert [service.name for service in load_services(directory / "influxdb.yaml")] == ["influxdb"]


def test_the_image_is_replaced_and_checked(directory):
    (service,) = load_services(directory, only="influxdb", ami="ami-0fedcba9876543210")
    assert service.instance.ami == "ami-0fedcba9876543210"
    with pytest.raises(ServiceFileError, match=r"instance\.ami \(is \"latest\"\)"):
        load_services(directory, only="influxdb", ami="latest")


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
        (b"name: [", "not YAML: line 2, column 1: "),
        (b"x: \x01", "not YAML: unacceptable character"),
        (b"\xff\xfe\x00", "byte 0 is not UTF-8"),
        (b"", "not a mapping"),
        (b"!!python/object:x {}", "line 1, column 1: tag:yaml.org,2002:python/object:x is a tag"),
        (None, "cannot be read: No such file"),
        (b"&a [*a]", "&a is an anchor"),
        (b"a: *b", r"\*b is an alias"),
        (b"[" * 600, "nested deeper than 16 levels"),
        (b"x: " + b"[" * 600 + b"]" * 600, "nested deeper than 16 levels"),
        (b"name: a\nregion: b\nname: c", "line 3, column 1: the key name is given twice"),
        (b"name: a\n--- \nname: b", "a second document begins"),
        (b"? [a]\n: b", "a mapping or a list is no key"),
        (b'"a\\nb": 1', "a key is empty, too long or not on one line"),
        (b"#" * 70_000, "longer than 65536 bytes"),
    ],
)
def test_what_is_no_yaml_or_not_there_is_one_finding(tmp_path, content, words):
    file = tmp_path / "x.yaml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ServiceFileError, match=words) as raised:
        load_service(file)
    assert len(raised.value.findings) == 1


def test_scalars_are_those_of_yaml_1_2_and_what_two_people_read_differently_stays_a_text():
    text = "[1, -2, 1.5, 1e3, true, null, ~, '1', yes, 010, 0x1F, 0x_, 1:30, 2020-13-45, .inf, 1e999, " + "9" * 5000
    assert read_yaml(text.encode() + b", ]") == [
        *(1, -2, 1.5, 1000.0, True, None, None, "1"),
        *("yes", "010", "0x1F", "0x_", "1:30", "2020-13-45", ".inf", "1e999", "9" * 5000),
    ]
    assert read_yaml(b"1: a\nyes: b\n<<: c") == {"1": "a", "yes": "b", "<<": "c"}


@pytest.mark.parametrize(
    ("name", "value"),
    [("name", "2020-13-45"), ("port", "010"), ("port", "1:30"), ("port", "0x_"), ("port", "9" * 5000)],
)
def test_a_scalar_that_is_read_differently_elsewhere_is_a_finding(directory, name, value):
    file = directory / "influxdb.yaml"
    file.write_text(re.sub(rf"(?m)^(- |  - )?{name}: .*", rf"\g<1>{name}: {value}", file.read_text()))
    with pytest.raises(ServiceFileError, match=f"{name} .is .{value[:50]}") as raised:
        load_service(file)
    assert len(raised.value.findings) == 1


def test_an_empty_directory_is_one_finding(tmp_path):
    with pytest.raises(ServiceFileError, match="no service file"):
        load_services(tmp_path)


def test_validate_looks_at_all_files_together(directory, capsys):
    (directory / "again.yaml").write_text((directory / "influxdb.yaml").read_text().replace("10.0.0.0/16", "0.0.0.0/0"))
    files = [str(directory / name) for name in ("influxdb.yaml", "again.yaml")]
    assert main(["validate", files[1]]) == 0, "a warning is no finding"
    assert "again.yaml: warning: ports[0].allow_from[0]" in capsys.readouterr().err
    assert main(["validate", *files]) == 3
    assert f"{files[0]} and {files[1]}: name (is influxdb): used by two" in capsys.readouterr().err


def test_validate_prints_findings_and_ends_with_3(directory, capsys):
    (directory / "bad.yaml").write_text("name: Bad\n")
    assert main(["validate", str(directory / "influxdb.yaml"), str(directory / "bad.yaml")]) == 3
    printed = capsys.readouterr()
    assert "service influxdb in us-east-1a, us-east-1b, us-east-1c: no findings" in printed.out
    assert "bad.yaml: 8 findings" in printed.err
    assert main(["validate", str(directory / "influxdb.yaml")]) == 0


# ------------------------------------------------------------------ what is derived from the instance's dataclasses
def limits_of(kind: type, name: str) -> list[Limits]:
    hint = typing.get_type_hints(kind, include_extras=True)[name]
    notes = typing.get_args(hint) if typing.get_origin(hint) is Annotated else ()
    return [note for note in notes if isinstance(note, Limits)]


def example(kind: type[Check]) -> dict[str, Any]:
    """A check of the kind with every field that has to be given, each by the example of its type."""
    given: dict[str, Any] = {"kind": kind.kind}
    for item in dataclasses.fields(kind):
        if item.default is dataclasses.MISSING:
            given[item.name] = limits_of(kind, item.name)[0].example
    return given


def service_with(check: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = yaml.safe_load((SERVICES / "influxdb.yaml").read_text(encoding="utf-8"))
    tree["service"]["health"] = {"checks": [check]}
    return tree


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_kind_of_check_goes_from_the_service_file_to_the_instance(kind: type[Check]) -> None:
    health = parse_service(service_with(example(kind)), source="test").service.health
    (check,) = health.checks
    assert type(check) is kind
    sent = json.loads(
        json.dumps(to_tree(Health(checks=(check,), start_allowance_s=1, interval_s=1, unhealthy_after=1)))
    )
    assert decode_tree(Health, sent, unknown_keys="refuse", members={Check: KINDS}).checks == (check,)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_every_field_of_a_check_is_in_the_schema_with_its_default(kind: type[Check]) -> None:
    described = json_schema()["$defs"][kind.__name__]
    assert set(described["properties"]) == {item.name for item in dataclasses.fields(kind)}
    assert set(described["required"]) == set(example(kind))
    assert described["description"] == inspect.cleandoc(kind.__doc__ or "")
    for item in dataclasses.fields(kind):
        if item.default is not dataclasses.MISSING and item.name != "kind":
            assert described["properties"][item.name]["default"] == to_tree(item.default)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.kind)
def test_a_check_outside_its_limits_is_a_finding_of_the_service_file(kind: type[Check]) -> None:
    for name, wrong in {**dict.fromkeys(example(kind), ""), "timeout_s": 0, "colour": "red"}.items():
        with pytest.raises(ServiceFileError) as error:
            parse_service(service_with({**example(kind), name: wrong}), source="test")
        assert error.value.findings[0].path.startswith("service.health.checks[0]"), name


def test_every_timing_of_the_lease_is_offered_with_its_default_and_description() -> None:
    properties = json_schema()["$defs"]["LeaseSection"]["properties"]
    assert LeaseSection().timing() == LeaseTiming()
    for item in dataclasses.fields(LeaseTiming):
        assert properties[item.name]["default"] == item.default
        assert properties[item.name]["description"] == limits_of(LeaseTiming, item.name)[-1].says
