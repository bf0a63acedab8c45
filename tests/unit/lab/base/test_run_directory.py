"""The directory of a killed run is removed by the next one; nothing else ever is."""

import fcntl
from contextlib import suppress
from pathlib import Path

import pytest

from lab.base.run_directory import MARK, run_directory, sweep


def left_over(parent: Path, name: str = "soloist-dead") -> Path:
    """What a run that was killed leaves: its directory and mark, and nobody who holds the lock."""
    made = parent / name
    (made / "i-1").mkdir(parents=True)
    (made / "i-1" / "disk.cow").write_bytes(b"disk")
    (made / MARK).touch()
    return made


def test_the_next_run_removes_the_directory_of_a_killed_one(tmp_path: Path) -> None:
    dead = left_over(tmp_path)
    with run_directory(tmp_path) as made:
        assert list(tmp_path.iterdir()) == [made]
    assert not dead.exists()


def test_a_live_run_is_left_alone_by_every_other(tmp_path: Path) -> None:
    with run_directory(tmp_path) as first:
        (first / "disk.cow").write_bytes(b"disk")
        with run_directory(tmp_path) as second:
            assert {first, second} == set(tmp_path.iterdir())
            assert sweep(tmp_path) == []
        assert (first / "disk.cow").read_bytes() == b"disk"


def test_a_run_that_ends_leaves_nothing_also_when_it_fails(tmp_path: Path) -> None:
    with suppress(RuntimeError), run_directory(tmp_path) as made:
        (made / "disk.cow").write_bytes(b"disk")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_what_carries_no_mark_is_not_the_labs(tmp_path: Path) -> None:
    (tmp_path / "soloist-notes").mkdir()
    (tmp_path / "soloist-notes" / "mine.txt").touch()
    (tmp_path / "soloist-file").touch()
    left_over(tmp_path, "other-name")
    assert sweep(tmp_path) == []
    assert (tmp_path / "soloist-notes" / "mine.txt").exists()
    assert (tmp_path / "other-name" / MARK).exists()


def test_no_link_is_followed_neither_as_directory_nor_as_mark(tmp_path: Path) -> None:
    elsewhere = left_over(tmp_path / "elsewhere")
    (tmp_path / "soloist-link").symlink_to(elsewhere)
    (tmp_path / "soloist-marked-by-link").mkdir()
    (tmp_path / "soloist-marked-by-link" / MARK).symlink_to(elsewhere / MARK)
    assert sweep(tmp_path) == []
    assert (elsewhere / "i-1" / "disk.cow").exists()
    assert (tmp_path / "soloist-marked-by-link").exists()


def test_a_directory_of_somebody_else_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    dead = left_over(tmp_path)
    monkeypatch.setattr("os.geteuid", lambda: dead.stat().st_uid + 1)
    assert sweep(tmp_path) == []
    assert dead.exists()


def test_the_mark_is_locked_before_it_has_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else a sweep at that moment would remove the directory of a run that just begins."""
    lock, named = fcntl.flock, list[bool]()

    def flock(file: int, flags: int) -> None:
        named.append(any(tmp_path.glob(f"*/{MARK}")))
        lock(file, flags)

    monkeypatch.setattr("fcntl.flock", flock)
    with run_directory(tmp_path) as made:
        assert (made / MARK).exists()
    assert named == [False]
