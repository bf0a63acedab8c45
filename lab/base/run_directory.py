"""The directory of one run of the lab, for its disks, sockets and logs.

For: whoever opens a lab. Guarantees: the directory is removed when the run ends; if the run is killed, the next one
removes it. A run marks its directory with a lock, which the kernel frees however the run ends. A sweep never removes
the directory of a live run, a directory without a mark, or a symbolic link.
Does not: end machines, which end with `lab.hardware.namespace`.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

PREFIX = "soloist-"
MARK = ".soloist-lab-run"


@contextmanager
def run_directory(parent: Path | None = None) -> Iterator[Path]:
    """A new directory below `parent` (default: the system's one for temporary files). Removes those of killed runs."""
    parent = parent or Path(tempfile.gettempdir())
    sweep(parent)
    made = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
    try:
        with _marked(made):
            yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sweep(parent: Path) -> list[Path]:
    """Remove the directories below `parent` whose runs are dead; returns them."""
    return [directory for directory in sorted(parent.glob(f"{PREFIX}*")) if _remove_if_dead(directory)]


@contextmanager
def _marked(directory: Path) -> Iterator[None]:
    """Hold the mark's lock. The mark gets its name only when it is locked, so that no sweep ever finds it free."""
    aside = directory / f"{MARK}.new"
    with aside.open("w") as mark:
        fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        aside.rename(directory / MARK)
        yield


def _remove_if_dead(directory: Path) -> bool:
    if directory.is_symlink() or not directory.is_dir() or directory.stat().st_uid != os.geteuid():
        return False
    try:
        mark: IO[bytes] = os.fdopen(os.open(directory / MARK, os.O_RDONLY | os.O_NOFOLLOW), "rb")
    except OSError:  # not a run's, or just removed by another sweep
        return False
    with mark:
        try:
            fcntl.flock(mark, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        shutil.rmtree(directory, ignore_errors=True)
    return True
