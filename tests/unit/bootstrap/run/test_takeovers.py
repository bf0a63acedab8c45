"""What an instance notes of its takeover, and that nothing of it stands in its way."""

import pytest

from bootstrap.base.clock import StopRequest
from bootstrap.base.state import TimelineEntry
from bootstrap.base.takeovers import parse_takeovers
from bootstrap.lease.keeper import Lost
from bootstrap.machine.data_child import TAKEOVERS
from bootstrap.run.takeovers import NOTE_S, note_takeover
from tests.kit.clock import FakeClock
from tests.kit.fake_os import FakeOs
from tests.kit.lease import ME, OTHER, TIMING
from tests.kit.wired import Wired

TIMELINE = (
    TimelineEntry(name="lease", start_s=1.0, duration_s=2.5, outcome="ok", detail="i-0 has released it"),
    TimelineEntry(name="healthy", start_s=3.5, duration_s=4.0, outcome="ok", detail="healthy"),
    TimelineEntry(name="ready", start_s=7.75, duration_s=0.0, outcome="ok"),
)


@pytest.fixture
def world(machine: FakeOs, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> Wired:
    return Wired(machine, clock, monkeypatch)


def text(world: Wired) -> str:
    path = world.machine.paths.data_root / TAKEOVERS
    return path.read_text() if path.exists() else ""


def note(world: Wired, stop: StopRequest | None = None) -> tuple[int, ...]:
    """The generations of the entries that are shown afterwards."""
    return tuple(each.generation for each in note_takeover(world.instance, TIMELINE, stop or StopRequest(world.clock)))


def test_it_says_from_whom_to_whom_why_and_how_long_each_phase_took(world: Wired) -> None:
    world.put(1, is_released=True)
    world.serve()
    (entry,) = note_takeover(world.instance, TIMELINE, StopRequest(world.clock))
    assert (entry.generation, entry.instance_id, entry.image_id, entry.image_version) == (2, ME, "ami-1", "1")
    assert (entry.predecessor_generation, entry.predecessor_id) == (1, OTHER)
    assert (entry.ground, entry.why, entry.ready_after_s) == ("released", "i-0 has released it", 7.75)
    assert [(phase.name, phase.duration_s) for phase in entry.phases] == [("lease", 2.5), ("healthy", 4.0)]
    assert parse_takeovers(text(world)) == (entry,)


def test_the_first_holder_has_no_predecessor(world: Wired) -> None:
    world.serve()
    (entry,) = note_takeover(world.instance, TIMELINE, StopRequest(world.clock))
    assert (entry.predecessor_generation, entry.predecessor_id, entry.predecessor_zone) == (0, "", "")


def test_the_newest_comes_first_and_the_others_stay(world: Wired) -> None:
    world.serve()
    note(world)
    assert note(world) == (1, 1)
    assert len(text(world).splitlines()) == 2


def test_a_file_system_that_hangs_costs_the_entry_and_nothing_else(
    world: Wired, caplog: pytest.LogCaptureFixture
) -> None:
    world.serve()
    world.machine.hung.add(str(world.machine.paths.data_root))
    began_s = world.clock.monotonic()
    assert note(world) == ()
    assert world.clock.monotonic() - began_s <= NOTE_S
    assert "this takeover is not in the log of takeovers" in caplog.text


def test_who_is_no_holder_any_more_writes_nothing(world: Wired) -> None:
    world.serve()
    keeper = world.instance.lease.keeper
    world.clock.advance(TIMING.renew_deadline_s)
    assert note(world) == ()
    keeper._lost = Lost(is_taken=True, sentence="taken")
    assert (note(world), text(world)) == ((), "")
