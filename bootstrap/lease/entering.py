"""Before the holder writes to the data: are they those of its predecessors, and is the last writer gone?

For: the boot step mount-data, once the data are mounted and before anything of the service starts. Guarantees: the data
carry the record of everybody who may have written to them, one file per generation, published like a generation of the
lease and never overwritten; a holder that is not the proven successor of the last writer starts nothing, puts a floor
into the lease directory (rules.last_writer) and gives up with reason `lease-behind`; a floor is put only by the holder
of the highest generation.
Does not: stop the last writer. A higher generation is in the lease directory, which ends it at its next renewal.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Protocol

from bootstrap.base.clock import Deadline
from bootstrap.base.errors import LeaseBehind
from bootstrap.base.retry import NotYet, Pauses, retry
from bootstrap.lease.parts import LeaseParts
from bootstrap.lease.rules.last_writer import Descent, descent, floor, is_before
from bootstrap.lease.rules.observation import NoAnswer, Seen
from bootstrap.lease.rules.record import LeaseRecord, parse_record, render_record

log = logging.getLogger(__name__)

PAUSES = Pauses(first_s=0.5, longest_s=5.0)
REMEDY = "Nothing, if somebody emptied or restored the lease directory: the next instance takes over once it may"


class Writers(Protocol):
    """machine.writers.DataWriters. Each answer is generation and content of the highest file, 0 and "" where there is
    none. Raises MountError, StopRequested."""

    def last(self, deadline: Deadline, below: int = ...) -> tuple[int, str]: ...

    def enter(self, generation: int, text: str, deadline: Deadline) -> tuple[int, str]: ...


class Entering:
    """The way of one holder to the data."""

    def __init__(self, parts: LeaseParts, own: LeaseRecord, writers: Writers, nonce: Callable[[], str]) -> None:
        self._parts = parts
        self._own = own
        self._writers = writers
        self._nonce = nonce

    def run(self, deadline: Deadline) -> None:
        """Return once the data say that this holder writes. Raises LeaseBehind, MountError, StopRequested,
        DeadlineExceeded."""
        own, writers = self._own, self._writers
        last = _record(writers.last(deadline))
        self._must_follow(last, deadline)
        highest = _record(writers.enter(own.generation, render_record(own), deadline))
        if highest is None or highest.nonce != own.nonce:
            self._give_way(highest, deadline)
        # Of two that enter at once, at least one sees the other: each has entered before it looks again.
        self._must_follow(_record(writers.last(deadline, own.generation)), deadline)

    def _must_follow(self, last: LeaseRecord | None, deadline: Deadline) -> None:
        if not self._is_successor(last, deadline):
            self._give_way(last, deadline)

    def _is_successor(self, last: LeaseRecord | None, deadline: Deadline) -> bool:
        record = self._own
        while (seen := descent(record, last)) is Descent.FURTHER:
            before = self._read(record.generation - 1, deadline)
            if before is None or not is_before(record, before):
                return False
            record = before
        return seen is Descent.PROVEN

    def _read(self, generation: int, deadline: Deadline) -> LeaseRecord | None:
        def attempt() -> LeaseRecord | None:
            found = self._parts.directory.read(generation, self._parts.timing.request_timeout_s)
            if isinstance(found, NoAnswer):
                raise NotYet(found.reason)
            return found

        return retry(attempt, deadline, PAUSES)

    def _give_way(self, last: LeaseRecord | None, deadline: Deadline) -> None:
        name = f"generation {self._own.generation}"
        writer = f"generation {last.generation} of {last.instance_id}" if last else "nobody"
        sentence = f"{name} does not follow {writer}, who wrote to the data last: nothing is started"
        log.warning("lease: %s", sentence)
        if last is not None:
            self._put_floor(last, deadline)
        raise LeaseBehind(sentence, remedy=REMEDY)

    def _put_floor(self, last: LeaseRecord, deadline: Deadline) -> None:
        parts, own = self._parts, self._own
        wanted = floor(last, own.generation, nonce=self._nonce(), at=parts.clock.utc_text())

        def attempt() -> None:
            highest = parts.directory.look(parts.timing.request_timeout_s)
            if isinstance(highest, Seen) and highest.generation == own.generation:
                highest = parts.directory.publish(wanted, parts.timing.request_timeout_s)
            if isinstance(highest, NoAnswer):
                raise NotYet(highest.reason)
            log.info("lease: the highest generation is %d now", highest.generation)

        retry(attempt, deadline, PAUSES)


def _record(found: tuple[int, str]) -> LeaseRecord | None:
    """Raises LeaseBehind for a file that is no record."""
    generation, text = found
    record = parse_record(text, generation) if generation else None
    if generation and record is None:
        raise LeaseBehind(
            f"the data say that generation {generation} wrote to them, and its record cannot be read",
            remedy="Make sure that no other instance runs, and delete that file of the data",
        )
    return record
