"""The plan for a network interface, and what is missing of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from bootstrap.machine.links import LinkPlan, LinkState, missing, plan_link

PLAN = LinkPlan(
    device="ens6",
    index=3,
    address="10.0.100.10",
    prefix=24,
    subnet="10.0.100.0/24",
    gateway="10.0.100.1",
    table=20003,
    priority=20003,
)
DONE = LinkState(
    is_up=True,
    addresses=frozenset({"10.0.100.10/24"}),
    rules=frozenset({("10.0.100.10", 20003, 20003)}),
    routes=frozenset({("10.0.100.0/24", ""), ("default", "10.0.100.1")}),
)


def test_plan_takes_the_subnets_first_host_as_gateway() -> None:
    assert plan_link("ens6", 3, "10.0.100.10", "10.0.100.0/24") == PLAN


def test_nothing_is_missing_of_what_is_done() -> None:
    assert missing(PLAN, DONE) == []


@pytest.mark.parametrize(
    ("changes", "lack"),
    [
        ({"is_up": False}, "ens6 is down"),
        ({"addresses": frozenset({"10.0.100.10/32"})}, "ens6 has no address 10.0.100.10/24"),
        ({"rules": frozenset({("10.0.100.10", 20002, 20003)})}, "no rule from 10.0.100.10 to table 20003"),
        ({"routes": frozenset({("default", "10.0.100.1")})}, "table 20003 has no route to 10.0.100.0/24"),
        (
            {"routes": frozenset({("10.0.100.0/24", ""), ("default", "10.0.100.254")})},
            "table 20003 has no default route by 10.0.100.1",
        ),
    ],
)
def test_each_missing_part_is_named(changes: dict[str, Any], lack: str) -> None:
    assert missing(PLAN, replace(DONE, **changes)) == [lack]
