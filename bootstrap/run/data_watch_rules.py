"""What a look at the data says. Pure.

For: run.data_watch and the parts of run.watched_data. Guarantees: a stall below `STALL_S` is nothing; a longer one is a
trouble; the instance goes when it lasts as long as a newcomer without proof would wait, which is later than the
deadline of the lease: where the whole file system stalls, lease and fence have ended the service before.
Does not: look.
Source: AWS re:Post Knowledge Center on EFS (a failover of the server behind a mount target; I/O time-outs of 30 s and
more); RFC 8881 (NFS4ERR_STALE).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Literal

from bootstrap.base.errors import Reason
from bootstrap.base.timing import LeaseTiming

STALL_S = 30.0
LATE_S = 5.0  # an answer that takes longer is in the log, and nobody restarts the service meanwhile

Cause = Literal["", "stale", "read-only"]
FAULTS: dict[Cause, Reason] = {"stale": "file-system-stale", "read-only": "file-system-read-only"}


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What the child saw: the device of the data root, major:minor, and the marker on it, "" if there is none; or
    `failed`: the error of a call, in words, and `cause` if it has one of ours."""

    device: str = ""
    marker: str = ""
    failed: str = ""
    cause: Cause = ""


@dataclass(frozen=True, kw_only=True)
class Known:
    """Device and marker of the data that were verified when they were mounted."""

    device: str
    marker: str


@dataclass(frozen=True, kw_only=True)
class Fault:
    """The data answer, and are not as they should be."""

    reason: Reason
    sentence: str


def read_answer(text: str) -> Answer:
    """What the child wrote; one that wrote nothing we know has failed."""
    try:
        tree = json.loads(text)
        cause: Cause = tree.get("cause", "")
        return Answer(
            device=str(tree.get("device", "")),
            marker=str(tree.get("found", "")),
            failed=str(tree.get("failed", "")),
            cause=cause if cause in FAULTS else "",
        )
    except (ValueError, AttributeError, TypeError):
        return Answer(failed=f"the look at the data ended with {text[:200]!r}")


def known_after(answer: Answer, known: Known | None) -> Known | None:
    """What is known after `answer`: the first data with a marker, and wherever the same marker is seen later."""
    is_same = known is None or answer.marker == known.marker
    return Known(device=answer.device, marker=answer.marker) if answer.marker and is_same else known


def fault_of(answer: Answer, known: Known | None) -> Fault | None:
    """What is wrong with the data.

    A marker that somebody changed on the same device is the upkeep's (run.kept_parts.Marker): to mount once more would
    show the same."""
    if answer.cause:
        return Fault(reason=FAULTS[answer.cause], sentence=answer.failed)
    if not answer.device or known is None or answer.device == known.device or answer.marker == known.marker:
        return None
    says = f"their marker says {answer.marker[:200]}" if answer.marker else "they have no marker"
    sentence = f"something else is mounted over the data (device {answer.device}, not {known.device}): {says}"
    return Fault(reason="file-system-foreign", sentence=sentence)


def longest_stall_s(timing: LeaseTiming) -> float:
    """How long the data may give no answer."""
    return timing.lease_duration_s
