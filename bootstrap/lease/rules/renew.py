"""How a holder stays the holder: before and after each renewal. Pure.

For: keeper. One renewal: read the clock (t0); look for a higher generation (`before_renewal`); rewrite the own file
(temporary file, fsync, rename) and read it back; judge (`after_renewal`); send the new deadline to the fence.
Guarantees: the deadline counts from t0, before anything was sent; a renewal that is confirmed after the deadline before
it is discarded, so a generation whose deadline has passed never comes back; a higher generation, or an own file that is
gone, means lost, at once.
Does not: stop the service. The fence does, at the deadline, or at once when it is told "lost".
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from bootstrap.base.timing import LeaseTiming
from bootstrap.lease.rules.observation import NoAnswer, Seen
from bootstrap.lease.rules.record import LeaseRecord, renewed


@dataclass(frozen=True, kw_only=True)
class Hold:
    """A held generation: its record as last written, and the deadline that the fence process guards."""

    record: LeaseRecord
    deadline_s: float


class Renewal(Enum):
    """What to do now."""

    SEND = "send"  # rewrite the own file with `hold.record`
    CONFIRMED = "confirmed"  # tell the fence process `hold.deadline_s`
    RETRY = "retry"  # nothing is known: try again after the retry period
    LOST = "lost"  # somebody else holds: stop at once, without grace
    EXPIRED = "expired"  # the deadline has passed: the fence process is stopping the service, nothing may rescue it


@dataclass(frozen=True, kw_only=True)
class RenewalStep:
    """`hold` is what to remember."""

    action: Renewal
    hold: Hold
    sentence: str


def before_renewal(hold: Hold, highest: Seen | NoAnswer, *, now_s: float) -> RenewalStep:
    """Judge a fresh look at the highest generation; SEND carries the record to write. `now_s`: when it was judged."""
    verdict = _lost_or_expired(hold, highest, now_s)
    if verdict is not None:
        return verdict
    if isinstance(highest, NoAnswer):
        sentence = f"{_name(hold)}: the lease directory does not answer: {highest.reason}"
        return RenewalStep(action=Renewal.RETRY, hold=hold, sentence=sentence)
    following = replace(hold, record=renewed(hold.record))
    sentence = f"{_name(hold)}: send renewal {following.record.renewals}"
    return RenewalStep(action=Renewal.SEND, hold=following, sentence=sentence)


def after_renewal(
    hold: Hold, read_back: Seen | NoAnswer, *, sent_s: float, now_s: float, timing: LeaseTiming
) -> RenewalStep:
    """Judge what is read back at `now_s` of the renewal begun at `sent_s` (t0, from before the look)."""
    verdict = _lost_or_expired(hold, read_back, now_s)
    if verdict is not None:
        return verdict
    if isinstance(read_back, Seen) and read_back.record is None and not read_back.text:
        # Somebody emptied or restored the directory: a newcomer finds it free, and asks nobody.
        return RenewalStep(action=Renewal.LOST, hold=hold, sentence=f"{_name(hold)} is lost: its file is gone")
    # An earlier renewal that landed late shows an older number: this one is not confirmed by it.
    if isinstance(read_back, NoAnswer) or read_back.record != hold.record:
        seen = read_back.reason if isinstance(read_back, NoAnswer) else "something else is read back"
        sentence = f"{_name(hold)}: renewal {hold.record.renewals} is not confirmed: {seen}"
        return RenewalStep(action=Renewal.RETRY, hold=hold, sentence=sentence)
    confirmed = replace(hold, deadline_s=max(hold.deadline_s, sent_s + timing.renew_deadline_s))
    left_s = confirmed.deadline_s - now_s
    sentence = f"{_name(hold)}: renewal {hold.record.renewals} is confirmed, {left_s:.0f} s to the deadline"
    return RenewalStep(action=Renewal.CONFIRMED, hold=confirmed, sentence=sentence)


def _lost_or_expired(hold: Hold, seen: Seen | NoAnswer, now_s: float) -> RenewalStep | None:
    if not isinstance(seen, NoAnswer):
        other = _other_holder(hold, seen)
        if other:
            return RenewalStep(action=Renewal.LOST, hold=hold, sentence=f"{_name(hold)} is lost: {other}")
    if now_s >= hold.deadline_s:
        late_s = now_s - hold.deadline_s
        sentence = f"{_name(hold)}: the deadline passed {late_s:.1f} s ago, no renewal can rescue it"
        return RenewalStep(action=Renewal.EXPIRED, hold=hold, sentence=sentence)
    return None


def _other_holder(hold: Hold, seen: Seen) -> str:
    """Who else holds, "" when the highest generation is mine (or a look that is older than my publication)."""
    if seen.generation > hold.record.generation:
        return f"there is generation {seen.generation}"
    if seen.generation == hold.record.generation and seen.record and seen.record.nonce != hold.record.nonce:
        return f"its file is that of {seen.record.instance_id}"
    return ""


def _name(hold: Hold) -> str:
    return f"generation {hold.record.generation}"
