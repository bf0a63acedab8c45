"""What is done about a part of this instance that is no longer as the boot left it. Pure.

For: run.upkeep, which looks, mends and remembers. Guarantees: a part is mended a bounded number of times in an hour;
after that a vital part ends the instance with its reason, and any other one is a trouble (base.troubles). So nothing
flaps. A mend that AWS or the lease did not allow counts for nothing: it is tried again after a pause.
Does not: look at anything, or know what a part is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum

from bootstrap.base.errors import Reason

WINDOW_S = 3600.0
PAUSE_S = 60.0  # after a mend that was not possible just now


class Step(Enum):
    """What to do about one part, the worst last."""

    NOTHING = "nothing"
    MEND = "mend"
    TROUBLE = "trouble"  # serve on, and say so
    REPLACE = "replace"


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How one part is kept. `reason` is the stable word for state, log and documents.

    `look_s`: seconds between two looks, 0 for every cycle. `most_mends`: within `WINDOW_S`. `patience_s`: how long
    every look has to show a drift. `is_vital`: without it this instance has to be replaced."""

    name: str
    reason: Reason
    look_s: float = 0.0
    most_mends: int = 0
    patience_s: float = 0.0
    is_vital: bool = False


@dataclass(frozen=True, kw_only=True)
class History:
    """What has to be known of earlier cycles, in seconds on the monotonic clock. `since_s`: the first of the last
    looks in a row that showed a drift, None where the last one showed none."""

    since_s: float | None = None
    mended_at_s: tuple[float, ...] = ()
    not_before_s: float = 0.0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`reason` is None where nothing is done."""

    step: Step = Step.NOTHING
    sentence: str = ""
    reason: Reason | None = None


def judge(terms: Terms, drift: str, history: History, now_s: float) -> Verdict:
    """What to do about a part that differs by `drift`, "" when it is as it should be."""
    if history.since_s is None or now_s - history.since_s < terms.patience_s:
        return Verdict()
    seen = f"{terms.name}: {drift}"
    if now_s < history.not_before_s:
        return Verdict(step=Step.TROUBLE, sentence=seen, reason=terms.reason)
    recent = sum(1 for at_s in history.mended_at_s if now_s - at_s < WINDOW_S)
    if recent < terms.most_mends:
        return Verdict(step=Step.MEND, sentence=seen, reason=terms.reason)
    why = f"; mended {recent} times within {WINDOW_S / 60:.0f} min, which did not last" if terms.most_mends else ""
    if terms.is_vital:
        return Verdict(step=Step.REPLACE, sentence=f"{seen}{why}: replace this instance", reason=terms.reason)
    return Verdict(step=Step.TROUBLE, sentence=seen + why, reason=terms.reason)


def looked(history: History, drift: str, now_s: float) -> History:
    """After one more look."""
    since_s = now_s if history.since_s is None else history.since_s
    return replace(history, since_s=since_s if drift else None)


def mended(terms: Terms, history: History, now_s: float) -> History:
    """After a mend, whether it helped or not."""
    return replace(history, mended_at_s=(*history.mended_at_s, now_s)[-terms.most_mends :])


def not_allowed(history: History, now_s: float) -> History:
    """After a mend that was not possible now."""
    return replace(history, not_before_s=now_s + PAUSE_S)
