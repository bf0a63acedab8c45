"""What the service file takes from the instance's own dataclasses: every kind of health check, every lease timing."""

from __future__ import annotations

import dataclasses
import json
import typing
from pathlib import Path
from typing import Annotated, Any

import pytest
import yaml

from bootstrap.base.codec import decode_tree, to_tree
from bootstrap.base.document import Check, Health
from bootstrap.base.timing import LeaseTiming
from bootstrap.base.values import Limits
from bootstrap.machine.health import KINDS
from services.findings import ServiceFileError
from services.lease import LeaseSection
from services.load import parse_service
from services.schema import json_schema

SERVICE = Path(__file__).parents[3] / "services" / "influxdb.yaml"


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
    tree: dict[str, Any] = yaml.safe_load(SERVICE.read_text(encoding="utf-8"))
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
    assert described["description"] == kind.__doc__
    for item in dataclasses.fields(kind):
        if item.default is not dataclasses.MISSING and item.name != "kind":
            assert described["properties"][item.name]["default"] == item.default


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
