"""The log of takeovers on the data: bounded, synced, and never confused by what was left half-written."""

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest

from bootstrap.machine import data_child
from bootstrap.machine.commands import OUTPUT_LIMIT_BYTES
from bootstrap.machine.data_child import LARGEST_LINE, LARGEST_LOG, TAKEOVERS, answer, ensure_marker


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / TAKEOVERS


def append(log: Path, line: str) -> dict[str, Any]:
    return answer({"verb": "append-takeover", "root": str(log.parent), "line": line})


def test_each_line_is_added_and_the_newest_are_told(log: Path) -> None:
    assert append(log, "one") == {"done": "one\n"}
    assert append(log, "two") == {"done": "one\ntwo\n"}
    assert log.read_text() == "one\ntwo\n"


def test_it_is_synced_before_it_is_told(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(data_child.os, "fsync", lambda _descriptor: synced.append(log.read_text()))
    append(log, "one")
    assert synced == ["one\n"]


def test_a_line_that_was_left_half_written_stays_alone(log: Path) -> None:
    log.write_text('one\n{"generation": 2, "wh')
    append(log, "three")
    assert log.read_text().splitlines() == ["one", '{"generation": 2, "wh', "three"]


def test_a_full_log_loses_its_older_half_at_a_line(log: Path) -> None:
    line = "x" * 999
    log.write_text(f"{line}\n" * (LARGEST_LOG // 1000))
    append(log, "y" * 999)
    lines = log.read_text().splitlines()
    assert log.stat().st_size <= LARGEST_LOG
    assert len(lines) == LARGEST_LOG // 2 // 1000 + 1
    assert {*lines[:-1]} == {line}
    assert lines[-1] == "y" * 999
    assert not list(log.parent.glob(".soloist-new-*"))


def test_killed_while_the_older_half_goes_nothing_is_lost(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Killed(BaseException):
        pass

    def kill(*_given: Any, **_more: Any) -> None:
        raise Killed

    log.write_text("one\n" * (LARGEST_LOG // 4))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", kill)
        with pytest.raises(Killed):
            append(log, "two")
    assert log.stat().st_size == LARGEST_LOG
    append(log, "two")
    assert log.read_text().endswith("one\ntwo\n")


def test_what_does_not_fit_on_a_full_file_system_leaves_no_piece(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append(log, "one")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(data_child.os, "fsync", full)
    assert "No space left" in append(log, "two")["failed"]
    assert log.read_text() == "one\n"


@pytest.mark.parametrize("line", ["x" * (LARGEST_LINE + 1), "one\ntwo"])
def test_what_is_no_line_is_refused(log: Path, line: str) -> None:
    assert "none of the log" in append(log, line)["refused"]
    assert not log.exists()


def test_what_somebody_put_in_its_place_is_not_followed_and_blocks_nobody(log: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("precious")
    log.symlink_to(elsewhere)
    assert "failed" in append(log, "one")
    assert elsewhere.read_text() == "precious"
    log.unlink()
    os.mkfifo(log)
    assert "is no file" in append(log, "one")["refused"]
    log.unlink()
    log.mkdir()
    assert "failed" in append(log, "one")


@pytest.mark.parametrize("hostile", [b'"' * 4000 + b"\n", b"\xff\x00" * 2000 + b"\n", b"\\" * 3_000_000])
def test_whatever_stands_in_it_the_answer_is_short_and_ends_with_the_new_line(log: Path, hostile: bytes) -> None:
    log.write_bytes(hostile * 20 if len(hostile) < 5000 else hostile)
    said = append(log, "new")
    assert said["done"].splitlines()[-1] == "new"
    assert len(json.dumps(said)) < OUTPUT_LIMIT_BYTES


def test_its_file_is_none_of_the_services_data(log: Path) -> None:
    """A file system with nothing but the log is still empty."""
    append(log, "one")
    assert ensure_marker(str(log.parent), "fs-1", "demo")


def test_the_look_at_the_marker_tells_the_space(log: Path) -> None:
    request = {"verb": "marker", "root": str(log.parent), "file_system": "fs-1", "service": "demo"}
    total, used = answer(request)["space"]
    seen = os.statvfs(log.parent)
    assert total == seen.f_blocks * seen.f_frsize
    assert 0 <= used <= total
