"""The log in the journal: the same sentence, with fields; and on standard error where the journal does not take it."""

import io
import logging
import os
import socket
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from bootstrap.machine.journal import LARGEST, JournalHandler, is_journal


def fields(datagram: bytes) -> dict[str, str]:
    """What journald reads."""
    found = {}
    while datagram:
        line, _, rest = datagram.partition(b"\n")
        if b"=" in line:
            name, _, value = line.partition(b"=")
            datagram = rest
        else:
            name, (length,) = line, struct.unpack("<Q", rest[:8])
            value, datagram = rest[8 : 8 + length], rest[9 + length :]
        found[name.decode()] = value.decode()
    return found


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as journald:
        journald.bind(str(tmp_path / "socket"))
        journald.settimeout(10)
        yield journald


def logger_to(path: Path, fallback: io.StringIO) -> tuple[logging.Logger, JournalHandler]:
    handler = JournalHandler("soloist-agent", str(path), fallback)
    logger = logging.Logger("bootstrap.run.supervise")
    logger.addHandler(handler)
    return logger, handler


def test_a_line_has_the_sentence_its_priority_and_the_facts_of_now(journal: socket.socket, tmp_path: Path) -> None:
    logger, handler = logger_to(tmp_path / "socket", io.StringIO())
    logger.info("before anything is known")
    handler.facts = lambda: {"SOLOIST_INSTANCE": "i-1", "SOLOIST_GENERATION": "5"}
    logger.warning("restart the service here (%d of 3)", 1)
    first, second = fields(journal.recv(LARGEST)), fields(journal.recv(LARGEST))
    assert (first["MESSAGE"], first["PRIORITY"]) == ("before anything is known", "6")
    assert second == {
        "MESSAGE": "restart the service here (1 of 3)",
        "PRIORITY": "4",
        "SYSLOG_IDENTIFIER": "soloist-agent",
        "LOGGER": "bootstrap.run.supervise",
        "SOLOIST_INSTANCE": "i-1",
        "SOLOIST_GENERATION": "5",
    }


def test_a_trace_is_one_entry_and_no_value_begins_a_field_of_its_own(journal: socket.socket, tmp_path: Path) -> None:
    logger, _ = logger_to(tmp_path / "socket", io.StringIO())
    try:
        raise KeyError("first\nPRIORITY=0")
    except KeyError:
        logger.exception("a defect\nSOLOIST_GENERATION=9")
    seen = fields(journal.recv(LARGEST))
    assert seen["MESSAGE"].startswith("a defect\nSOLOIST_GENERATION=9\nTraceback")
    assert (seen["PRIORITY"], "SOLOIST_GENERATION" in seen) == ("3", False)


@pytest.mark.parametrize("text", ["x" * 500_000, "\udc80 lone", "\u20ac" * 100_000])
def test_what_is_too_long_or_no_text_arrives_cut_or_replaced(journal: socket.socket, tmp_path: Path, text: str) -> None:
    fallback = io.StringIO()
    logger, _ = logger_to(tmp_path / "socket", fallback)
    logger.error("%s", text)
    assert 0 < len(fields(journal.recv(2 * LARGEST))["MESSAGE"]) <= LARGEST
    assert fallback.getvalue() == ""


def test_without_a_journal_or_with_a_full_one_the_line_is_on_standard_error(tmp_path: Path) -> None:
    fallback = io.StringIO()
    logger, _ = logger_to(tmp_path / "socket", fallback)
    logger.info("nobody there")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as busy:
        busy.bind(str(tmp_path / "socket"))
        for number in range(5000):  # journald reads nothing
            logger.info("line %d", number)
    assert fallback.getvalue().startswith("nobody there\nline ")


def test_only_a_stream_that_systemd_named_is_the_journal(tmp_path: Path) -> None:
    with (tmp_path / "log").open("w") as stream:
        seen = os.fstat(stream.fileno())
        assert is_journal(stream, f"{seen.st_dev}:{seen.st_ino}")
        assert not is_journal(stream, "")
        assert not is_journal(stream, f"{seen.st_dev}:{seen.st_ino + 1}")
    assert not is_journal(io.StringIO(), "1:2")
    assert not is_journal(sys.__stderr__ or sys.stderr, "1:2")
