"""Signs of life only while every loop lives."""

from __future__ import annotations

from bootstrap.pulse import Pulse
from tests.unit.bootstrap.fakes import FakeClock


def test_a_late_loop_stops_the_signs_and_its_beat_brings_them_back(clock: FakeClock) -> None:
    sent: list[float] = []
    pulse = Pulse(clock, lambda: sent.append(clock.now_s))
    assert pulse.send_if_alive(), "before any loop has begun"
    pulse.beat("lease", 10)
    pulse.beat("supervise", 100)
    clock.advance(10)
    assert pulse.send_if_alive()
    clock.advance(1)
    assert pulse.late() == ["lease"]
    assert not pulse.send_if_alive()
    pulse.beat("lease", 10)
    assert pulse.send_if_alive()
    assert len(sent) == 3


def test_an_ending_is_no_hang(clock: FakeClock) -> None:
    pulse = Pulse(clock, lambda: None)
    pulse.beat("lease", 10)
    pulse.rest()
    clock.advance(1000)
    assert pulse.send_if_alive()
