"""The service's control group, over a directory that looks like the kernel's."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from bootstrap.fence.cgroups import ServiceGroup


class Sent:
    def __init__(self, gone: frozenset[int] = frozenset()) -> None:
        self.signals: list[tuple[int, int]] = []
        self._gone = gone

    def __call__(self, pid: int, number: int) -> None:
        if pid in self._gone:
            raise ProcessLookupError(pid)
        self.signals.append((pid, number))


def group(root: Path, members: dict[str, list[int]], *, can_kill: bool = True) -> Path:
    """Control groups below `root`/soloist.slice with their processes, as cgroup v2 shows them."""
    (root / "cgroup.procs").write_text("1\n")
    path = root / "soloist.slice"
    for name, pids in members.items():
        directory = path / name
        directory.mkdir(parents=True)
        (directory / "cgroup.procs").write_text("".join(f"{pid}\n" for pid in pids))
    populated = int(any(members.values()))
    (path / "cgroup.events").write_text(f"populated {populated}\nfrozen 0\n")
    if can_kill:
        (path / "cgroup.kill").write_text("")
    return path


def test_members_of_all_groups_below_are_found(tmp_path: Path) -> None:
    path = group(tmp_path, {".": [], "a.service": [11, 12], "b.service/payload": [13]})
    assert sorted(ServiceGroup(path).members()) == [11, 12, 13]
    assert not ServiceGroup(path).is_empty()


def test_empty_is_what_the_kernel_says(tmp_path: Path) -> None:
    path = group(tmp_path, {"a.service": []})
    assert ServiceGroup(path).is_empty()
    (path / "cgroup.events").write_text("populated 1\nfrozen 0\n")
    assert not ServiceGroup(path).is_empty()


def test_group_that_systemd_removed_is_empty_only_below_a_real_hierarchy(tmp_path: Path) -> None:
    assert not ServiceGroup(tmp_path / "nowhere" / "soloist.slice").is_empty()
    (tmp_path / "cgroup.procs").write_text("1\n")
    assert ServiceGroup(tmp_path / "soloist.slice").is_empty()


def test_group_that_cannot_be_read_is_not_empty(tmp_path: Path) -> None:
    path = group(tmp_path, {"a.service": []})
    (path / "cgroup.events").unlink()
    assert not ServiceGroup(path).is_empty()
    (path / "cgroup.events").mkdir()
    assert not ServiceGroup(path).is_empty()


def test_terminate_reaches_every_member_that_is_left(tmp_path: Path) -> None:
    sent = Sent(gone=frozenset({12}))
    path = group(tmp_path, {"a.service": [11, 12], "b.service": [13]})
    assert ServiceGroup(path, sent).terminate() == 2
    assert sorted(sent.signals) == [(11, signal.SIGTERM), (13, signal.SIGTERM)]


def test_kill_uses_the_kernels_own_switch(tmp_path: Path) -> None:
    sent = Sent()
    path = group(tmp_path, {"a.service": [11]})
    ServiceGroup(path, sent).kill()
    assert (path / "cgroup.kill").read_text() == "1"
    assert sent.signals == []


@pytest.mark.parametrize("switch", ["missing", "failing"])
def test_kill_goes_one_by_one_where_the_switch_is_missing_or_fails(tmp_path: Path, switch: str) -> None:
    sent = Sent()
    path = group(tmp_path, {"a.service": [11, 12]}, can_kill=False)
    if switch == "failing":
        (path / "cgroup.kill").mkdir()
    ServiceGroup(path, sent).kill()
    assert sorted(sent.signals) == [(11, signal.SIGKILL), (12, signal.SIGKILL)]
    assert switch == "failing" or not (path / "cgroup.kill").exists(), "a switch was made that the kernel has not"


def test_kill_of_a_group_that_is_gone_does_nothing(tmp_path: Path) -> None:
    sent = Sent()
    ServiceGroup(tmp_path / "soloist.slice", sent).kill()
    assert sent.signals == []
