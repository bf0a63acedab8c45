"""Writes a file as a whole, and reads one back: a reader sees the old content or the new one, never a part.

For: every file that the agent writes for others to read. Guarantees: the content goes to a temporary file in the same
directory, which then replaces the file (rename(2) is atomic within a file system); after an error the old file is as it
was and the temporary one is gone; two threads that write the same file do not mix their contents. A process that is
killed in between may leave one `.NAME.new-*`, which nobody reads.
Does not: create directories, or write to the lease directory or the data file system (their own programs do, which run
without the agent's modules).
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path


def replace_file(path: Path, text: str, *, is_synced: bool = False) -> None:
    """Make `text` (UTF-8) the content of `path`. `is_synced`: return after file and directory are on stable storage.
    Raises OSError; the file is unchanged then."""
    temporary = path.with_name(f".{path.name}.new-{os.getpid()}-{threading.get_ident()}")
    try:
        with temporary.open("w", encoding="utf-8", newline="") as stream:
            stream.write(text)
            if is_synced:
                stream.flush()
                os.fsync(stream.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if is_synced:
        _sync_directory(path.parent)


def _sync_directory(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def text_of(path: Path) -> str:
    """The content of `path`, "" where there is no file or it is no UTF-8: for a comparison with what was written."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError):
        return ""
