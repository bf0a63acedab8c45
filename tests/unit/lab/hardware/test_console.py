"""The console protocol, against a guest's end played by the test."""

import base64
import socket
import threading
from collections.abc import Iterator

import pytest

from lab.hardware import console
from lab.hardware.console import ConsoleShell, Message, decode_line, encode_command


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
