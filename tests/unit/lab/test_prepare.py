"""What stops a run before anything is built: one clear line each, with the remedy."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from lab import prepare


@pytest.mark.parametrize(
    ("check", "arguments", "sentence"),
    [
        (prepare.check_python, ((3, 9),), r"Python 3\.9 is too old, 3\.11 or newer is needed: install it"),
        (
            prepare.check_machine,
            ("Linux", "aarch64"),
            r"User Mode Linux, which runs on Linux on x86-64, not on .*aarch64",
        ),
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


def test_packages_without_root_or_sudo_give_the_line_to_type(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "_root_prefix", lambda: None)
    monkeypatch.setattr(prepare.shutil, "which", lambda name: f"/usr/bin/{name}")
    missing = [("user-mode-linux", "the machines of the lab")]
    with pytest.raises(prepare.Refused, match=r"type: sudo apt-get install .* user-mode-linux$"):
        prepare.install_packages(missing)


def test_missing_machine_kernel_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prepare, "_is_there", lambda proof: proof != "/usr/bin/linux.uml")
    assert prepare.missing_packages() == [("user-mode-linux", "the machines of the lab")]
