"""The directory that a run writes its report into: one run at a time, and never parts of two runs.

For: the lab's applications. Guarantees: a second run in the same directory is one clear error before anything starts;
the kernel frees the lock however its owner ends; the files of a run take the place of the former ones together, when it
ends. What an interrupted run has written stays in `unfinished` until the next run. Does not: write reports.
"""

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.base.errors import LabPreconditionError

UNFINISHED = "unfinished"
LOCK = ".lock"


@contextmanager
def locked(out: Path) -> Iterator[Path]:
    """`out`, for this run alone. Raises LabPreconditionError where another run has it."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LabPreconditionError(
                f"{out}: another run of this checkout writes its report there: wait for its end, or end it"
            ) from None
        yield out


@contextmanager
def output(out: Path) -> Iterator[Path]:
    """An empty directory in `out`, whose files move to `out` when the body ends well. Raises LabPreconditionError."""
    with locked(out):
        unfinished = out / UNFINISHED
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        yield unfinished
        for file in unfinished.iterdir():
            file.replace(out / file.name)
        unfinished.rmdir()
