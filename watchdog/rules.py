"""Whether an instance is dead, and what is done about it. Pure.

For: watch. Guarantees: nothing is done to an instance on one sign alone. Its heartbeat must be missing *and* there must
be a second sign that does not come by way of CloudWatch: its state port does not answer, or EC2's status check fails. A
missing heartbeat counts only while the watchdog's own metric, sent later by the same door, has arrived: then metrics
are not late. A port that does not answer counts only where it has answered before: then it can be reached. One
replacement in a window; none in maintenance mode. Does not: look or act.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from watchdog.memory import Memory

BEATS = 3  # heartbeats that must be missing
LOOKS = 3  # in a row without an answer, SUSPICIOUS_PAUSE_S apart
Action = Literal["nothing", "report-unhealthy", "abandon-launch", "let-go"]
ACTIONS: dict[str, Action] = {
    "InService": "report-unhealthy",
    "Pending:Wait": "abandon-launch",
    "Terminating:Wait": "let-go",
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Of the service file. `boot_silence_s`: how long a new instance may take until its agent is there."""

    silence_s: float
    boot_silence_s: float
    window_s: float
    failed_boots: int
    settle_s: float  # in service for so long, and the version is called good
    port: int  # of the state


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One instance. Ages are in seconds, None where there is none within `WINDOW_S` of watchdog.aws."""

    instance_id: str
    lifecycle: str
    health: str
    age_s: float  # since its launch
    unanswered: int  # looks in a row that found nobody; a look that failed itself is none
    beat_age_s: float | None = None
    beat_gap_s: float = 0.0  # from one heartbeat to the next, as they came
    own_age_s: float | None = None  # of the watchdog's own metric
    is_impaired: bool = False  # by EC2's status checks
    maintenance: str = ""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What is done, and one sentence that says what and why."""

    action: Action
    sentence: str


def judge(seen: Seen, memory: Memory, settings: Settings, now_s: float) -> Verdict:
    """`now_s`: epoch seconds of AWS's clock."""
    action = ACTIONS.get(seen.lifecycle)
    who = f"{seen.instance_id} ({seen.lifecycle})"
    if action is None:
        return _keep(f"{who}: nothing is done in this state")
    if action == "report-unhealthy" and seen.health != "Healthy":
        return _keep(f"{who}: the group knows already that it is {seen.health}")
    if seen.maintenance:
        return _keep(f"{who}: maintenance mode is on: {seen.maintenance}")
    signs = _signs(seen, memory, settings.port)
    if not signs:
        return _keep(f"{who}: no second sign beside its heartbeat")
    is_silent, silence = _silence(seen, memory, settings)
    if not is_silent:
        return _keep(f"{who}: {' and '.join(signs)}, but {silence}")
    since_s = now_s - memory.acted_at
    if action != "let-go" and memory.acted_on not in ("", seen.instance_id) and since_s < settings.window_s:
        return _keep(
            f"{who} is {silence} and {' and '.join(signs)}, but {memory.acted_on} was ended {since_s:.0f} s ago, and "
            f"the watchdog ends one instance in {settings.window_s:.0f} s at most"
        )
    return Verdict(action=action, sentence=f"{who} is {silence} and {' and '.join(signs)}: {DONE_BY[action]}")


DONE_BY: dict[Action, str] = {
    "report-unhealthy": "it is reported unhealthy, so that the group replaces it",
    "abandon-launch": "its launch is abandoned, so that the group launches another one",
    "let-go": "its terminate hook is completed, because nobody is left who would do it",
}


def _keep(sentence: str) -> Verdict:
    return Verdict(action="nothing", sentence=sentence)


def _signs(seen: Seen, memory: Memory, port: int) -> list[str]:
    """The second signs. A deployment may have changed the port since the instance was launched."""
    is_known = memory.boot.instance_id == seen.instance_id and memory.boot.answered_on == port
    can_be_reached = is_known if seen.lifecycle == "InService" else memory.reached_on == port
    signs = []
    if seen.unanswered >= LOOKS and can_be_reached:
        signs.append("its state port does not answer")
    if seen.is_impaired:
        signs.append("EC2's status check fails")
    return signs


def _silence(seen: Seen, memory: Memory, settings: Settings) -> tuple[bool, str]:
    """Whether it is silent, and the words for it."""
    beat_s, own_s = seen.beat_age_s, seen.own_age_s
    if own_s is None or own_s > settings.silence_s:
        return False, "metrics are late: the watchdog's own has not arrived"
    if beat_s is not None:
        # What runs may be of a version that sends them less often than the deployed settings say.
        if beat_s < max(settings.silence_s, BEATS * seen.beat_gap_s) or own_s >= beat_s:
            return False, f"its heartbeat is {beat_s:.0f} s old"
        return True, f"silent for {beat_s:.0f} s"
    if memory.boot.instance_id == seen.instance_id and memory.boot.beaten:
        return True, "silent for longer than metrics are looked at"
    if seen.lifecycle == "InService":
        return False, "no heartbeat of it has ever arrived"
    if seen.age_s < settings.boot_silence_s:
        return False, f"it was launched {seen.age_s:.0f} s ago and has {settings.boot_silence_s:.0f} s"
    return True, f"silent since its launch {seen.age_s:.0f} s ago"
