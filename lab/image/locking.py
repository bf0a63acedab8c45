"""Lets one builder of images work at a time.

For: `lab.image.store`. Guarantees: the kernel frees the lock however its owner ends; a wait is announced and has a
limit. Does not: work across computers.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.base.errors import LabTimeout

POLL_S = 0.2


@contextmanager
def exclusive(path: Path, limit_s: float, progress: Callable[[str], None]) -> Iterator[None]:
    """Hold the lock file `path`. Calls `progress` once if it has to wait; raises LabTimeout after `limit_s`."""
    deadline = time.monotonic() + limit_s
    told = False
    with path.open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise LabTimeout(f"{path}: another build has held this lock for {limit_s:.0f} s") from None
                if not told:
                    progress("Waiting for another build of images")
                    told = True
                time.sleep(POLL_S)
        yield
