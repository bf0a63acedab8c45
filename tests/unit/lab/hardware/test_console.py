"""The consoles of a machine: their protocols, and what an error about the machine says of them."""

import base64
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lab.hardware import console
from lab.hardware.console import ConsoleShell, Message, decode_line, encode_command, telling
from lab.hardware.machine import MachineEnded, MachineTimeout
from lab.hardware.mconsole import MAGIC, decode_answer, encode_request
from lab.hardware.uml import UmlMachine


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"3 o aGk=", Message(3, "o", "aGk=")),
        (b"3 x 0\r", Message(3, "x", "0")),
        (b"0 h", Message(0, "h", "")),
        (b"7 a 1", Message(7, "a", "1")),
        (b"[    1.0] random kernel message", None),
        (b"3 z what", None),
        (b"", None),
        (b"\xff\xfe o x", None),
    ],
)
def test_only_lines_of_the_protocol_are_messages(line: bytes, expected: Message | None) -> None:
    assert decode_line(line) == expected


def test_a_long_command_goes_in_short_lines_that_join_to_the_whole() -> None:
    command = "echo " + "x" * 20_000
    *pieces, last = encode_command(9, command, 30)
    assert last == b"9 r 30\n"
    assert max(len(line) for line in pieces) < 4096
    assert base64.b64decode(b"".join(line.split()[2] for line in pieces)).decode() == command


class Guest:
    """Reads commands as the guest's script would; `answer` decides what to write for a run request."""

    def __init__(self) -> None:
        ours, self.socket = socket.socketpair()
        self.hellos = 0
        self.shell = ConsoleShell(ours.detach(), self._count)
        self.commands: dict[int, str] = {}
        self.silent = False
        self.deaf_until_poked = False
        threading.Thread(target=self._serve, daemon=True).start()

    def _count(self) -> None:
        self.hellos += 1

    def say(self, *lines: str) -> None:
        self.socket.sendall("".join(f"{line}\n" for line in lines).encode())

    def _serve(self) -> None:
        lines = self.socket.makefile("r")
        while line := lines.readline():
            if self.deaf_until_poked:  # sees this line only when the next one arrives
                self.deaf_until_poked = False
                overlooked = line
                assert not lines.readline().strip()
                line = overlooked
            if self.silent or not line.strip():
                continue
            number, kind, payload = line.split()
            if kind == "c":
                self.commands[int(number)] = self.commands.get(int(number), "") + payload
                self.say(f"{number} a 1")
                continue
            text = base64.b64decode(self.commands[int(number)]).decode()
            output = base64.b64encode(f"<{text}>".encode()).decode()
            self.say(f"{number} a 1", "kernel: noise", f"{number} o {output}", f"{number} x 5")


@pytest.fixture
def guest() -> Iterator[Guest]:
    made = Guest()
    yield made
    made.socket.shutdown(socket.SHUT_RDWR)
    made.shell.close()
    made.socket.close()


def test_a_command_is_answered_with_its_code_and_output_whatever_is_printed_between(guest: Guest) -> None:
    assert guest.shell.run("true", limit_s=1, wait_s=5.0) == (5, b"<true>")


def test_an_answer_to_a_caller_who_gave_up_is_dropped(guest: Guest) -> None:
    guest.say("99 o aGk=", "99 x 0")
    assert guest.shell.run("next", limit_s=1, wait_s=5.0) == (5, b"<next>")


def test_a_damaged_line_of_output_is_visible(guest: Guest) -> None:
    pending = console._Pending()
    guest.shell._pending[50] = pending
    guest.shell._receive(b"50 o a!b")
    assert b"damaged" in pending.output


def test_a_machine_that_reads_nothing_gives_no_answer(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "WRITE_LIMIT_S", 0.05)
    guest.silent = True
    assert guest.shell.run("true", limit_s=1, wait_s=0.05) is None


def test_a_guest_that_overlooked_its_input_is_poked(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(console, "POKE_S", 0.02)
    guest.deaf_until_poked = True
    assert guest.shell.run("true", limit_s=1, wait_s=5.0) == (5, b"<true>")


def test_the_end_of_the_machine_ends_every_wait(guest: Guest) -> None:
    guest.silent = True
    threading.Timer(0.05, lambda: guest.socket.shutdown(socket.SHUT_RDWR)).start()
    assert guest.shell.run("true", limit_s=60, wait_s=60.0) is None
    assert guest.shell.ended.is_set()


def test_every_hello_is_reported_because_the_second_means_a_reboot(guest: Guest) -> None:
    guest.say("0 h", "0 h")
    assert guest.shell.run("true", limit_s=1, wait_s=5.0) is not None  # read after both
    assert guest.hellos == 2
    assert guest.shell.ready.is_set()


# ------------------------------------------------------------------ the management console
def test_a_request_is_magic_version_length_and_512_bytes_of_text() -> None:
    datagram = encode_request("remove vec1")
    assert struct.unpack_from("=III", datagram) == (MAGIC, 2, 11)
    assert datagram[12:23] == b"remove vec1"
    assert len(datagram) == 12 + 512


def test_a_request_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="512 bytes, at most 511"):
        encode_request("x" * 512)


@pytest.mark.parametrize(
    ("error", "more", "text", "expected"),
    [
        (0, 0, b"OK\0", (False, False, "OK")),
        (0, 1, b"first", (False, True, "first")),
        (-1, 0, b"Device or resource busy", (True, False, "Device or resource busy")),
    ],
)
def test_an_answer_tells_failure_continuation_and_text(
    error: int, more: int, text: bytes, expected: tuple[bool, bool, str]
) -> None:
    assert decode_answer(struct.pack("=iII", error, more, len(text)) + text.ljust(512, b"\0")) == expected


def test_a_short_answer_is_refused() -> None:
    with pytest.raises(ValueError, match="too short"):
        decode_answer(b"1234")


# ------------------------------------------------------------------ last words
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
    made.name = "i-1"
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
