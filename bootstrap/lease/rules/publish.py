"""Whether a publication was won: judged by what is read back, never by what link() returned. Pure.

For: takeover, after it called link() for `generation-N+1`, and again after the settle period. Guarantees: an error of
link(), EEXIST included, decides nothing: EFS keeps no persistent reply cache, so a repeated request may fail although
the first one succeeded. The nonce that is read back decides. The first deadline counts from before the link was sent.
Does not: write. A publication that is not confirmed before its own deadline makes nobody the holder; its number is
used up.
Sources: EFS user guide "Unsupported NFSv4 features" (no persistent reply cache); link(2), rename(2) BUGS (NFS).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from bootstrap.base.timing import LeaseTiming
from bootstrap.lease.rules.observation import NoAnswer, Seen
from bootstrap.lease.rules.record import LeaseRecord


class Publication(Enum):
    """What came of it."""

    WON = "won"
    LOST = "lost"  # somebody else has this generation or a higher one: look again from the start
    MISSING = "missing"  # not there: it may still land; look again from the start, which finds it or tries again
    UNKNOWN = "unknown"  # not readable now: read again, until the deadline
    EXPIRED = "expired"  # mine, but confirmed after its own deadline: look again from the start


@dataclass(frozen=True, kw_only=True)
class PublicationVerdict:
    """`deadline_s` is the first deadline, for the fence process; meaningful when won."""

    outcome: Publication
    deadline_s: float
    sentence: str


def judge_publication(
    own: LeaseRecord, read_back: Seen | NoAnswer, *, sent_s: float, now_s: float, timing: LeaseTiming
) -> PublicationVerdict:
    """Judge `read_back`, a fresh look at the highest generation, read at `now_s`; `sent_s` is from before link()."""
    deadline_s = sent_s + timing.renew_deadline_s
    outcome, sentence = _judge(own, read_back)
    if outcome in (Publication.WON, Publication.UNKNOWN) and now_s >= deadline_s:
        late = f"confirmed only {now_s - sent_s:.0f} s after it was sent, deadline {timing.renew_deadline_s:.0f} s"
        outcome, sentence = Publication.EXPIRED, f"generation {own.generation} is {late}"
    return PublicationVerdict(outcome=outcome, deadline_s=deadline_s, sentence=sentence)


def _judge(own: LeaseRecord, read_back: Seen | NoAnswer) -> tuple[Publication, str]:
    mine = f"generation {own.generation}"
    if isinstance(read_back, NoAnswer):
        return Publication.UNKNOWN, f"{mine} cannot be read back: {read_back.reason}"
    if read_back.generation > own.generation:
        return Publication.LOST, f"{mine} is not mine to hold: there is generation {read_back.generation} already"
    if read_back.generation < own.generation:
        return Publication.MISSING, f"{mine} is not there, the highest is generation {read_back.generation}"
    if read_back.record is None or read_back.record.nonce != own.nonce:
        winner = read_back.record.instance_id if read_back.record else "a record that cannot be read"
        return Publication.LOST, f"{mine} was won by {winner}"
    return Publication.WON, f"{mine} is mine"
