"""Order and differences of templates, on the templates alone."""

from __future__ import annotations

from typing import Any

import pytest

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
def test_references(value: Any, names: set[str]) -> None:
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
