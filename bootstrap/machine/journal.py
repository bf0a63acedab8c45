"""Writes the log into the journal with fields, so that lines are found by instance, generation and service.

For: the agent, where systemd connects its standard error to the journal; run.log_copy, which sends the same fields.
Guarantees: `journalctl` shows the same sentence as before, and `journalctl --output=json` the fields beside it; a line
that the journal does not take at once goes to standard error; a log line never fails or delays the caller.
Does not: rotate or send anything elsewhere.
Sources: systemd "Native Journal Protocol" (https://systemd.io/JOURNAL_NATIVE_PROTOCOL), systemd.exec(5) JOURNAL_STREAM.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
import sys
from collections.abc import Callable, Mapping
from typing import TextIO

SOCKET = "/run/systemd/journal/socket"
LARGEST = 65_536  # bytes of a message; a trace is shorter, and the default of a socket's buffer is larger
PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.NOTSET, 7))  # syslog(3)


class JournalHandler(logging.Handler):
    """`facts` are fields of each line, by upper-case name; they may change while the agent runs."""

    def __init__(self, identifier: str, path: str = SOCKET, fallback: TextIO = sys.stderr) -> None:
        super().__init__()
        self._identifier = identifier
        self._path = path
        self._fallback = fallback
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self._socket.settimeout(0)
        self.facts: Callable[[], Mapping[str, str]] = dict

    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        try:
            self._socket.sendto(datagram(fields_of(record, text, self._identifier, self.facts())), self._path)
        except OSError:
            self._fallback.write(text + "\n")


def fields_of(record: logging.LogRecord, text: str, identifier: str, facts: Mapping[str, str]) -> dict[str, str]:
    """The fields of one line; `text` is its sentence."""
    return {
        "MESSAGE": text.encode(errors="replace")[:LARGEST].decode(errors="ignore"),
        "PRIORITY": str(next(number for level, number in PRIORITIES if record.levelno >= level)),
        "SYSLOG_IDENTIFIER": identifier,
        "LOGGER": record.name,
        **facts,
    }


def datagram(fields: Mapping[str, str]) -> bytes:
    """`fields` as the protocol has them: a value with a line break comes with its length."""
    parts = []
    for name, value in fields.items():
        data = value.encode(errors="replace")
        if b"\n" in data:
            parts.append(name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n")
        else:
            parts.append(name.encode() + b"=" + data + b"\n")
    return b"".join(parts)


def is_journal(stream: TextIO, named: str) -> bool:
    """Whether `stream` leads to the journal; `named` is the value of JOURNAL_STREAM, "" where there is none."""
    try:
        seen = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return named == f"{seen.st_dev}:{seen.st_ino}"
