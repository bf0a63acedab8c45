"""The stacks of a cloud assembly are deployed in the order that their dependencies ask for."""

import itertools
from typing import Any

import pytest

from lab.base.errors import LabError
from lab.play.synthesis import stacks_in_order


def stack(*needs: str) -> dict[str, Any]:
    return {"type": "aws:cloudformation:stack", "dependencies": ["soloist-x.assets", *needs], "properties": {}}


STACKS = {"soloist-x": stack(), "soloist-x-watch": stack("soloist-x"), "soloist-x-later": stack("soloist-x-watch")}


@pytest.mark.parametrize("names", list(itertools.permutations(STACKS)))
def test_a_stack_comes_after_what_it_depends_on(names: tuple[str, ...]) -> None:
    artifacts = {"Tree": {"type": "cdk:tree"}, **{name: STACKS[name] for name in names}}
    artifacts["soloist-x.assets"] = {"type": "cdk:asset-manifest"}
    assert list(stacks_in_order(artifacts)) == list(STACKS)


def test_one_stack_is_enough() -> None:
    assert list(stacks_in_order({"soloist-x": stack()})) == ["soloist-x"]


def test_a_circle_is_named() -> None:
    with pytest.raises(LabError, match=r"in a circle: .*soloist-x"):
        stacks_in_order({"soloist-x": stack("soloist-x-watch"), "soloist-x-watch": stack("soloist-x")})
