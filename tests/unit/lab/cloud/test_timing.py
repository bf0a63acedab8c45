"""Delays: fixed ones are what they say, drawn ones repeat with their seed and keep to their distribution."""

from __future__ import annotations

from dataclasses import replace
from statistics import median

import pytest

from lab.cloud.timing import AWS, FAST, Clockmaker, Spread


def test_a_fixed_delay_is_itself() -> None:
    assert Clockmaker(FAST, 1).draw("attach_s") == FAST.attach_s


def test_the_same_seed_draws_the_same_and_another_one_does_not() -> None:
    def drawn(seed: int) -> list[float]:
        clockmaker = Clockmaker(AWS, seed)
        return [clockmaker.draw("detach_s") for _ in range(5)]

    assert drawn(1) == drawn(1) != drawn(2)
    assert len(set(drawn(1))) == 5


def test_one_delay_does_not_disturb_the_draws_of_another() -> None:
    alone, mixed = Clockmaker(AWS, 3), Clockmaker(AWS, 3)
    expected = [alone.draw("attach_s") for _ in range(3)]
    found = []
    for _ in range(3):
        mixed.draw("pending_s")
        found.append(mixed.draw("attach_s"))
    assert found == expected


def test_a_spread_has_the_median_and_the_tail_that_it_names() -> None:
    spread = Spread(8.0, 200.0, least_s=2.0)
    clockmaker = Clockmaker(replace(AWS, detach_s=spread), 1)
    drawn = sorted(clockmaker.draw("detach_s") for _ in range(20_000))
    assert drawn[0] >= 2.0
    assert median(drawn) == pytest.approx(8.0, rel=0.05)
    assert drawn[int(len(drawn) * 0.99)] == pytest.approx(200.0, rel=0.15)


@pytest.mark.parametrize(("middle", "p99", "least"), [(5.0, 5.0, 0.0), (5.0, 9.0, 5.0), (5.0, 9.0, -1.0)])
def test_a_spread_that_does_not_grow_is_refused(middle: float, p99: float, least: float) -> None:
    with pytest.raises(ValueError, match="must grow"):
        Spread(middle, p99, least)
