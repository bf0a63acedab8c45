"""The watch over the data with real children: one that is stopped, one that ends, and file systems that refuse."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bootstrap.base.clock import SystemClock
from bootstrap.machine.data_probe import DataProbe
from bootstrap.machine.probe_child import MARKER, PROBE
from bootstrap.run import data_watch
from bootstrap.run.data_watch import DataWatch
from lab.base.waiting import wait_for

SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")


def until(is_so: Callable[[], bool]) -> None:
    wait_for(lambda: is_so() or None, "the data watch", deadline_s=20.0, poll_s=0.02)


def pid_of(probe: DataProbe) -> int:
    assert probe._child is not None
    return probe._child.pid


def answer_of(probe: DataProbe) -> str:
    said: list[str] = []

    def is_answered() -> bool:
        said.extend(text for text in [probe.answer()] if text is not None)
        return said != []

    until(is_answered)
    return said[0]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    (tmp_path / MARKER).write_text('{"file_system": "fs-1", "service": "demo"}\n')
    return tmp_path


@pytest.fixture
def watch(data: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[DataWatch]:
    """One that looks ten times a second, and ends a child after 0.5 s."""
    for name, seconds in (("PROBE_S", 0.1), ("PROBE_LIMIT_S", 0.5), ("POLL_S", 0.02)):
        monkeypatch.setattr(data_watch, name, seconds)
    watch = DataWatch(SystemClock(), DataProbe(), str(data))
    watch.start()
    yield watch
    watch.pause()


def test_a_look_writes_its_own_file_and_nothing_else(watch: DataWatch, data: Path) -> None:
    until(lambda: watch._known is not None)
    assert sorted(path.name for path in data.iterdir()) == sorted([MARKER, PROBE])
    first = (data / PROBE).read_text()
    until(lambda: (data / PROBE).read_text() not in (first, ""))
    assert len(first) == 32
    assert watch.fault is None


def test_a_child_that_is_stopped_is_ended_and_another_one_asks(watch: DataWatch) -> None:
    until(lambda: watch._known is not None)
    with watch._lock:  # so that the child is not taken away meanwhile
        watch._probe.kill()
        watch._probe.start({"root": "/nothing", "marker": "", "text": ""})
        watch._began_s = watch._unanswered_s = watch._clock.monotonic()
        stopped = pid_of(watch._probe)  # type: ignore[arg-type]
        os.kill(stopped, signal.SIGSTOP)
    until(lambda: watch.stall_s > 0.3)
    until(lambda: watch.stall_s < 0.3)
    assert not Path(f"/proc/{stopped}").exists()
    assert watch.fault is None


def test_a_paused_watch_leaves_no_child_and_starts_none(watch: DataWatch, data: Path) -> None:
    until(lambda: watch._known is not None)
    watch.pause()
    before = (data / PROBE).read_text()
    for _ in range(3):
        watch.cycle()
        assert not watch._probe.is_running
    assert (data / PROBE).read_text() == before
    watch.resume()
    until(lambda: (data / PROBE).read_text() != before)


def test_nobody_waits_for_a_child_and_its_answer_is_taken_once(data: Path) -> None:
    probe = DataProbe(SLEEPER)
    began_s = time.monotonic()
    probe.start({})
    assert probe.answer() is None
    assert probe.is_running
    assert probe.kill()
    assert (probe.is_running, probe.stuck_count) == (False, 0)
    assert time.monotonic() - began_s < 5
    probe = DataProbe()
    probe.start({"root": str(data), "marker": "", "text": "x" * 32})
    answer = answer_of(probe)
    assert json.loads(answer)["found"].startswith('{"file_system"')
    assert (probe.is_running, probe.answer()) == (False, None)


def test_a_child_lives_from_look_to_look_and_keeps_nothing_of_the_data_open(data: Path) -> None:
    probe = DataProbe()
    for _ in range(2):
        probe.start({"root": str(data), "marker": "", "text": "x" * 32})
        answer_of(probe)
    held = [os.readlink(path) for path in Path(f"/proc/{pid_of(probe)}/fd").iterdir()]
    assert not [path for path in (*held, os.readlink(f"/proc/{pid_of(probe)}/cwd")) if path.startswith(str(data))]
    first = pid_of(probe)
    os.kill(first, signal.SIGKILL)
    until(lambda: probe._child is not None and probe._child.poll() is not None)
    probe.start({"root": str(data), "marker": "", "text": "y" * 32})
    assert json.loads(answer_of(probe))["device"]
    assert pid_of(probe) != first
    probe.kill()


@pytest.mark.parametrize("program", ["", "import sys; sys.stdin.readline(); sys.stdout.write('x' * 2**21)"])
def test_a_child_that_ends_or_says_no_end_of_words_is_an_empty_answer(program: str) -> None:
    probe = DataProbe((sys.executable, "-c", f"{program}\nimport sys; sys.stdin.readline()"))
    probe.start({"root": "/nothing", "marker": "", "text": ""})
    assert answer_of(probe) == ""
    assert not probe.is_running
