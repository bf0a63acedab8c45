"""A report's directory belongs to one run at a time, and never holds parts of two runs."""

from pathlib import Path

import pytest

from lab.base.errors import LabPreconditionError
from lab.base.output import locked, output


def play(out: Path, text: str, *, is_interrupted: bool = False) -> None:
    with output(out) as unfinished:
        for name in ("calls.jsonl", "report.json"):
            (unfinished / name).write_text(text)
            if is_interrupted:
                raise KeyboardInterrupt


def test_the_files_of_a_run_take_the_place_of_the_former_ones_together(tmp_path: Path) -> None:
    play(tmp_path, "first")
    with pytest.raises(KeyboardInterrupt):
        play(tmp_path, "second", is_interrupted=True)
    assert {(tmp_path / name).read_text() for name in ("calls.jsonl", "report.json")} == {"first"}
    assert (tmp_path / "unfinished" / "calls.jsonl").read_text() == "second", "for whoever looks for the reason"
    play(tmp_path, "third")
    assert {file.read_text() for file in tmp_path.iterdir() if file.name != ".lock"} == {"third"}


def test_a_second_run_in_the_same_directory_is_refused_until_the_first_has_ended(tmp_path: Path) -> None:
    with locked(tmp_path):
        with pytest.raises(LabPreconditionError, match=r"another run of this checkout .* wait for its end") as error:
            play(tmp_path, "second")
        assert (error.value.exit_code, list(tmp_path.iterdir())) == (4, [tmp_path / ".lock"])
    play(tmp_path, "third")
