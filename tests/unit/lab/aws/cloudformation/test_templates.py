"""Templates alone: order, differences, and properties that remember who looked at them."""

import copy
from typing import Any

import pytest

from lab.aws.cloudformation.resource_schemas import Noticing
from lab.aws.cloudformation.stack_templates import (
    BadTemplate,
    changed_properties,
    changed_text,
    creation_order,
    referenced_names,
)


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({"Ref": "A"}, {"A"}),
        ({"Fn::GetAtt": ["A", "Arn"]}, {"A"}),
        ({"Fn::GetAtt": "A.Arn"}, {"A"}),
        ({"Fn::Sub": "${A}-${B.Arn}-${!C}-${AWS::Region}"}, {"A", "B", "AWS::Region"}),
        ({"Fn::Sub": ["${X}${A}", {"X": {"Ref": "B"}}]}, {"A", "B"}),
        ({"Fn::Join": ["", ["x", {"Ref": "A"}]]}, {"A"}),
        ([{"deep": [{"Ref": "A"}]}], {"A"}),
        ("A", set()),
    ],
)
def test_every_name_that_a_value_refers_to_is_found(value: Any, names: set[str]) -> None:
    assert referenced_names(value) == names


def test_what_is_needed_comes_first() -> None:
    resources = {
        "C": {"Type": "T", "Properties": {"x": {"Ref": "B"}}},
        "B": {"Type": "T", "DependsOn": "A"},
        "A": {"Type": "T"},
    }
    assert creation_order(resources) == ["A", "B", "C"]


def test_circles_and_loose_ends_are_named() -> None:
    circle = {"A": {"Type": "T", "DependsOn": ["B"]}, "B": {"Type": "T", "Properties": {"x": {"Ref": "A"}}}}
    with pytest.raises(BadTemplate, match="A, B"):
        creation_order(circle)
    with pytest.raises(BadTemplate, match="Missing"):
        creation_order({"A": {"Type": "T", "DependsOn": "Missing"}})


def test_metadata_is_no_difference() -> None:
    assert not changed_text({"Type": "T"}, {"Type": "T", "Metadata": {"a": 1}})
    assert changed_text({"Type": "T"}, {"Type": "T", "Properties": {"a": 1}})
    assert changed_properties({"a": 1, "b": 2}, {"a": 1, "c": 3}) == ["b", "c"]


# ------------------------------------------------------------------ properties that remember
def test_what_nobody_looked_at_is_known() -> None:
    properties = Noticing({"a": 1, "b": 2, "c": 3, "d": 4})
    assert properties["a"] == 1
    assert properties.get("b") == 2
    assert "c" in properties
    assert properties.unseen() == ["d"]


@pytest.mark.parametrize("whole", [dict, list, lambda p: p.items(), lambda p: {**p}, lambda p: dict(**p)])
def test_whoever_takes_all_has_looked_at_all(whole: object) -> None:
    properties = Noticing({"a": 1, "b": 2})
    whole(properties)  # type: ignore[operator]
    assert properties.unseen() == []


@pytest.mark.parametrize("make", [copy.deepcopy, lambda p: p | {"c": 3}])
def test_copies_share_the_memory(make: object) -> None:
    properties = Noticing({"a": 1, "b": 2})
    copied = make(properties)  # type: ignore[operator]
    assert copied["a"] == 1
    assert properties.unseen() == ["b"]
