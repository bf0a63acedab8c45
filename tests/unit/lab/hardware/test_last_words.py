"""What an error about a machine says of its console: the last lines, or those around a kernel panic."""

import socket
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.hardware.errors import MachineEnded, MachineTimeout
from lab.hardware.kernel_messages import telling
from lab.hardware.machine import MachineSpec
from lab.hardware.mconsole import ManagementConsole
from lab.hardware.uml import UmlMachine

BOOT = [f"[{number:9.6f}] boot message {number}" for number in range(1000)]
PANICKED = [
    *BOOT,
    "[   12.100000] EXT4-fs error (device ubda): unable to read inode block",
    "[   12.200000] VFS: Unable to mount root fs",
    "[   12.300000] Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(98,0)",
    *(f"[   12.4] Call Trace {number}" for number in range(30)),
]


class Console:
    """A root shell that answers as told, and no machine behind it."""

    def __init__(self, answer: tuple[int, bytes] | None, *, ready: bool) -> None:
        self.answer = answer
        self.ready = SimpleNamespace(wait=lambda _seconds: ready)

    def run(self, _command: str, **_limits: float) -> tuple[int, bytes] | None:
        return self.answer


def machine(
    tmp_path: Path, lines: list[str], *, answer: tuple[int, bytes] | None = None, ready: bool = True,
    exit_code: int | None = None,
) -> UmlMachine:  # fmt: skip
    made: Any = UmlMachine.__new__(UmlMachine)
    made.spec = MachineSpec(name="i-1", image=tmp_path / "image")
    made.console_path = tmp_path / "console.log"
    made.console_path.write_text("\n".join(lines) + "\n")
    made.started = 0.0
    made._process = SimpleNamespace(poll=lambda: exit_code)
    made._shell = Console(answer, ready=ready)
    found: UmlMachine = made
    return found


@pytest.fixture(autouse=True)
def no_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A minute passes with every look."""
    minutes = iter(range(0, 60_000, 60))
    monkeypatch.setattr("lab.hardware.uml.time", SimpleNamespace(monotonic=lambda: float(next(minutes))))


def test_without_a_panic_the_last_lines_tell() -> None:
    assert telling("a\nb\n\n  c  \nd\n", 3) == "b | c | d"
    assert telling("a\nb\n", 3) == "a | b"
    assert telling("", 3) == ""


def test_of_a_panic_the_lines_before_it_tell_not_the_trace_after() -> None:
    assert telling("\n".join(PANICKED), 5) == " | ".join(PANICKED[1000:1005])
    assert telling("Kernel panic - at once\ntrace\n", 5) == "Kernel panic - at once | trace"


def test_of_two_panics_the_first_is_the_cause() -> None:
    text = "cause\nKernel panic - first\ntrace\ntrace\ntrace\ntrace\nKernel panic - second\n"
    assert telling(text, 3) == "cause | Kernel panic - first | trace"


def test_a_boot_that_takes_too_long_says_how_far_it_came(tmp_path: Path) -> None:
    with pytest.raises(MachineTimeout) as caught:
        machine(tmp_path, BOOT, ready=False).wait_until_reachable(30.0)
    assert str(caught.value) == f"machine i-1: no root shell within 30 s; console says: {' | '.join(BOOT[-5:])}"


def test_a_command_without_an_answer_says_what_the_kernel_said(tmp_path: Path) -> None:
    with pytest.raises(MachineTimeout) as caught:
        machine(tmp_path, [*BOOT, "INFO: task sh blocked for more than 120 seconds"]).exec("sync", 300.0)
    assert str(caught.value).startswith("machine i-1: 'sync' did not end within")
    assert str(caught.value).endswith("it wrote nothing; console says: " + " | ".join(
        [*BOOT[-4:], "INFO: task sh blocked for more than 120 seconds"]))  # fmt: skip


def test_a_command_that_was_stopped_says_what_it_wrote_too(tmp_path: Path) -> None:
    with pytest.raises(MachineTimeout, match=r"it wrote: halfway; console says: .*boot message 999$"):
        machine(tmp_path, BOOT, answer=(124, b"halfway\n")).exec("sync", 1.0)


@pytest.mark.parametrize("ready", [False, True])
def test_a_machine_that_panicked_says_why(tmp_path: Path, *, ready: bool) -> None:
    ended = machine(tmp_path, PANICKED, ready=ready, exit_code=-6)
    with pytest.raises(MachineEnded) as caught:
        ended.exec("true", 30.0)
    when = "during 'true'" if ready else "while booting"
    assert str(caught.value) == (
        f"machine i-1: ended {when} (exit code -6); console says: {' | '.join(PANICKED[1000:1005])}"
    )


def test_a_frozen_machine_s_hardware_says_what_the_console_said_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Deaf:
        """A socket on which nobody answers."""

        def __enter__(self) -> "Deaf":
            return self

        def __exit__(self, *_error: object) -> None: ...

        def __getattr__(self, _name: str) -> Any:
            return lambda *_arguments: None

        def recv(self, _size: int) -> bytes:
            raise TimeoutError

    monkeypatch.setattr(socket, "socket", lambda *_kind: Deaf())
    hardware = ManagementConsole("i-1", tmp_path / "mconsole", tmp_path, lambda: "the last line")
    with pytest.raises(MachineTimeout, match=r"^machine i-1: no answer to 'stop' within 5.0 s; console says: the last"):
        hardware.request("stop")
