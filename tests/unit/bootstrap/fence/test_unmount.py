"""How the fence unmounts: in a child, one at a time, never lazily, and only what it guards."""

from __future__ import annotations

import ctypes
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap.fence.mounts import GuardedMounts

MOUNTINFO = (
    "20 1 8:1 / / rw - ext4 /dev/root rw\n"
    "21 20 0:40 / /srv/lease rw - nfs4 x:/lease rw,hard\n"
    "22 20 0:41 / /srv/data rw - nfs4 x:/d rw,hard\n"
    "23 20 0:41 / /var/lib/demo rw - nfs4 x:/d/demo rw,hard\n"
)


class ChildEnded(BaseException):
    """os._exit, which nothing may catch."""


class Kernel:
    """fork, waitpid and umount2, written down. `is_child`: the fork returns in the child."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.is_child = self.is_full = False
        self.children: list[int] = []
        self.ended: set[int] = set()
        self.unmounted: list[tuple[bytes, int]] = []
        monkeypatch.setattr(os, "fork", self._fork)
        monkeypatch.setattr(os, "waitpid", self._waitpid)
        monkeypatch.setattr(os, "_exit", self._exit)
        library = SimpleNamespace(umount2=lambda *given: self.unmounted.append(given))
        monkeypatch.setattr(ctypes, "CDLL", lambda *_, **__: library)

    def _fork(self) -> int:
        if self.is_full:
            raise BlockingIOError("no more processes")
        if self.is_child:
            return 0
        self.children.append(100 + len(self.children))
        return self.children[-1]

    def _waitpid(self, child: int, options: int) -> tuple[int, int]:
        assert options == os.WNOHANG, "the fence never waits for what may hang"
        return (child, 0) if child in self.ended else (0, 0)

    def _exit(self, code: int) -> Any:
        raise ChildEnded(code)


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Kernel:
    return Kernel(monkeypatch)


@pytest.fixture
def mounts(tmp_path: Path, kernel: Kernel) -> GuardedMounts:
    (tmp_path / "mountinfo").write_text(MOUNTINFO)
    made = GuardedMounts(tmp_path / "mountinfo")
    made.targets = ("/srv/data", "/var/lib/demo")
    return made


def test_the_child_unmounts_what_is_guarded_latest_first_and_not_lazily(mounts: GuardedMounts, kernel: Kernel) -> None:
    kernel.is_child = True
    with pytest.raises(ChildEnded):
        mounts.unmount()
    assert kernel.unmounted == [(b"/var/lib/demo", 0), (b"/srv/data", 0)]


def test_the_fence_itself_touches_no_mounted_file_system(mounts: GuardedMounts, kernel: Kernel) -> None:
    mounts.unmount()
    assert kernel.children == [100]
    assert kernel.unmounted == []


def test_one_child_at_a_time_and_another_try_when_it_has_ended(mounts: GuardedMounts, kernel: Kernel) -> None:
    for _ in range(5):
        mounts.unmount()
    assert kernel.children == [100], "a child that hangs gets no company"
    kernel.ended.add(100)
    mounts.unmount()
    assert kernel.children == [100, 101]


@pytest.mark.parametrize("text", ["nonsense\n", None])
def test_what_cannot_be_read_or_forked_stops_nothing(
    mounts: GuardedMounts, kernel: Kernel, tmp_path: Path, text: str | None
) -> None:
    if text is None:
        kernel.is_full = True
    else:
        (tmp_path / "mountinfo").write_text(text)
    mounts.unmount()
    assert kernel.children == []
    kernel.is_full = False
    (tmp_path / "mountinfo").write_text(MOUNTINFO)
    mounts.unmount()
    assert kernel.children == [100]
