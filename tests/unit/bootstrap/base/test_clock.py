"""Every wait is bounded, named, and ends when a stop is asked for."""

from __future__ import annotations

import pytest

from bootstrap.base.clock import StopRequest
from bootstrap.base.errors import DeadlineExceeded, StopRequested
from tests.kit.clock import FakeClock


def test_pause_never_goes_past_the_deadline(clock: FakeClock) -> None:
    deadline = clock.deadline(5)
    deadline.pause(3)
    with pytest.raises(DeadlineExceeded, match="test: not done after 5 s; last seen: rain"):
        deadline.pause(3, "rain")
    assert clock.waits == [3, 2]


def test_stop_ends_a_pause_with_its_sentence(clock: FakeClock) -> None:
    stop = StopRequest()
    stop.request("first")
    stop.request("second")
    with pytest.raises(StopRequested, match="first"):
        clock.deadline(5, stop).pause(1)
    assert clock.waits == []


def test_inner_deadline_is_the_earlier_one(clock: FakeClock) -> None:
    assert clock.deadline(5).within(60, "inner").seconds == 5
    assert clock.deadline(60).within(5, "inner").seconds == 5


def test_child_stops_with_its_parent_but_not_the_other_way_round() -> None:
    parent = StopRequest()
    early, lonely = parent.child(), parent.child()
    lonely.request("alone")
    assert not parent.is_requested
    parent.request("all")
    assert (early.sentence, lonely.sentence) == ("all", "alone")
    assert parent.child().is_requested
