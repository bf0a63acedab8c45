"""The fence's doors to the kernel: the service's control group, its mounts, the watchdog device and the reset."""

import ctypes
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bootstrap.fence import last_resort
from bootstrap.fence.cgroups import ServiceGroup
from bootstrap.fence.mounts import GuardedMounts
from bootstrap.fence.watchdog import WatchdogDevice


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


# ------------------------------------------------------------------ mounts
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


@pytest.mark.parametrize(
    ("text", "are_gone"),
    [(MOUNTINFO.partition("23 ")[0], False), (MOUNTINFO.partition("22 ")[0], True), ("nonsense\n", False), ("", False)],
    ids=["one of two is there", "none is there", "nonsense", "no file"],
)
def test_gone_is_what_mountinfo_says_and_nothing_else(
    tmp_path: Path, mounts: GuardedMounts, text: str, *, are_gone: bool
) -> None:
    (tmp_path / "mountinfo").write_text(text)
    if not text:
        (tmp_path / "mountinfo").unlink()
    assert mounts.are_gone() is are_gone


def test_other_places_can_be_asked_about(mounts: GuardedMounts) -> None:
    mounts.targets = ()
    assert mounts.are_gone()
    assert not mounts.are_gone(("/srv/data",))


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


# ------------------------------------------------------------------ the watchdog device, with a FIFO in its place
@pytest.fixture
def reader(tmp_path: Path) -> Iterator[int]:
    os.mkfifo(tmp_path / "watchdog")
    descriptor = os.open(tmp_path / "watchdog", os.O_RDONLY | os.O_NONBLOCK)
    yield descriptor
    os.close(descriptor)


def test_petted_and_let_go_with_the_magic_character(tmp_path: Path, reader: int) -> None:
    device = WatchdogDevice.open(tmp_path / "watchdog", 10)
    assert device is not None
    assert device.timeout_s == 0, "a pipe takes no time-out"
    device.pet()
    device.release()
    assert os.read(reader, 10) == b"\0V"


def test_no_device_is_an_answer(tmp_path: Path) -> None:
    assert WatchdogDevice.open(tmp_path / "nowhere", 10) is None


def test_device_that_fails_never_stops_the_caller(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "watchdog")
    reading = os.open(tmp_path / "watchdog", os.O_RDONLY | os.O_NONBLOCK)
    device = WatchdogDevice.open(tmp_path / "watchdog", 10)
    os.close(reading)
    assert device is not None
    device.pet()
    device.release()


# ------------------------------------------------------------------ the reset
@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What reboot(2) was asked for. Nothing is reset."""
    commands: list[int] = []
    library = SimpleNamespace(reboot=commands.append)
    monkeypatch.setattr(last_resort.ctypes, "CDLL", lambda *_, **__: library)
    return commands


def test_without_the_trigger_the_kernel_is_asked_to_restart(
    asked: list[int], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(last_resort, "SYSRQ_TRIGGER", tmp_path / "missing")
    last_resort.reset_machine(tmp_path / "missing")
    assert asked == [0x01234567]  # LINUX_REBOOT_CMD_RESTART of reboot(2)


def test_with_the_trigger_nothing_else_is_asked(asked: list[int], tmp_path: Path) -> None:
    trigger = tmp_path / "trigger"
    trigger.touch()
    last_resort.reset_machine(trigger)
    assert (trigger.read_bytes(), asked) == (b"b", [])


def test_a_stand_in_for_the_trigger_never_restarts_this_machine(asked: list[int], tmp_path: Path) -> None:
    last_resort.reset_machine(tmp_path / "missing")
    assert asked == []
