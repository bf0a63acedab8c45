"""What machines need of the host: a kernel that boots, memory, processes, a namespace."""

import os
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from lab.base.errors import LabPreconditionError
from lab.hardware import namespace, probe
from lab.hardware.host import Room, choose_directory, parse_stat, session_members
from lab.hardware.probe import Installed, installed_kernels

BOOTS = f"Kernel panic - not syncing: {probe.RAN}"
FAILS = "userspace - ptrace set fp regs failed, errno = 14"


class FakeProbe:
    """Installed kernels and what each prints without and with the shim; keeps the attempts made."""

    def __init__(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, **prints: tuple[str, str]) -> None:
        """`prints`: by version, newest first."""
        self.cache = tmp_path / "cache"
        self.prints = prints
        self.attempts: list[tuple[str, bool]] = []
        self._installed = tuple(self._install(tmp_path / version, version) for version in prints)
        monkeypatch.setattr(probe, "installed_kernels", lambda: self._installed)
        monkeypatch.setattr(probe, "attempt", self._attempt)
        monkeypatch.setattr(probe, "compile_shim", lambda target: target.write_bytes(b"shim"))

    def choose(self) -> tuple[str, bool]:
        """Version of the chosen kernel, and whether it gets the shim."""
        kernel = probe.probe_kernel(self.cache)
        environment = kernel.environment(Path("/dev/shm"))
        assert environment.get("LD_PRELOAD") == (str(kernel.preload) if kernel.preload else None)
        return kernel.path.name, kernel.preload is not None

    def _install(self, path: Path, version: str) -> Installed:
        path.write_text(version)
        return Installed(path, version)

    def _attempt(self, candidate: probe.Kernel) -> str:
        self.attempts.append((candidate.path.name, candidate.preload is not None))
        plain, padded = self.prints[candidate.path.name]
        return padded if candidate.preload else plain


Probing = Callable[..., FakeProbe]


@pytest.fixture
def probing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Probing:
    return partial(FakeProbe, tmp_path, monkeypatch)


def test_a_kernel_that_boots_only_with_the_shim_gets_it_and_is_not_probed_again(probing: Probing) -> None:
    fake = probing(v6=(FAILS, BOOTS))
    assert fake.choose() == fake.choose() == ("v6", True)
    assert fake.attempts == [("v6", False), ("v6", True)]


def test_the_newest_that_boots_is_taken_plainly_where_it_can_and_an_older_one_only_where_it_does_not(
    probing: Probing,
) -> None:
    fake = probing(v7=(BOOTS, BOOTS), v6=(FAILS, BOOTS))
    assert fake.choose() == ("v7", False)
    assert fake.attempts == [("v7", False)]
    assert probing(v9=(FAILS, FAILS), v8=(FAILS, BOOTS)).choose() == ("v8", True)


def test_a_newer_kernel_that_is_installed_later_is_taken(probing: Probing) -> None:
    assert probing(v6=(FAILS, BOOTS)).choose() == ("v6", True)
    assert probing(v7=(BOOTS, ""), v6=(FAILS, BOOTS)).choose() == ("v7", False)


def test_when_none_boots_each_one_s_reason_and_the_remedy_are_said(probing: Probing, tmp_path: Path) -> None:
    with pytest.raises(LabPreconditionError) as caught:
        probing(v7=("", "no ptrace failed"), v6=(FAILS, "")).choose()
    assert str(caught.value) == (
        f"{tmp_path}/v7 does not boot here, neither plain (it printed nothing) nor with the register shim "
        f"(no ptrace failed); {tmp_path}/v6 does not boot here, neither plain ({FAILS}) nor with the register shim "
        "(it printed nothing): install a newer user-mode-linux (7.x), or allow ptrace in this container"
    )


def installed(tmp_path: Path, **versions: str) -> str:
    """Kernels in directories of their own, which say what their files hold; returns the search path."""
    for directory, version in versions.items():
        (tmp_path / directory).mkdir()
        (tmp_path / directory / "linux.uml").write_text(version)
        (tmp_path / directory / "linux.uml").chmod(0o755)
    return os.pathsep.join(str(tmp_path / directory) for directory in versions)


def test_every_kernel_on_the_path_that_has_modules_is_found_newest_first(tmp_path: Path) -> None:
    path = installed(tmp_path, debian="6.9.176", local="6.10.2-um", bare="7.0", broken="")
    (tmp_path / "alias").symlink_to(tmp_path / "debian")
    for version in ("6.9.176", "6.10.2-um"):
        (tmp_path / "modules" / version).mkdir(parents=True)
    found = installed_kernels(f"{path}:{tmp_path}/alias::/nowhere", tmp_path / "modules", Path.read_text)
    assert found == (
        Installed(tmp_path / "local" / "linux.uml", "6.10.2-um"),
        Installed(tmp_path / "debian" / "linux.uml", "6.9.176"),
    )


def test_without_user_mode_linux_the_package_is_named(tmp_path: Path) -> None:
    with pytest.raises(LabPreconditionError, match="apt-get install user-mode-linux"):
        installed_kernels(str(tmp_path))


def test_a_kernel_without_modules_is_named_with_its_version(tmp_path: Path) -> None:
    with pytest.raises(LabPreconditionError, match=r"linux.uml is version 6.1 but .* no modules for it: reinstall"):
        installed_kernels(installed(tmp_path, debian="6.1"), tmp_path / "modules", Path.read_text)


# ------------------------------------------------------------------ memory and processes
SHM, RUN = Path("/dev/shm"), Path("/tmp/run")


@pytest.mark.parametrize(
    ("shm", "expected"),
    [
        (Room(usable=True, executable=True, free_mib=4096), SHM),
        (Room(usable=True, executable=True, free_mib=64), RUN),
        (Room(usable=True, executable=False, free_mib=4096), RUN),
        (Room(usable=False, executable=False, free_mib=0), RUN),
    ],
)
def test_memory_goes_where_it_fits_and_may_be_executed(shm: Room, expected: Path) -> None:
    rooms = {SHM: shm, RUN: Room(usable=True, executable=True, free_mib=9000)}
    assert choose_directory([SHM, RUN], 1024, rooms.__getitem__) == expected


def test_when_nothing_fits_every_reason_and_the_remedy_are_said() -> None:
    rooms = {
        SHM: Room(usable=True, executable=True, free_mib=64),
        RUN: Room(usable=True, executable=False, free_mib=9000),
    }
    with pytest.raises(LabPreconditionError) as caught:
        choose_directory([SHM, RUN], 1024, rooms.__getitem__)
    assert str(caught.value) == (
        "no place for 1024 MiB of machine memory: /dev/shm has 64 MiB free; /tmp/run is mounted noexec. "
        "Free some space or enlarge /dev/shm (mount -o remount,exec,size=1024M /dev/shm)"
    )


def test_a_command_with_brackets_and_spaces_does_not_confuse_the_session() -> None:
    assert parse_stat("10 (a) b (c) S 2 10 99 0 -1") == ("S", 2, 99)


def test_members_of_a_session_are_its_living_processes_only(tmp_path: Path) -> None:
    for stat in ("5 (x) S 1 5 5 0", "6 (y) t 5 5 5 0", "7 (z) Z 5 5 5 0", "8 (o) S 1 8 8 0"):
        (tmp_path / stat[0]).mkdir()
        (tmp_path / stat[0] / "stat").write_text(stat)
    (tmp_path / "9").mkdir()  # ended while being looked at
    (tmp_path / "self").mkdir()
    assert sorted(session_members(5, tmp_path)) == [5, 6]


def test_the_probe_is_repeated_when_kernel_processor_or_shim_change(tmp_path: Path) -> None:
    file = tmp_path / "kernel"
    file.write_bytes(b"1")
    os.utime(file, (1, 1))
    before = file.stat()
    keys = {
        probe.probe_key(file, before, "6.18", "fpu amx", b"shim"),
        probe.probe_key(file, before, "6.19", "fpu amx", b"shim"),
        probe.probe_key(tmp_path / "other", before, "6.18", "fpu amx", b"shim"),
        probe.probe_key(file, before, "6.18", "fpu", b"shim"),
        probe.probe_key(file, before, "6.18", "fpu amx", b"other"),
    }
    os.utime(file, (2, 2))
    keys.add(probe.probe_key(file, file.stat(), "6.18", "fpu amx", b"shim"))
    assert len(keys) == 6


# ------------------------------------------------------------------ the namespace
CLONE = "/proc/sys/kernel/unprivileged_userns_clone"
APPARMOR = "/proc/sys/kernel/apparmor_restrict_unprivileged_userns"
MAXIMUM = "/proc/sys/user/max_user_namespaces"
ALL_ALLOWED = {CLONE: "1", APPARMOR: "0", MAXIMUM: "31000"}


class Host:
    """A computer on which `unshare` ends as told; keeps what was run."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ran: list[list[str]] = []
        self.code, self.error, self.hangs = 0, "", False
        self.missing: set[str] = set()
        self.switches = dict(ALL_ALLOWED)
        monkeypatch.delenv(namespace.MARK, raising=False)
        monkeypatch.setattr("shutil.which", lambda tool: None if tool in self.missing else f"/usr/bin/{tool}")
        monkeypatch.setattr("subprocess.run", self._run)
        monkeypatch.setattr(namespace, "_sysctl", lambda path: self.switches.get(path, ""))

    def _run(self, argv: list[str], *, timeout: float, **_options: Any) -> subprocess.CompletedProcess[str]:
        assert timeout <= 10.0
        self.ran.append(list(argv))
        if self.hangs:
            raise subprocess.TimeoutExpired(argv, timeout)
        return subprocess.CompletedProcess(argv, self.code, "", self.error)


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def test_the_namespace_needs_no_root_and_takes_everything_along_when_it_ends(host: Host) -> None:
    namespace.check()
    ((tool, *options, program),) = host.ran
    assert (tool, program) == ("unshare", "true")
    assert {"--user", "--map-root-user"} <= set(options), "root inside, whoever started it"
    assert {"--net", "--pid", "--fork", "--kill-child", "--mount-proc"} <= set(options)
    assert namespace.TIED_TO_PARENT == ("setpriv", "--pdeathsig", "KILL")


@pytest.mark.parametrize("path", ["/usr/local/bin:/usr/bin:/bin", "/home/me/bin:/usr/sbin", ""])
def test_an_ordinary_users_path_gains_the_systems_programs_behind_its_own(path: str) -> None:
    """Debian's default of an ordinary user has no sbin, where nft and ip are."""
    found = namespace.search_path(path)
    assert found.startswith(path)
    assert {"/usr/sbin", "/sbin"} <= set(found.split(":"))
    assert all(found.split(":").count(each) == 1 for each in found.split(":")), found


@pytest.mark.parametrize(
    ("switch", "value", "remedy"),
    [
        (CLONE, "0", "allow them with `sysctl kernel.unprivileged_userns_clone=1` as root"),
        (APPARMOR, "1", "allow them with `sysctl kernel.apparmor_restrict_unprivileged_userns=0` as root"),
        (MAXIMUM, "0", "allow them with `sysctl user.max_user_namespaces=10000` as root"),
        (MAXIMUM, "31000", "in a container, start it with --privileged or a seccomp profile that allows unshare"),
    ],
)
def test_where_the_kernel_refuses_the_switch_to_turn_is_named(host: Host, switch: str, value: str, remedy: str) -> None:
    host.code, host.error = 1, "unshare: unshare failed: Operation not permitted\n"
    host.switches[switch] = value
    with pytest.raises(LabPreconditionError) as caught:
        namespace.check()
    assert str(caught.value) == (
        f"no user namespaces here (unshare: unshare failed: Operation not permitted): {remedy}"
    )
    assert caught.value.exit_code == 4


@pytest.mark.parametrize("tool", ["unshare", "setpriv"])
def test_a_missing_tool_is_named_with_its_package_and_nothing_is_run(host: Host, tool: str) -> None:
    host.missing = {tool}
    with pytest.raises(LabPreconditionError, match=f"^{tool} is missing: apt-get install util-linux$"):
        namespace.check()
    assert host.ran == []


def test_a_kernel_that_does_not_answer_is_not_waited_for(host: Host) -> None:
    host.hangs = True
    with pytest.raises(LabPreconditionError, match="did not end within 10"):
        namespace.check()


def test_the_command_says_it_in_one_line_and_starts_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    host.code, host.error = 1, "unshare: refused"
    monkeypatch.setattr("subprocess.Popen", lambda *_argv, **_options: pytest.fail("started without a namespace"))
    assert namespace.main(["--", "true"]) == 4
    assert capsys.readouterr().err.splitlines() == [
        "lab: no user namespaces here (unshare: refused): "
        "in a container, start it with --privileged or a seccomp profile that allows unshare"
    ]


def test_inside_none_is_made_again(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(namespace.MARK, "1")
    namespace.enter(["true"])
    assert host.ran == []
