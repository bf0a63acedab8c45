"""What the fence believes about mounts."""

from __future__ import annotations

from pathlib import Path

import pytest

from bootstrap.fence.mounts import GuardedMounts

ROOT = "20 1 8:1 / / rw - ext4 /dev/root rw\n"
DATA = "21 20 0:40 / /srv/data rw - nfs4 x:/d rw,hard\n"


@pytest.mark.parametrize(
    ("text", "are_gone"), [(ROOT, True), (ROOT + DATA, False), ("nonsense\n", False), (None, False)]
)
def test_gone_is_what_mountinfo_says_and_nothing_else(tmp_path: Path, text: str | None, are_gone: bool) -> None:  # noqa: FBT001
    if text is not None:
        (tmp_path / "mountinfo").write_text(text)
    mounts = GuardedMounts(tmp_path / "mountinfo")
    mounts.targets = ("/srv/data", "/var/lib/demo")
    assert mounts.are_gone() is are_gone


def test_other_places_can_be_asked_about(tmp_path: Path) -> None:
    (tmp_path / "mountinfo").write_text(ROOT + DATA)
    mounts = GuardedMounts(tmp_path / "mountinfo")
    assert mounts.are_gone()
    assert not mounts.are_gone(("/srv/data",))
