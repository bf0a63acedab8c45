"""A lease record: one file per generation, one JSON line in it.

For: the lease store (which reads and writes files) and the rules (which judge records). Guarantees: pure; a file whose
name is a generation and whose content is no record counts as held, never as free; unknown keys are ignored, so that an
older agent can read what a newer one wrote (a rollback); the generation in the name and in the text must agree.
Does not: touch files, or use any wall time: `written_at` is text for people.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from bootstrap.base.timing import LeaseTiming

HISTORY = 50  # generations kept; a write that lands late must never meet a number that looks unused
_NAME = re.compile(r"generation-(\d{6,12})")
_KINDS: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (int, float), "bool": (bool,)}


@dataclass(frozen=True, kw_only=True)
class LeaseRecord:
    """What a holder says about itself. The timings are the holder's own: a newcomer waits by these, not by its own."""

    generation: int  # the fencing token: grows by one with every holder, never used twice
    instance_id: str
    zone: str
    network_interface_id: str
    boot_id: str  # /proc/sys/kernel/random/boot_id: another one means that no process of then is left
    image_id: str
    agent_version: str
    nonce: str  # made anew for each publication; read back to know whose file it is
    renewals: int  # grows with each renewal; what a newcomer watches
    retry_period_s: float
    renew_deadline_s: float
    lease_duration_s: float
    is_released: bool = False
    written_at: str = ""
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
    applicant: Applicant, timing: LeaseTiming, *, generation: int, nonce: str, ground: str = "", at: str = ""
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
    return json.dumps(asdict(record), separators=(",", ":")) + "\n"


def parse_record(text: str, generation: int) -> LeaseRecord | None:
    """The record in `text`, None where it is not one or not that of `generation`: then it counts as held."""
    try:
        tree = json.loads(text)
    except ValueError:
        return None
    if not isinstance(tree, dict) or tree.get("generation") != generation:
        return None
    values: dict[str, Any] = {}
    for item in fields(LeaseRecord):
        if item.name not in tree:
            if item.name in ("is_released", "written_at", "ground"):
                continue
            return None
        value = tree[item.name]
        if not isinstance(value, _KINDS[str(item.type)]) or (item.type != "bool" and isinstance(value, bool)):
            return None
        values[item.name] = value
    record = LeaseRecord(**values)
    return record if record.lease_duration_s > 0.0 and record.instance_id else None


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


def prunable(names: Iterable[str], held: int, keep: int = HISTORY) -> list[str]:
    """The files the holder of generation `held` may delete: older than the last `keep`, its own never."""
    return sorted(
        name for name in names if (number := generation_of(name)) is not None and number <= min(held - keep, held - 1)
    )
