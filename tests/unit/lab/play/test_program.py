"""How an application with machines starts and ends: nothing is built in vain, everything ends, with an exit code."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab import demo
from lab.base.errors import LabError, LabPreconditionError, LabTimeout
from lab.hardware.machine import MachineSpec, MachineTimeout
from lab.play import program
from lab.play.hypervisor import Hypervisor
from lab.play.lab import Lab

MISSING = LabPreconditionError("this is missing")


def fail(error: BaseException) -> Any:
    def raising(*_: object, **__: object) -> None:
        raise error

    return raising


@pytest.fixture(autouse=True)
def _inside_with_images(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Inside the namespace, with a kernel and images; the handlers are given back. The background jobs of a shell
    ignore SIGINT, and so would what they start."""
    monkeypatch.setattr(program.namespace, "inside", lambda: True)
    monkeypatch.setattr(program, "CACHE", tmp_path)
    monkeypatch.setattr(program, "probe_kernel", lambda _cache: "kernel")
    monkeypatch.setattr(program, "build_images", lambda _store, _service: "images")
    terminate, interrupt = signal.getsignal(signal.SIGTERM), signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGTERM, terminate)
    signal.signal(signal.SIGINT, interrupt)


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


@pytest.mark.parametrize(("number", "said"), [(signal.SIGINT, "Ctrl-C"), (signal.SIGTERM, "SIGTERM")])
def test_ctrl_c_and_sigterm_end_in_130(number: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    def play(_kernel: object, _images: object) -> int:
        os.kill(os.getpid(), number)
        return 0

    assert program.run("demo", ["lab.demo"], play) == 130
    assert capsys.readouterr().err == f"demo: stopped by {said}; every machine has been ended\n"


def test_a_defect_keeps_its_trace() -> None:
    with pytest.raises(ZeroDivisionError):
        program.run("demo", ["lab.demo"], lambda *_: 1 // 0)


@pytest.mark.parametrize("missing", ["namespaces", "kernel"])
def test_without_namespaces_or_a_kernel_that_boots_nothing_is_built(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], missing: str
) -> None:
    if missing == "namespaces":
        monkeypatch.setattr(program.namespace, "inside", lambda: False)
        monkeypatch.setattr(program.namespace, "check", fail(MISSING))
    else:
        monkeypatch.setattr(program, "probe_kernel", fail(MISSING))
    monkeypatch.setattr(program, "build_images", lambda *_: pytest.fail("built images for a lab that cannot start"))
    assert demo.main() == 4
    assert capsys.readouterr().err == f"demo: {MISSING}\n"


# ------------------------------------------------------------------ the end of a lab
def stubborn() -> None:
    raise MachineTimeout("machine client: process 7 does not end")


def world_of(*closers: Any) -> Lab:
    made: Any = Lab.__new__(Lab)
    made._closing, made._ending = threading.Event(), ExitStack()
    for closer in closers:
        made._ending.callback(closer)
    found: Lab = made
    return found


def test_a_part_that_does_not_end_keeps_no_other_from_ending() -> None:
    ended: list[str] = []
    world = world_of(lambda: ended.append("machines"), lambda: ended.append("server"), stubborn,
                     lambda: ended.append("client"))  # fmt: skip
    with pytest.raises(LabError, match="process 7 does not end"):
        world.close()
    assert ended == ["client", "server", "machines"], "in reverse order of their start"
    world.close()
    assert len(ended) == 3, "safe to repeat"


def test_what_a_start_that_fails_had_started_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    ended: list[str] = []
    world = world_of(lambda: ended.append("machines"))
    monkeypatch.setattr(Lab, "_start", fail(KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt), world:
        pytest.fail("entered")
    assert ended == ["machines"]


def test_a_machine_that_does_not_end_keeps_no_other_from_ending() -> None:
    ended: list[str] = []
    subnets, builder = SimpleNamespace(), SimpleNamespace()
    hypervisor: Any = Hypervisor(builder, subnets, {"ami": Path("image")}, (), ended.append)  # type: ignore[arg-type]
    machines = {"i-1": lambda: ended.append("i-1"), "i-2": stubborn, "i-3": lambda: ended.append("i-3")}
    hypervisor._machines = {name: SimpleNamespace(kill=kill) for name, kill in machines.items()}
    hypervisor._starting = dict.fromkeys(machines)
    with pytest.raises(LabError, match="process 7"):
        hypervisor.end_all()
    assert sorted(ended) == ["i-1", "i-3"]


@pytest.mark.parametrize(("ahead_s", "said"), [(0.0, ()), (-3600.0, ("systemd.clock_usec=6400000000",))])
def test_a_machine_boots_with_the_clock_that_is_asked_for(ahead_s: float, said: tuple[str, ...]) -> None:
    started: list[MachineSpec] = []
    builder = SimpleNamespace(power_on=started.append)
    hypervisor: Any = Hypervisor(
        builder,  # type: ignore[arg-type]
        lambda _subnet: "10.0.0.1/24",
        {"ami": Path("image")},
        ("told",),
        pytest.fail,
        clock=lambda: 10_000.0,
    )
    hypervisor.clock_ahead_s = ahead_s
    primary = SimpleNamespace(subnet_id="subnet-1", mac="02:00:00:00:00:0a", address="10.0.0.4")
    hypervisor._start(SimpleNamespace(instance_id="i-1", image_id="ami", primary=primary))
    assert [spec.kernel_arguments for spec in started] == [("told", *said)]


@pytest.mark.parametrize(("is_running", "said"), [(True, ["no answer"]), (False, [])])
def test_only_a_machine_that_still_runs_is_news_when_its_hardware_does_not_answer(
    said: list[str], *, is_running: bool
) -> None:
    """The console of a machine that was killed on purpose stood below a green run."""
    news: list[str] = []
    hypervisor: Any = Hypervisor(None, None, {}, (), news.append)  # type: ignore[arg-type]
    runs = iter([True, is_running])
    hypervisor._machines = {
        "i-1": SimpleNamespace(is_running=lambda: next(runs), press_power_button=fail(LabError("no answer")))
    }
    hypervisor.press_power_button("i-1")
    assert news == said


@pytest.mark.parametrize(("is_cut", "said"), [(False, ["the machine of i-1 did not start: no disk"]), (True, [])])
def test_a_machine_that_was_cut_off_while_it_started_is_no_news(said: list[str], *, is_cut: bool) -> None:
    news: list[str] = []
    hypervisor: Any = Hypervisor(None, fail(LabError("no disk")), {"ami": Path("image")}, (), news.append)  # type: ignore[arg-type]
    if is_cut:
        hypervisor.power_off("i-1")
    order = SimpleNamespace(instance_id="i-1", image_id="ami", primary=SimpleNamespace(subnet_id="subnet-1"))
    hypervisor._start(order)
    assert news == said
