"""A lease record: one file per generation, one JSON line in it.

For: directory, which reads and writes the files, and the rules, which judge records. Guarantees: pure; a file whose
name is a generation and whose content is no record counts as held, never as free; unknown keys are ignored, so that an
older agent can read the record of a newer one (a rollback); the generations in the name and in the text must agree.
Does not: touch files, or use wall time; `written_at` is text for people.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Annotated

from bootstrap.base.codec import DecodeError, decode, encode
from bootstrap.base.timing import LeaseTiming
from bootstrap.base.values import Generation, Limits, Seconds, Text

HISTORY = 50  # generations kept; a write that lands late must never meet a number that looks unused
# The next three as in lease/child.py, which imports nothing.
LARGEST_RECORD = 4096  # characters; the longest names that AWS allows need less than a quarter
TEMPORARY = ".new-"
SPARE = ".spare-"
_NAME = re.compile(r"generation-([0-9]{6,12})")  # not \d, which also means the digits of other scripts


@dataclass(frozen=True, kw_only=True)
class LeaseRecord:
    """What a holder says about itself. The timings are the holder's own: a newcomer waits by these, not by its own."""

    generation: Generation  # the fencing token: grows by one with every holder, never used twice
    instance_id: Text
    zone: str
    network_interface_id: str
    boot_id: str  # /proc/sys/kernel/random/boot_id: another one means that no process of then is left
    image_id: str
    agent_version: str
    nonce: str  # made anew for each publication; read back to know whose file it is
    renewals: Annotated[int, Limits(says="A count", least=0)]  # grows with each renewal; what a newcomer watches
    retry_period_s: Seconds
    renew_deadline_s: Seconds
    lease_duration_s: Seconds
    is_released: bool = False
    written_at: str = ""
    follows: str = ""  # the nonce of the record before: its holder could not write any more
    ground: str = ""  # why the predecessor could not write any more, for people: released, terminated, lease-expired...


@dataclass(frozen=True, kw_only=True)
class Applicant:
    """Who wants to hold, as it will say in its record."""

    instance_id: str
    zone: str
    network_interface_id: str
    boot_id: str
    image_id: str
    agent_version: str


def new_record(
    applicant: Applicant,
    timing: LeaseTiming,
    *,
    generation: int,
    nonce: str,
    follows: str = "",
    ground: str = "",
    at: str = "",
) -> LeaseRecord:
    """The record to publish."""
    return LeaseRecord(
        generation=generation,
        **asdict(applicant),
        nonce=nonce,
        renewals=0,
        retry_period_s=timing.retry_period_s,
        renew_deadline_s=timing.renew_deadline_s,
        lease_duration_s=timing.lease_duration_s,
        follows=follows,
        ground=ground,
        written_at=at,
    )


def renewed(record: LeaseRecord, *, at: str = "") -> LeaseRecord:
    """The same record with the next renewal number."""
    return replace(record, renewals=record.renewals + 1, written_at=at)


def released(record: LeaseRecord, *, at: str = "") -> LeaseRecord:
    """The record of a holder whose service is stopped, synced and unmounted."""
    return replace(record, renewals=record.renewals + 1, is_released=True, written_at=at)


def render_record(record: LeaseRecord) -> str:
    """One line of JSON with a newline."""
    return encode(record) + "\n"


def parse_record(text: str, generation: int) -> LeaseRecord | None:
    """The record in `text`, None where it is not one or not that of `generation`: then it counts as held."""
    try:
        record = decode(LeaseRecord, text, unknown_keys="ignore", largest=LARGEST_RECORD)
    except DecodeError:
        return None
    return record if record.generation == generation else None


def file_name(generation: int) -> str:
    """`generation-000042`."""
    return f"generation-{generation:06d}"


def generation_of(name: str) -> int | None:
    """The generation of a file name, None where it is another file (a temporary one)."""
    found = _NAME.fullmatch(name)
    return int(found[1]) if found else None


def highest_generation(names: Iterable[str]) -> int:
    """The highest generation among file names, 0 where there is none."""
    return max((number for number in map(generation_of, names) if number is not None), default=0)


def spares(names: Iterable[str], generation: int | None = None) -> list[str]:
    """The spare files (lease/child.py) of `generation`, or all of them."""
    of = f"{TEMPORARY}{file_name(generation)}{SPARE}" if generation is not None else TEMPORARY
    return [name for name in names if name.startswith(of) and SPARE in name]


def strays(names: Iterable[str], generation: int) -> list[str]:
    """The temporary files of `generation` that a killed write left. Between two writes of its holder none is in use."""
    of = f"{TEMPORARY}{file_name(generation)}."
    return [name for name in names if name.startswith(of) and SPARE not in name]


def prunable(names: Iterable[str], held: int, keep: int = HISTORY) -> list[str]:
    """The files the holder of generation `held` may delete: generations older than the last `keep` with their spare
    files, its own never, and what killed writes of its predecessors left."""

    def is_prunable(name: str) -> bool:
        number = generation_of(name.removeprefix(TEMPORARY).partition(".")[0] if name.startswith(TEMPORARY) else name)
        is_stray = name.startswith(TEMPORARY) and SPARE not in name
        return number is not None and number < held and (is_stray or number <= held - keep)

    return sorted(filter(is_prunable, names))
