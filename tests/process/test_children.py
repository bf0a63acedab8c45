"""Real children: killed at their deadline with all they started, and never waited for through a pipe."""

import tempfile
import threading
import time
from pathlib import Path

import pytest

from bootstrap.base.clock import Deadline, StopRequest, SystemClock
from bootstrap.base.errors import StopRequested
from bootstrap.machine.commands import ChildCommands


def deadline(seconds: float, stop: StopRequest | None = None) -> Deadline:
    return Deadline(SystemClock(), seconds, "test", stop)


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_output_exit_code_and_input() -> None:
    done = ChildCommands().run(("sh", "-c", "cat; echo no >&2; exit 3"), deadline(10), text_in="given ")
    assert (done.exit_code, done.output, done.summary) == (3, "given no\n", "exit code 3: given no")
    assert ChildCommands().run(("/nowhere/x",), deadline(10)).exit_code == 127


def test_no_disk_is_needed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(FileNotFoundError), tempfile.TemporaryFile():
        pass
    assert ChildCommands().run(("cat",), deadline(10), text_in="given").output == "given"


def test_killed_at_the_deadline_with_its_group() -> None:
    started_s = time.monotonic()
    done = ChildCommands().run(("sh", "-c", "sleep 60 & echo $!; sleep 60"), deadline(0.5))
    grandchild = int(done.output)
    assert (done.exit_code, done.summary) == (None, f"killed at its deadline: {grandchild}")
    assert time.monotonic() - started_s < 5
    while is_running(grandchild) and time.monotonic() - started_s < 5:
        time.sleep(0.05)
    assert not is_running(grandchild)


def test_background_process_that_keeps_the_output_open_is_not_waited_for() -> None:
    started_s = time.monotonic()
    assert ChildCommands().run(("sh", "-c", "sleep 5 & exit 0"), deadline(30)).succeeded
    assert time.monotonic() - started_s < 4


def test_stop_ends_the_wait() -> None:
    stop = StopRequest()
    threading.Timer(0.3, stop.request, ("SIGTERM received",)).start()
    started_s = time.monotonic()
    with pytest.raises(StopRequested, match="SIGTERM received"):
        ChildCommands().run(("sleep", "60"), deadline(60, stop))
    assert time.monotonic() - started_s < 5
