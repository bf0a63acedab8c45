"""What a look at the data writes, and what it says of a file system that refuses."""

import errno
import os
from pathlib import Path

import pytest

from bootstrap.machine import data_child, probe_child

MARKER = '{"file_system": "fs-1", "service": "demo"}'


@pytest.fixture
def marked(tmp_path: Path) -> Path:
    (tmp_path / probe_child.MARKER).write_text(MARKER + "\n")
    return tmp_path


def test_both_children_mean_the_same_marker() -> None:
    assert probe_child.MARKER == data_child.MARKER
    assert probe_child.PROBE.startswith(data_child.OURS), "it is no data of the service"


@pytest.mark.parametrize(
    ("number", "cause"),
    [
        (errno.ESTALE, "stale"),
        (errno.EROFS, "read-only"),
        (errno.EACCES, "read-only"),
        (errno.EIO, ""),
        (errno.ENOSPC, ""),
    ],
)
def test_a_look_names_the_cause_of_what_fails(
    marked: Path, monkeypatch: pytest.MonkeyPatch, number: int, cause: str
) -> None:
    def refuse(path: Path, _text: str) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(probe_child, "_overwrite", refuse)
    said = probe_child.look(str(marked), "", "x")
    assert (said["cause"], os.strerror(number) in said["failed"]) == (cause, True)


def test_a_look_writes_only_beside_the_marker_that_is_expected(marked: Path) -> None:
    for expected, is_written in (("other", False), (MARKER, True)):
        said = probe_child.look(str(marked), expected, "x" * 32)
        assert said["found"] == MARKER
        assert (marked / probe_child.PROBE).exists() == is_written
    (marked / probe_child.MARKER).unlink()
    assert probe_child.look(str(marked), "", "y" * 32)["found"] == ""
    assert (marked / probe_child.PROBE).read_text() == "x" * 32
