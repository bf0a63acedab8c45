"""The management console over a real socket: a machine that missed a request looks again when the next one comes."""

import socket
import struct
import threading
from pathlib import Path

import pytest

from lab.hardware import mconsole
from lab.hardware.machine import MachineTimeout
from lab.hardware.mconsole import ANSWER, ManagementConsole


class Machine:
    """Answers the first request only once it has seen `misses` more."""

    def __init__(self, path: Path, misses: int) -> None:
        self.seen: list[str] = []
        self._misses = misses
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(path))
        self._socket.settimeout(10.0)
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        origin = ""
        for _ in range(self._misses + 1):
            try:
                datagram, sender = self._socket.recvfrom(65536)
            except TimeoutError:
                return  # the test is over
            (length,) = struct.unpack_from("=I", datagram, 8)
            self.seen.append(datagram[12 : 12 + length].decode())
            origin = origin or sender
        self._socket.sendto(ANSWER.pack(0, 0, 3) + b"OK\0", origin)


def console(tmp_path: Path) -> ManagementConsole:
    return ManagementConsole("i-1", tmp_path / "mconsole", tmp_path, lambda: "the last line")


@pytest.mark.parametrize("misses", [0, 1, 3])
def test_a_missed_request_is_answered_and_never_sent_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, misses: int
) -> None:
    monkeypatch.setattr(mconsole, "NUDGE_S", 0.05)
    machine = Machine(tmp_path / "mconsole", misses)
    assert console(tmp_path).request("cad", 10.0) == "OK"
    assert machine.seen == ["cad", *["version"] * misses]


def test_one_that_never_answers_is_a_time_out_with_what_its_console_said_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mconsole, "NUDGE_S", 0.05)
    Machine(tmp_path / "mconsole", 10_000)
    silent = r"^machine i-1: no answer to 'cad' within 0.3 s; console says: the last line$"
    with pytest.raises(MachineTimeout, match=silent):
        console(tmp_path).request("cad", 0.3)
