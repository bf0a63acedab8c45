"""A file is replaced as a whole, and nothing else is left in its directory."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from bootstrap.base.files import replace_file


@pytest.mark.parametrize("is_synced", [False, True])
def test_the_content_is_replaced_and_nothing_else_is_left(tmp_path: Path, *, is_synced: bool) -> None:
    path = tmp_path / "state.json"
    for text in ("one\n", "", "Zoë\r\n"):
        replace_file(path, text, is_synced=is_synced)
        assert path.read_bytes() == text.encode()
        assert list(tmp_path.iterdir()) == [path]


def test_a_reader_keeps_the_file_it_has_opened(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    replace_file(path, "old")
    with path.open(encoding="utf-8") as reader:
        replace_file(path, "new")
        assert reader.read() == "old"
    assert path.read_text(encoding="utf-8") == "new"


def test_after_an_error_the_old_file_stays_and_no_other(tmp_path: Path) -> None:
    path = tmp_path / "state.json"
    replace_file(path, "old")
    with pytest.raises(UnicodeEncodeError):
        replace_file(path, "x" * 100_000 + "\ud800")
    assert path.read_text(encoding="utf-8") == "old"
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError, match="taken"):
        replace_file(tmp_path / "taken", "text")
    with pytest.raises(FileNotFoundError):
        replace_file(tmp_path / "missing" / "state.json", "text")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["state.json", "taken"]


def test_many_writers_leave_one_whole_text(tmp_path: Path) -> None:
    path, texts = tmp_path / "state.json", [letter * 50_000 for letter in "abcd"]
    seen: set[str] = set()
    writers = [
        threading.Thread(target=lambda text=text: [replace_file(path, text) for _ in range(20)])  # type: ignore[misc]
        for text in texts
    ]
    replace_file(path, texts[0])
    for writer in writers:
        writer.start()
    while any(writer.is_alive() for writer in writers):
        seen.add(path.read_text(encoding="utf-8"))
    assert seen <= set(texts)
    assert list(tmp_path.iterdir()) == [path]
