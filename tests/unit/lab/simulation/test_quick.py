"""The cheaper functions of the simulation give what the originals give."""

import json
from dataclasses import replace
from typing import Any

import pytest

from bootstrap.base.timing import LeaseTiming
from bootstrap.fence.rules import FenceMemory
from bootstrap.lease.rules.record import Applicant, highest_generation, new_record, parse_record, render_record
from lab.simulation import quick

APPLICANT = Applicant(
    instance_id="i-1", zone="a", network_interface_id="eni-a", boot_id="i-1/1", image_id="ami-1", agent_version="1"
)
RECORD = new_record(APPLICANT, LeaseTiming(), generation=7, nonce="n")
TEXT = render_record(RECORD)


@pytest.mark.parametrize(
    ("thing", "changes"),
    [
        (RECORD, {"renewals": 3, "written_at": "now"}),
        (RECORD, {}),
        (FenceMemory(generation=2, deadline_s=4.0), {"is_over": True, "over_s": 4.0, "killed_s": 5.0}),
    ],
)
def test_replaced_is_replace(thing: Any, changes: dict[str, Any]) -> None:
    new = quick.replaced(thing, **changes)
    assert new == replace(thing, **changes)
    assert type(new) is type(thing)
    assert new is not thing


def test_replaced_refuses_a_field_that_is_not_there() -> None:
    with pytest.raises(TypeError, match="has no field"):
        quick.replaced(RECORD, renewal=3)


def test_what_is_replaced_has_all_its_fields_in_its_dict() -> None:
    """`replaced` copies `__dict__`: a class with slots or with checks of its own is none for it."""
    assert not hasattr(type(RECORD), "__post_init__")
    assert not hasattr(FenceMemory, "__post_init__")


@pytest.mark.parametrize("text", [TEXT, "{", "", "null", json.dumps({"generation": 7})])
def test_parsed_is_parse_record(text: str) -> None:
    for generation in (7, 8):
        assert quick.parsed(text, generation) == parse_record(text, generation)


@pytest.mark.parametrize(
    "changes",
    [
        {"renewals": 3, "is_released": True, "lease_duration_s": 1e-9, "nonce": 'a "b"\\\n'},
        {"zone": "é"},
        {"zone": "\ud800"},
        {"zone": "z" * 4096},
        {"instance_id": ""},
        {"lease_duration_s": 0.0},
        {"retry_period_s": 5},
    ],
)
def test_rendered_is_render_record_and_what_it_remembers_is_what_would_be_parsed(changes: dict[str, Any]) -> None:
    record = replace(RECORD, **changes)
    text = quick.rendered(record)
    assert text == render_record(record)
    for generation in (7, 8):
        assert quick.parsed(text, generation) == parse_record(text, generation)


def test_rendered_refuses_what_render_record_refuses() -> None:
    with pytest.raises(ValueError, match="JSON"):
        quick.rendered(replace(RECORD, retry_period_s=float("inf")))


@pytest.mark.parametrize("names", [[], ["generation-000007", "generation-000012"], ["generation-7", ".new-x"]])
def test_highest_generation_is_the_original(names: list[str]) -> None:
    assert quick.highest_generation(names) == highest_generation(names)
