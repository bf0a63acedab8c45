"""What an acquire step may decide.

For: acquire, which decides, and takeover, which acts and looks again. Each action is safe to repeat.
Guarantees: every action carries the sentence that says why. Does not: act.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Ground = Literal["first", "released", "own-reboot", "own-restart", "terminated", "gone", "lease-expired"]
Reason = Literal["surplus", "not-in-group", "takeover-deadline"]


@dataclass(frozen=True, kw_only=True)
class Publish:
    """Publish `generation`; `ground` is why its predecessor cannot write any more."""

    generation: int
    ground: Ground
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Resume:
    """Go on with `generation`, which this machine holds: only the agent was restarted."""

    generation: int
    deadline_s: float
    sentence: str


@dataclass(frozen=True, kw_only=True)
class StopOwnService:
    """Stop what an earlier run of the agent left here, unmount the data, verify both, then look again."""

    sentence: str


@dataclass(frozen=True, kw_only=True)
class Terminate:
    """TerminateInstances(`instance_id`, SkipOsShutdown=true, Force=`is_forced`), then look again after `pause_s`."""

    instance_id: str
    is_forced: bool
    pause_s: float
    sentence: str


@dataclass(frozen=True, kw_only=True)
class Wait:
    """Look again after `pause_s`. `is_surplus`: beside a healthy holder, not counted as trouble."""

    pause_s: float
    sentence: str
    is_surplus: bool = False


@dataclass(frozen=True, kw_only=True)
class GiveUp:
    """Do not hold the lease, have this instance ended with `reason` (a stable word for log, state and metric)."""

    reason: Reason
    sentence: str


Action = Publish | Resume | StopOwnService | Terminate | Wait | GiveUp
