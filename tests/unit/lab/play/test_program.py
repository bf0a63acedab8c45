"""How an application with machines starts and ends: nothing is built in vain, and every end has its exit code."""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lab import demo
from lab.base.errors import LabError, LabPreconditionError, LabTimeout
from lab.play import program

MISSING = LabPreconditionError("User Mode Linux is missing: apt-get install user-mode-linux")


def fail(error: BaseException) -> Any:
    def raising(*_: object, **__: object) -> None:
        raise error

    return raising


@pytest.fixture(autouse=True)
def _inside_with_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Inside the namespace, with a kernel and images; the handler of SIGTERM is given back."""
    monkeypatch.setattr(program.namespace, "inside", lambda: True)
    monkeypatch.setattr(program, "CACHE", tmp_path)
    monkeypatch.setattr(program, "probe_kernel", lambda _cache: "kernel")
    monkeypatch.setattr(program, "build_images", lambda _store: "images")
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_the_exit_code_is_that_of_the_play() -> None:
    assert program.run("demo", ["lab.demo"], lambda *got: 7 if got == ("kernel", "images") else 1) == 7


@pytest.mark.parametrize(
    ("error", "code"), [(LabError("no way"), 1), (LabPreconditionError("no way"), 4), (LabTimeout("no way"), 5)]
)
def test_an_error_of_the_lab_is_one_line_and_its_exit_code(
    error: LabError, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.run("chaos", ["lab.chaos"], fail(error)) == code
    assert capsys.readouterr().err == "chaos: no way\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_in_130(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    def play(_kernel: object, _images: object) -> int:
        os.kill(os.getpid(), number)
        return 0

    assert program.run("demo", ["lab.demo"], play) == 130
    assert capsys.readouterr().err == "demo: stopped by Ctrl-C or SIGTERM; every machine has been ended\n"


def test_a_defect_keeps_its_trace() -> None:
    with pytest.raises(ZeroDivisionError):
        program.run("demo", ["lab.demo"], lambda *_: 1 // 0)


def test_without_namespaces_nothing_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program.namespace, "inside", lambda: False)
    monkeypatch.setattr(program.namespace, "check", fail(LabPreconditionError("no user namespaces here")))
    monkeypatch.setattr(program, "prepare", lambda *_: pytest.fail("built images for a lab that cannot start"))
    assert demo.main() == 4
    assert capsys.readouterr().err == "demo: no user namespaces here\n"


def test_without_a_kernel_that_boots_nothing_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(program, "probe_kernel", fail(MISSING))
    monkeypatch.setattr(program, "build_images", lambda *_: pytest.fail("images are built all the same"))
    assert demo.main() == 4
    assert capsys.readouterr().err == f"demo: {MISSING}\n"
