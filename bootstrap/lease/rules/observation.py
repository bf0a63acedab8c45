"""What a newcomer sees of the lease, of the holder and of the group, as plain values.

For: the adapters, which make these, and the rules, which judge them. Guarantees: an answer and the lack of one are
different types, so that "no answer" can never be read as "nothing there".
Does not: ask anybody.
"""

from __future__ import annotations

from dataclasses import dataclass

from bootstrap.base.member import Member
from bootstrap.lease.rules.record import LeaseRecord

GONE = "gone"  # EC2 knows no such instance (any more)
TERMINATED = "terminated"
SHUTTING_DOWN = "shutting-down"


@dataclass(frozen=True, kw_only=True)
class NoAnswer:
    """The question was asked and not answered: unreachable, throttled, denied, timed out. `reason` in words; `cause`:
    the stable word of a cause that has one (file-system-full), else ""."""

    reason: str
    cause: str = ""


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One fresh look into the lease directory. `generation` 0: no generation file there. `record` None with a
    generation: unparseable. `text` is the file's content, to see change. The times are the looker's monotonic clock.
    `is_full`: it was read back after a write into a spare file, because the file system is full."""

    generation: int
    record: LeaseRecord | None
    text: str
    sent_s: float
    returned_s: float
    is_full: bool = False


@dataclass(frozen=True, kw_only=True)
class HolderAnswer:
    """EC2's word on the holder: `pending`, `running`, `stopping`, `stopped`, `shutting-down`, `terminated` or GONE."""

    state: str


@dataclass(frozen=True, kw_only=True)
class GroupAnswer:
    """The group's word on me and on the holder, None where it does not know the instance."""

    me: Member | None
    holder: Member | None


@dataclass(frozen=True, kw_only=True)
class OwnRemains:
    """What this machine still has of an earlier run of the agent in the same boot. `fence_deadline_s`: what the fence
    process guards for `nonce` (None: nothing); `is_service_stopped`: cgroup empty and data not mounted."""

    nonce: str = ""
    fence_deadline_s: float | None = None
    is_service_stopped: bool = True


@dataclass(frozen=True, kw_only=True)
class Observation:
    """All that one acquire step judges. `holder` and `group` are None where `must_ask` said that they do not matter.
    `asked_s`: when the questions to EC2 and the group were sent, on the looker's monotonic clock.
    `refusal`: EC2's words when it refused the last request to terminate for good (denied, protected), else ""."""

    seen: Seen | NoAnswer
    holder: HolderAnswer | NoAnswer | None = None
    group: GroupAnswer | NoAnswer | None = None
    asked_s: float | None = None
    remains: OwnRemains = OwnRemains()
    refusal: str = ""
