"""Which kernel the machines get: the newest that boots here, with the shim only where it must be."""

import os
from pathlib import Path

import pytest

from lab.base.errors import LabPreconditionError
from lab.hardware import probe
from lab.hardware.kernels import Installed, installed_kernels

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


def test_a_kernel_that_boots_plainly_gets_no_shim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FakeProbe(tmp_path, monkeypatch, v6=(BOOTS, BOOTS)).choose() == ("v6", False)


def test_a_kernel_that_boots_only_with_the_shim_gets_it_and_is_not_probed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeProbe(tmp_path, monkeypatch, v6=(FAILS, BOOTS))
    assert fake.choose() == fake.choose() == ("v6", True)
    assert fake.attempts == [("v6", False), ("v6", True)]


def test_the_newest_that_boots_is_taken_and_no_older_one_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeProbe(tmp_path, monkeypatch, v7=(BOOTS, BOOTS), v6=(FAILS, BOOTS))
    assert fake.choose() == ("v7", False)
    assert fake.attempts == [("v7", False)]


def test_where_the_newest_does_not_boot_an_older_one_does_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeProbe(tmp_path, monkeypatch, v7=(FAILS, FAILS), v6=(FAILS, BOOTS))
    assert fake.choose() == ("v6", True)


def test_a_newer_kernel_that_is_installed_later_is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert FakeProbe(tmp_path, monkeypatch, v6=(FAILS, BOOTS)).choose() == ("v6", True)
    assert FakeProbe(tmp_path, monkeypatch, v7=(BOOTS, ""), v6=(FAILS, BOOTS)).choose() == ("v7", False)


def test_when_none_boots_each_one_s_reason_and_the_remedy_are_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeProbe(tmp_path, monkeypatch, v7=("", "no ptrace failed"), v6=(FAILS, ""))
    with pytest.raises(LabPreconditionError) as caught:
        fake.choose()
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
