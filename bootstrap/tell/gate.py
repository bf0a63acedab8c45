"""Which messages are sent: none twice, not too many, and each end for each beginning. Pure.

For: tell.outbox. Guarantees: a trouble that was told is told to be over, also beyond the limit, and one that was not
told is not; the same message is sent once in `REPEAT_S` unless its end was told meanwhile; of more than `MOST` in an
hour the rest is withheld, which is said once. Does not: know channels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from bootstrap.tell.message import Kind, Message

REPEAT_S = 3600.0
HOUR_S = 3600.0
MOST = 20  # messages in an hour
BEGINNING: Kind = "degraded"
END: Kind = "recovered"


@dataclass(frozen=True, kw_only=True)
class Sent:
    """One message that was sent. `at_s`: on the monotonic clock."""

    kind: Kind
    reason: str
    what: str
    at_s: float


@dataclass(frozen=True, kw_only=True)
class Told:
    """What has been sent. `standing`: reasons whose beginning was told, and their end not yet."""

    sent: tuple[Sent, ...] = ()
    standing: tuple[str, ...] = ()


def admit(told: Told, message: Message, now_s: float) -> tuple[Told, Kind | None]:
    """What has been told then, and which kind of message to send now: that of `message`, `withheld` in its place, or
    None."""
    recent = tuple(each for each in told.sent if 0.0 <= now_s - each.at_s < HOUR_S)
    if message.kind == END:
        if message.reason not in told.standing:
            return replace(told, sent=recent), None
        ended = tuple(each for each in recent if (each.kind, each.reason) != (BEGINNING, message.reason))
        standing = tuple(reason for reason in told.standing if reason != message.reason)
        return Told(sent=(*ended, _sent(message, message.kind, now_s)), standing=standing), END
    if any(_is_same(each, message) and now_s - each.at_s < REPEAT_S for each in recent):
        return replace(told, sent=recent), None
    if len(recent) < MOST:
        begun = (message.reason,) if message.kind == BEGINNING and message.reason not in told.standing else ()
        now = Told(sent=(*recent, _sent(message, message.kind, now_s)), standing=(*told.standing, *begun))
        return now, message.kind
    if any(each.kind == "withheld" for each in recent):
        return replace(told, sent=recent), None
    return replace(told, sent=(*recent, _sent(message, "withheld", now_s))), "withheld"


def _sent(message: Message, kind: Kind, now_s: float) -> Sent:
    return Sent(kind=kind, reason=message.reason, what=message.what, at_s=now_s)


def _is_same(sent: Sent, message: Message) -> bool:
    return (sent.kind, sent.reason, sent.what) == (message.kind, message.reason, message.what)
