"""Properties that remember who looked at them."""

from __future__ import annotations

import copy

import pytest

from lab.aws.cloudformation.stack_resources import Noticing


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
