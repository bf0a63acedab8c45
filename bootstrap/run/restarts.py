"""When the service was restarted on this machine, for the next run of the agent, too.

For: run.supervise: an agent that was ended and started again must not begin to count anew. The file is below /run, so a
reboot begins anew, as does its clock. Guarantees: a file that is missing, damaged or of a clock that has not yet got
there counts for nothing, and one that cannot be written fails nothing. Does not: decide what the number means.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bootstrap.base.clock import Clock
from bootstrap.base.codec import decode, encode
from bootstrap.base.files import text_of
from bootstrap.run.ladder import MOST_RESTARTS
from bootstrap.run.report import write_file


@dataclass(frozen=True, kw_only=True)
class _Kept:
    """In seconds of CLOCK_BOOTTIME."""

    restarted_at_s: tuple[float, ...]


class Restarts:
    """The last `MOST_RESTARTS` of them, oldest first."""

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self.at_s = tuple(at_s for at_s in read(path) if 0.0 <= at_s <= clock.monotonic())[-MOST_RESTARTS:]

    def add(self, at_s: float) -> None:
        self.at_s = (*self.at_s, at_s)[-MOST_RESTARTS:]
        write_file(self._path, encode(_Kept(restarted_at_s=self.at_s)))


def read(path: Path) -> tuple[float, ...]:
    """What an earlier run of the agent wrote; () where nothing of use is there."""
    text = text_of(path)
    try:
        return decode(_Kept, text, unknown_keys="refuse").restarted_at_s if text else ()
    except ValueError:
        return ()
