"""What a holder must check right before it touches what others use: network interface, connection. Pure.

For: the steps network-interface and connection, again before every request and every retry of one. Order: read what is
there, then look into the lease directory, then `may_touch`, then change it. A newer holder either published before that
look, which refuses, or changes what was read, which makes the change fail.
Guarantees: an instance that slept past its deadline or past its successor's publication touches nothing.
Does not: stop a request that is on its way. Each kind of connection has its own means against that
(bootstrap.claims.connection).
"""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap.lease.rules.observation import NoAnswer, Seen
from bootstrap.lease.rules.renew import Hold


@dataclass(frozen=True, kw_only=True)
class Permission:
    is_given: bool
    sentence: str


def may_touch(hold: Hold, highest: Seen | NoAnswer, *, now_s: float) -> Permission:
    """Whether the holder of `hold` may still act on what others use, from a look fresher than what it acts upon."""
    name = f"generation {hold.record.generation}"
    if now_s >= hold.deadline_s:
        return Permission(is_given=False, sentence=f"{name} is past its deadline: nothing is touched")
    if isinstance(highest, NoAnswer):
        sentence = f"{name} cannot be verified ({highest.reason}): nothing is touched"
        return Permission(is_given=False, sentence=sentence)
    if highest.generation != hold.record.generation:
        sentence = f"{name} is not the highest, there is generation {highest.generation}: nothing is touched"
        return Permission(is_given=False, sentence=sentence)
    if highest.record is None or highest.record.nonce != hold.record.nonce:
        return Permission(is_given=False, sentence=f"{name} is somebody else's: nothing is touched")
    return Permission(is_given=True, sentence=f"{name} is mine and the highest")
