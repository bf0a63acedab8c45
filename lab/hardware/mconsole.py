"""UML's management console: requests and answers on a Unix datagram socket.

For: hot-plug, freeze and power button of a User Mode Linux machine. Source of the format: the kernel's
arch/um/drivers/mconsole.h (magic, version, length, 512 bytes of text; answers in pieces with a `more` flag).
Guarantees: every request has a deadline; an error answer is raised, never returned. Does not: send a request twice.
UML sometimes misses that a request has arrived (it is told by a signal). Another request makes it look again, so one
that asks for nothing follows while there is no answer.
"""

import contextlib
import itertools
import os
import socket
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path

from lab.hardware.machine import HardwareRefused, MachineEnded, MachineTimeout

MAGIC = 0xCAFEBABE
VERSION = 2
MAX_TEXT = 512
ANSWER = struct.Struct("=iII")  # error, more, length
NUDGE_S = 1.0
_counter = itertools.count()


def encode_request(command: str) -> bytes:
    """The datagram for `command`. Raises ValueError when it does not fit."""
    text = command.encode()
    if len(text) >= MAX_TEXT:
        raise ValueError(f"management console: command of {len(text)} bytes, at most {MAX_TEXT - 1} fit: {command}")
    return struct.pack("=III", MAGIC, VERSION, len(text)) + text.ljust(MAX_TEXT, b"\0")


def decode_answer(datagram: bytes) -> tuple[bool, bool, str]:
    """(failed, more follows, text) of one answer datagram. Raises ValueError on anything else."""
    if len(datagram) < ANSWER.size:
        raise ValueError(f"management console: answer of {len(datagram)} bytes is too short")
    error, more, length = ANSWER.unpack_from(datagram)
    text = datagram[ANSWER.size : ANSWER.size + length]
    return error != 0, more != 0, text.rstrip(b"\0").decode(errors="replace")


class ManagementConsole:
    """Talks to one machine. `own_directory` is where the answering socket is made (short path: 108 bytes at most)."""

    def __init__(self, machine: str, path: Path, own_directory: Path, console_tail: Callable[[], str]) -> None:
        self._machine = machine
        self._path = path
        self._own = own_directory
        self._console_tail = console_tail
        self._lock = threading.Lock()

    def request(self, command: str, timeout_s: float = 5.0) -> str:
        """The answer's text. Raises HardwareRefused, MachineTimeout, MachineEnded."""
        own = self._own / f"m{next(_counter)}"
        with self._lock, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection:
            try:
                connection.bind(str(own))
                connection.sendto(encode_request(command), str(self._path))
                failed, text = self._receive(connection, timeout_s)
            except TimeoutError:
                raise MachineTimeout(
                    f"machine {self._machine}: no answer to '{command}' within {timeout_s} s; "
                    f"console says: {self._console_tail()}"
                ) from None
            except OSError as error:
                raise MachineEnded(
                    f"machine {self._machine}: cannot send '{command}' ({error.strerror}): it is off, or not yet on"
                ) from None
            finally:
                if own.exists():
                    os.unlink(own)
        if failed:
            raise HardwareRefused(f"machine {self._machine}: it refused '{command}': {text.strip()}")
        return text

    def _receive(self, connection: socket.socket, timeout_s: float) -> tuple[bool, str]:
        ends_s = time.monotonic() + timeout_s
        failed, more, text = False, True, ""
        while more:
            left_s = ends_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            connection.settimeout(min(left_s, NUDGE_S))
            try:
                also_failed, more, piece = decode_answer(connection.recv(65536))
            except TimeoutError:
                self._nudge()
                continue
            failed, text = failed or also_failed, text + piece
        return failed, text

    def _nudge(self) -> None:
        """Ask for the version, and do not wait for the answer."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as connection, contextlib.suppress(OSError):
            connection.settimeout(0.0)
            connection.sendto(encode_request("version"), str(self._path))
