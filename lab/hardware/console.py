"""A machine's consoles: on the second one a root shell, many commands at once, each answered by exit code and output.

For: `lab.hardware.uml`. The guest's end is the script lab/image/layer/shell. Protocol, one short line per message:
  host:   ID c BASE64   piece of a command     ID r SECONDS  run it, at most so long
  guest:  ID a 1  line read, next please     ID o BASE64  piece of output     ID x CODE  exit code     0 h  shell is up
Guarantees: answers reach the caller they belong to, whatever else is printed in between; a command that hangs blocks
only its own caller; no more than one line is under way (User Mode Linux's console stops for good when its buffer
overflows); every wait has a deadline. Does not: interpret commands or keep output for callers who have given up.
Of the first console, `telling` picks the kernel's messages that say why it ended or hangs.
"""

import base64
import binascii
import os
import select
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

PIECE = 3000  # a terminal in line mode takes lines of up to 4096 bytes
HELLO_ID = 0
PANIC = "Kernel panic"
POKE_S = 0.5
WRITE_LIMIT_S = 10.0  # a frozen machine reads nothing


@dataclass(frozen=True)
class Message:
    """One line of the guest: which command it belongs to, its kind (a, o, x, h) and the payload."""

    id: int
    kind: str
    payload: str


def encode_command(command_id: int, command: str, limit_s: int) -> list[bytes]:
    """The lines that make the guest run `command` for at most `limit_s` seconds."""
    text = base64.b64encode(command.encode()).decode()
    pieces = [text[at : at + PIECE] for at in range(0, len(text), PIECE)]
    lines = [f"{command_id} c {piece}" for piece in pieces] + [f"{command_id} r {limit_s}"]
    return [line.encode() + b"\n" for line in lines]


def decode_line(line: bytes) -> Message | None:
    """The message in `line`; None when it is anything else (kernel messages, a stray echo)."""
    parts = line.decode(errors="replace").split()
    if len(parts) not in (2, 3) or not parts[0].isdigit() or parts[1] not in ("a", "o", "x", "h"):
        return None
    return Message(int(parts[0]), parts[1], parts[2] if len(parts) == 3 else "")


@dataclass
class _Pending:
    done: threading.Event = field(default_factory=threading.Event)
    line_read: threading.Event = field(default_factory=threading.Event)
    output: bytearray = field(default_factory=bytearray)
    exit_code: int | None = None


class ConsoleShell:
    """The host's end, on file descriptor `fd` (owned by this object). `on_hello` is called when a shell comes up."""

    def __init__(self, fd: int, on_hello: Callable[[], None]) -> None:
        os.set_blocking(fd, False)
        self._fd = fd
        self._on_hello = on_hello
        self._pending: dict[int, _Pending] = {}
        self._next_id = HELLO_ID + 1
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self.ready = threading.Event()
        self.ended = threading.Event()
        self._reader = threading.Thread(target=self._read, name="console", daemon=True)
        self._reader.start()

    def run(self, command: str, *, limit_s: int, wait_s: float) -> tuple[int, bytes] | None:
        """(exit code, output), or None when no answer came within `wait_s` or the machine ended meanwhile."""
        with self._lock:
            command_id = self._next_id
            self._next_id += 1
            pending = self._pending[command_id] = _Pending()
        try:
            deadline = time.monotonic() + min(WRITE_LIMIT_S, wait_s)
            with self._writing:
                for line in encode_command(command_id, command, limit_s):
                    if not self._send(pending, line, deadline):
                        return None
            pending.done.wait(wait_s)
            return None if pending.exit_code is None else (pending.exit_code, bytes(pending.output))
        finally:
            with self._lock:
                self._pending.pop(command_id, None)

    def close(self) -> None:
        """Wait for the reader to see the end of the machine's console, then give the descriptor back."""
        self._reader.join(timeout=5.0)
        with self._writing:
            if self._fd >= 0 and not self._reader.is_alive():
                os.close(self._fd)
                self._fd = -1

    def _send(self, pending: _Pending, line: bytes, deadline: float) -> bool:
        """Write a line and wait until the guest has read it.

        User Mode Linux can miss that input has arrived (seen after a freeze); an empty line makes it look again.
        """
        pending.line_read.clear()
        sent = self._write(line, deadline)
        while sent and not pending.line_read.wait(POKE_S) and not self.ended.is_set():
            sent = time.monotonic() < deadline and self._write(b"\n", deadline)
        return sent and not self.ended.is_set()

    def _write(self, line: bytes, deadline: float) -> bool:
        """False when the machine took not all of it before `deadline`, or is off."""
        view = memoryview(line)
        while view and not self.ended.is_set():
            left_s = deadline - time.monotonic()
            if left_s <= 0:
                return False
            if _wait(self._fd, select.POLLOUT, min(left_s, 0.5)):
                view = view[os.write(self._fd, view) :]
        return not view

    def _read(self) -> None:
        rest = b""
        while True:
            try:
                _wait(self._fd, select.POLLIN, 60.0)
                piece = os.read(self._fd, 65536)
            except BlockingIOError:
                continue
            except OSError:  # the machine's end of the terminal is closed: it is off
                break
            if not piece:
                break
            *lines, rest = (rest + piece).split(b"\n")
            rest = rest[-65536:]
            for line in lines:
                self._receive(line)
        self.ended.set()
        with self._lock:
            for pending in self._pending.values():
                pending.line_read.set()
                pending.done.set()

    def _receive(self, line: bytes) -> None:
        message = decode_line(line)
        if message is None:
            return
        if message.kind == "h":
            self.ready.set()
            self._on_hello()
            return
        with self._lock:
            pending = self._pending.get(message.id)
        if pending is None:
            return
        if message.kind == "a":
            pending.line_read.set()
            return
        if message.kind == "x":
            pending.exit_code = int(message.payload)
            pending.done.set()
            return
        try:
            pending.output += base64.b64decode(message.payload, validate=True)
        except binascii.Error:
            pending.output += b"\n[a line of output was damaged on the console]\n"


def _wait(fd: int, events: int, timeout_s: float) -> bool:
    """True when `fd` is ready for `events` within `timeout_s` (poll: descriptors above 1023 are fine)."""
    poller = select.poll()
    poller.register(fd, events)
    return any(seen & events for _, seen in poller.poll(timeout_s * 1000))


def telling(text: str, lines: int) -> str:
    """The last `lines` of `text`, joined by ' | '; after a panic, those around it: the cause comes before, the trace
    after."""
    seen = [line.strip() for line in text.splitlines() if line.strip()]
    panic = [number for number, line in enumerate(seen) if PANIC in line]
    first = max(0, panic[0] - lines // 2) if panic else max(0, len(seen) - lines)
    return " | ".join(seen[first:][:lines])
