"""The engine: who waits goes on when it should, by its own clock, and nothing is left behind."""

import gc
import random
from collections.abc import Callable
from functools import partial

import pytest
from greenlet import greenlet

from lab.simulation.engine import SET, TIMED_OUT, Engine, Process, Signal
from lab.simulation.guest_clock import GuestClock

LONG_S = 1000.0


class Scene:
    """One engine, and what its processes noted."""

    def __init__(self) -> None:
        self.engine = Engine(random.Random(1))
        self.noted: list[tuple[float, object]] = []

    def start(self, call: Callable[[], None], *, rate: float = 1.0) -> tuple[Process, GuestClock]:
        clock = GuestClock(self.engine, rate)
        return Process(self.engine, clock, call), clock

    def note(self, what: object) -> None:
        self.noted.append((round(self.engine.now, 3), what))

    def wait_and_note(self, seconds: float) -> None:
        self.note(self.engine.wait(seconds))

    def run(self) -> list[tuple[float, object]]:
        self.engine.run(LONG_S)
        return self.noted


@pytest.mark.parametrize(("rate", "expected_s"), [(1.0, 10.0), (2.0, 5.0), (0.5, 20.0)])
def test_a_timer_counts_the_guests_own_clock(rate: float, expected_s: float) -> None:
    scene = Scene()
    scene.start(lambda: scene.wait_and_note(10.0), rate=rate)
    assert scene.run() == [(expected_s, TIMED_OUT)]


def test_a_later_timer_is_not_ended_by_the_alarm_of_an_earlier_one() -> None:
    """An answer ends the first wait; the alarm that was set for it rings during the second."""
    scene = Scene()

    def call() -> None:
        scene.note(scene.engine.wait(3.0, lambda reply: scene.engine.after(1.0, reply, "answer")))
        scene.wait_and_note(10.0)
        scene.wait_and_note(0.5)

    scene.start(call)
    assert scene.run() == [(1.0, "answer"), (11.0, TIMED_OUT), (11.5, TIMED_OUT)]


def test_an_answer_after_its_time_out_is_not_the_answer_to_the_next_question() -> None:
    scene = Scene()

    def call() -> None:
        scene.note(scene.engine.wait(3.0, lambda reply: scene.engine.after(4.0, reply, "late")))
        scene.wait_and_note(10.0)

    scene.start(call)
    assert scene.run() == [(3.0, TIMED_OUT), (13.0, TIMED_OUT)]


@pytest.mark.parametrize(("clock_stands", "expected_s"), [("still", 14.0), ("not still", 10.0)])
def test_a_pause_delays_a_timer_only_where_the_clock_stands_still(clock_stands: str, expected_s: float) -> None:
    scene = Scene()
    _, clock = scene.start(lambda: scene.wait_and_note(10.0))
    scene.engine.after(2.0, lambda: clock.pause(is_clock_frozen=clock_stands == "still"))
    scene.engine.after(6.0, clock.wake)
    assert scene.run() == [(expected_s, TIMED_OUT)]


def test_nothing_goes_on_before_a_paused_guest_wakes() -> None:
    scene = Scene()
    _, clock = scene.start(lambda: scene.wait_and_note(3.0))
    scene.engine.after(2.0, lambda: clock.pause(is_clock_frozen=False))
    scene.engine.after(50.0, clock.wake)
    ((at_s, word),) = scene.run()
    assert word is TIMED_OUT
    assert 50.0 <= at_s < 51.0


def test_a_timer_rings_once_although_the_alarm_of_another_wait_comes_after_it() -> None:
    """Both are due while the guest is paused. A second ring would draw its own delay, and change all that follows."""
    scene = Scene()

    def call() -> None:
        scene.engine.wait(10.0, lambda reply: scene.engine.after(1.0, reply, "answer"))
        scene.wait_and_note(5.0)

    _, clock = scene.start(call)
    scene.engine.after(5.5, lambda: clock.pause(is_clock_frozen=False))
    scene.engine.after(50.0, clock.wake)
    assert [word for _, word in scene.run()] == [TIMED_OUT]
    drawn = random.Random(1)
    drawn.uniform(0.0, drawn.random())  # the one delay
    assert scene.engine.rng.random() == drawn.random()


@pytest.mark.parametrize(
    ("rate", "set_s", "moved_s", "expected_s"),
    [(1.0, 900.0, 9.0, 12.0), (2.0, 900.0, 9.0, 10.0), (1.0, 9.0, 900.0, 9.0)],
)
def test_a_watch_ends_at_its_first_look_that_is_not_calm_or_when_it_is_called(
    rate: float, set_s: float, moved_s: float, expected_s: float
) -> None:
    scene = Scene()
    signal = Signal(scene.engine)

    def call() -> None:
        signal.watch(4.0, lambda: scene.engine.now < moved_s)
        scene.note("watched")
        scene.wait_and_note(4.0)  # the look is that of the watch only

    scene.start(call, rate=rate)
    scene.engine.after(set_s, signal.set)
    assert scene.run() == [(expected_s, "watched"), (expected_s + 4.0 / rate, TIMED_OUT)]


def test_a_stopped_process_goes_on_when_it_is_continued() -> None:
    scene = Scene()
    process, _ = scene.start(lambda: scene.wait_and_note(3.0))
    process.stopped_until_s = 20.0
    assert scene.run() == [(23.0, TIMED_OUT)]


def test_a_killed_process_never_goes_on() -> None:
    scene = Scene()
    process, _ = scene.start(lambda: scene.wait_and_note(3.0))
    scene.engine.after(1.0, process.kill)
    assert scene.run() == []


def test_a_signal_wakes_all_that_wait_and_a_join_waits_for_the_end() -> None:
    scene = Scene()
    signal = Signal(scene.engine)
    first, _ = scene.start(lambda: scene.note(signal.wait(50.0)))
    scene.start(lambda: scene.note(signal.wait(1.0)))

    def joins() -> None:
        first.join(100.0)
        scene.note("joined")

    scene.start(joins)
    scene.engine.after(5.0, signal.set)
    assert scene.run() == [(1.0, False), (5.0, True), (5.0, "joined")]
    assert SET is not TIMED_OUT


def test_end_ends_after_the_present_event() -> None:
    scene = Scene()
    scene.engine.after(2.0, scene.engine.end)
    scene.start(lambda: scene.wait_and_note(3.0))
    assert scene.engine.run(LONG_S) is True
    assert scene.noted == []


def test_an_error_of_the_world_ends_the_run_whatever_the_waiting_code_catches() -> None:
    scene = Scene()

    def careless() -> None:
        try:
            scene.engine.wait(100.0)
        except Exception:
            scene.note("caught")

    def broken() -> None:
        raise AssertionError("the model is wrong")

    scene.start(careless)
    scene.start(careless)
    scene.engine.after(5.0, broken)
    with pytest.raises(AssertionError, match="the model is wrong"):
        scene.run()
    assert scene.noted == []


def test_an_error_of_a_process_ends_the_run() -> None:
    scene = Scene()

    def fails() -> None:
        scene.engine.wait(1.0)
        raise LookupError("a defect")

    scene.start(lambda: scene.wait_and_note(50.0))
    scene.start(fails)
    with pytest.raises(LookupError, match="a defect"):
        scene.run()


def test_nothing_is_left_of_processes_that_still_wait() -> None:
    """A greenlet that waits is not seen into by the garbage collector: ten thousand runs would fill the memory."""
    gc.collect()
    before = sum(isinstance(thing, greenlet) and not thing.dead for thing in gc.get_objects())
    for _ in range(20):
        scene = Scene()
        scene.start(partial(scene.wait_and_note, 9e9))
        scene.run()
        scene.engine.close()
    gc.collect()
    assert sum(isinstance(thing, greenlet) and not thing.dead for thing in gc.get_objects()) <= before + 1
