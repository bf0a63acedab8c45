"""The builders' lock."""

from pathlib import Path

import pytest

from lab.base.errors import LabTimeout
from lab.image.locking import exclusive


def test_a_second_builder_waits_says_so_and_gives_up_at_its_limit(tmp_path: Path) -> None:
    said: list[str] = []
    with exclusive(tmp_path / "lock", 1.0, said.append):
        assert said == []
        with (
            pytest.raises(LabTimeout, match="another build has held this lock"),
            exclusive(tmp_path / "lock", -1.0, said.append),
        ):
            pytest.fail("two builders at once")


def test_the_lock_is_free_after_its_holder(tmp_path: Path) -> None:
    for _ in range(2):
        with exclusive(tmp_path / "lock", 0.0, lambda sentence: pytest.fail(sentence)):
            continue
