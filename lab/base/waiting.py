"""The lab's one way to wait: poll a condition until it holds or a deadline has passed.

For: every wait in the lab and its tests. Guarantees: a wait always has a limit, and its error says what was waited for,
for how long, and what was seen last; a condition that raises ends the wait at once. Does not: retry what has failed.
"""

import time
from collections.abc import Callable
from typing import TypeVar

from lab.base.errors import LabTimeout

Found = TypeVar("Found")


def wait_for(
    condition: Callable[[], Found | None],
    what: str,
    *,
    deadline_s: float,
    poll_s: float = 0.1,
    describe: Callable[[], str] = lambda: "",
) -> Found:
    """The first truthy answer of `condition`. Raises LabTimeout after `deadline_s` naming `what` and `describe()`."""
    started = time.monotonic()
    while True:
        found = condition()
        if found:
            return found
        waited_s = time.monotonic() - started
        if waited_s >= deadline_s:
            seen = describe()
            raise LabTimeout(f"{what}: not within {waited_s:.0f} s{f' ({seen})' if seen else ''}")
        time.sleep(poll_s)
