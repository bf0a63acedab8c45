"""The lease directory's child: published whole and never over another, and only what is read back counts."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from bootstrap.lease import child as lease_files

ONE, TWO = "generation-000001", "generation-000002"


def test_look_gives_the_newest_by_number_and_ignores_everything_else(tmp_path: Path) -> None:
    for name in ("generation-000009", "generation-000010", "generation-1", ".new-generation-000011.1.a", "notes"):
        (tmp_path / name).write_text(name)
    answer = lease_files.look(str(tmp_path))
    assert answer["text"] == "generation-000010"
    assert set(answer["names"]) >= {"generation-000009", "generation-000010"}
    assert lease_files.look(str(_empty(tmp_path)))["text"] == ""


def _empty(path: Path) -> Path:
    made = path / "empty"
    made.mkdir()
    return made


def test_published_once_and_never_over_another(tmp_path: Path) -> None:
    assert lease_files.publish(str(tmp_path), ONE, "mine") == {"text": "mine", "error": ""}
    second = lease_files.publish(str(tmp_path), ONE, "another's")
    assert second["text"] == "mine"
    assert "File exists" in second["error"]
    assert sorted(os.listdir(tmp_path)) == [ONE], "no temporary file is left"


@pytest.mark.parametrize("is_done", [True, False], ids=["done", "not-done"])
def test_error_of_link_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_done: bool) -> None:  # noqa: FBT001
    real = os.link

    def replayed(source: Path, target: Path) -> None:
        if is_done:
            real(source, target)
        raise FileExistsError("a replay of our own request")

    monkeypatch.setattr(os, "link", replayed)
    answer = lease_files.publish(str(tmp_path), ONE, "mine")
    assert answer["text"] == ("mine" if is_done else "")


def test_rewritten_as_a_whole_but_never_created(tmp_path: Path) -> None:
    assert lease_files.rewrite(str(tmp_path), ONE, "new") == {"text": "", "error": f"{tmp_path / ONE} is gone"}
    assert os.listdir(tmp_path) == []
    (tmp_path / ONE).write_text("old, and longer than the new one")
    assert lease_files.rewrite(str(tmp_path), ONE, "new") == {"text": "new", "error": ""}
    assert os.listdir(tmp_path) == [ONE]


def test_rename_that_fails_shows_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ONE).write_text("old")

    def fails(self: Path, target: Path) -> Path:
        raise OSError(116, "Stale file handle")

    monkeypatch.setattr(Path, "rename", fails)
    answer = lease_files.rewrite(str(tmp_path), ONE, "new")
    assert (answer["text"], "Stale" in answer["error"]) == ("old", True)
    assert os.listdir(tmp_path) == [ONE]


def test_prune_takes_what_it_is_told_and_their_temporary_files(tmp_path: Path) -> None:
    for name in (ONE, TWO, f".new-{ONE}.12.abc", f".new-{TWO}.12.abc", "notes"):
        (tmp_path / name).write_text("")
    assert lease_files.prune(str(tmp_path), [ONE, "generation-000099"]) == {"deleted": 2}
    assert sorted(os.listdir(tmp_path)) == [f".new-{TWO}.12.abc", TWO, "notes"]


def test_served_line_by_line_with_the_numbers_of_the_questions(tmp_path: Path) -> None:
    root = str(tmp_path)
    questions = [
        {"number": 1, "verb": "publish", "root": root, "name": ONE, "text": "mine"},
        {"number": 2, "verb": "look", "root": root},
        {"number": 3, "verb": "look", "root": root + "/nowhere"},
    ]
    answers = io.StringIO()
    lease_files.serve(io.StringIO("".join(json.dumps(each) + "\n" for each in questions)), answers)
    one, two, three = (json.loads(line) for line in answers.getvalue().splitlines())
    assert one == {"number": 1, "text": "mine", "error": ""}
    assert two == {"number": 2, "names": [ONE], "text": "mine"}
    assert three["number"] == 3
    assert "No such file" in three["failed"]
