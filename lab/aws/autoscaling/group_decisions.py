"""What an Auto Scaling group does next: pure decisions, no moto, no clock, no lock.

For: `groups` builds a `GroupSeen` and carries out the decisions. Guarantees: the same observation gives the same
decisions; a replacement is launched at the same moment its predecessor is terminated, never after it.
Does not: model warm pools, scaling policies, instance refresh, AZRebalance (with one instance there is nothing to
balance). Sources: Auto Scaling user guide "Health checks for instances", "Lifecycle hooks", "Suspend and resume
processes", "Instance maintenance policies", "Launch replacement instances before terminating old ones".
"""

from dataclasses import dataclass

LEAVING = ("Terminating", "Terminating:Wait", "Terminating:Proceed")
STARTING = ("Pending", "Pending:Wait", "Pending:Proceed")
_GONE_STATES = ("shutting-down", "terminated", "stopping", "stopped")

CAUSE_EC2_STATE = (
    "an instance was taken out of service in response to an EC2 health check "
    "indicating it has been terminated or stopped."
)
CAUSE_STATUS_CHECK = "an instance was taken out of service in response to an EC2 instance status checks failure."
CAUSE_USER_HEALTH = "an instance was taken out of service in response to a user health-check."
CAUSE_LAUNCH_ABANDONED = (
    "an instance was taken out of service in response to a launch lifecycle action that was abandoned."
)
CAUSE_REPLACE = "an instance was launched in response to an unhealthy instance needing to be replaced."


@dataclass(frozen=True, kw_only=True)
class WaitSeen:
    """An outstanding lifecycle action."""

    deadline: float
    default_result: str
    result: str = ""  # "" until completed, then CONTINUE or ABANDON


@dataclass(frozen=True, kw_only=True)
class MemberSeen:
    """An instance of the group, with what EC2 says about it. Times in seconds of the group's clock."""

    instance_id: str
    zone: str
    lifecycle: str
    health: str = "Healthy"
    unhealthy_cause: str = ""
    ec2_state: str = "running"
    impaired_for_s: float | None = None
    in_service_since: float | None = None
    launched_at: float = 0.0
    protected: bool = False
    waits: tuple[WaitSeen, ...] = ()


@dataclass(frozen=True, kw_only=True)
class GroupSeen:
    desired: int
    maximum: int
    grace_s: float
    impaired_replace_s: float
    members: tuple[MemberSeen, ...] = ()
    suspended: frozenset[str] = frozenset()
    launch_hooks: bool = False
    terminate_hooks: bool = False
    look_at_health: bool = True
    launch_first: bool = False  # maintenance policy or account setting: replacement before termination
    launch_allowed_at: float = 0.0  # back-off after a failed launch


@dataclass(frozen=True)
class Move:
    instance_id: str
    to: str


@dataclass(frozen=True)
class MarkUnhealthy:
    instance_id: str
    cause: str


@dataclass(frozen=True)
class Retire:
    """Begin to terminate an instance, and why."""

    instance_id: str
    cause: str
    replace: bool = True  # False when the group shrinks
    abandoned: str = ""  # why its launch has failed, when that is the reason


@dataclass(frozen=True)
class CutOut:
    """Have EC2 terminate an instance whose hooks are done."""

    instance_id: str


@dataclass(frozen=True)
class Forget:
    """Drop an instance that EC2 has terminated."""

    instance_id: str


@dataclass(frozen=True)
class Launch:
    count: int


Decision = Move | MarkUnhealthy | Retire | CutOut | Forget | Launch


def decide(group: GroupSeen, now: float) -> list[Decision]:
    """All decisions for this observation, in the order in which to carry them out."""
    decisions: list[Decision] = []
    for member in group.members:
        decisions += _decide_member(group, member, now)
    return decisions or _decide_capacity(group, now)


def _decide_member(group: GroupSeen, member: MemberSeen, now: float) -> list[Decision]:
    if member.lifecycle in LEAVING:
        return _decide_leaving(group, member, now)
    unhealthy = _decide_health(group, member, now)
    if unhealthy:
        return unhealthy
    if member.lifecycle in STARTING:
        return _decide_starting(group, member, now)
    return []


def _decide_health(group: GroupSeen, member: MemberSeen, now: float) -> list[Decision]:
    if member.health == "Healthy":
        cause = _cause_of_illness(group, member, now)
        return [MarkUnhealthy(member.instance_id, cause=cause)] if cause else []
    if {"ReplaceUnhealthy", "Terminate"} & group.suspended or member.lifecycle == "Standby":
        return []
    if group.launch_first and member.ec2_state == "running" and not _has_successor(group, member):
        return []
    return [Retire(member.instance_id, cause=member.unhealthy_cause)]


def _cause_of_illness(group: GroupSeen, member: MemberSeen, now: float) -> str:
    if "HealthCheck" in group.suspended or not group.look_at_health or member.lifecycle == "Standby":
        return ""
    if member.ec2_state in _GONE_STATES:  # immediate, even inside the grace period
        return CAUSE_EC2_STATE
    if member.impaired_for_s is None or member.lifecycle != "InService" or _in_grace(group, member, now):
        return ""
    return CAUSE_STATUS_CHECK if member.impaired_for_s >= group.impaired_replace_s else ""


def _in_grace(group: GroupSeen, member: MemberSeen, now: float) -> bool:
    return member.in_service_since is None or now < member.in_service_since + group.grace_s


def respects_grace(group: GroupSeen, member: MemberSeen, now: float) -> bool:
    """True when SetInstanceHealth with ShouldRespectGracePeriod must not take effect now."""
    return group.grace_s > 0 and _in_grace(group, member, now)


def _has_successor(group: GroupSeen, member: MemberSeen) -> bool:
    return any(
        other.lifecycle == "InService" and other.health == "Healthy" and other.instance_id != member.instance_id
        for other in group.members
    )


def _decide_starting(group: GroupSeen, member: MemberSeen, now: float) -> list[Decision]:
    if member.lifecycle == "Pending":
        if member.ec2_state != "running":
            return []
        return [Move(member.instance_id, "Pending:Wait" if group.launch_hooks else "InService")]
    if member.lifecycle == "Pending:Proceed":
        return [Move(member.instance_id, "InService")]
    results = _results(member.waits, now)
    if "ABANDON" in results:
        if "Terminate" in group.suspended:
            return []
        timed_out = all(wait.result != "ABANDON" for wait in member.waits)
        why = "Heartbeat Timeout" if timed_out else "Lifecycle Action Completed with ABANDON Result"
        return [Retire(member.instance_id, cause=CAUSE_LAUNCH_ABANDONED, abandoned=why)]
    return [] if "" in results else [Move(member.instance_id, "Pending:Proceed")]


def _results(waits: tuple[WaitSeen, ...], now: float) -> list[str]:
    return [wait.result or (wait.default_result if now >= wait.deadline else "") for wait in waits]


def _decide_leaving(group: GroupSeen, member: MemberSeen, now: float) -> list[Decision]:
    if member.lifecycle == "Terminating":
        return [Move(member.instance_id, "Terminating:Wait" if group.terminate_hooks else "Terminating:Proceed")]
    if member.lifecycle == "Terminating:Wait":
        results = _results(member.waits, now)
        done = "ABANDON" in results or "" not in results  # ABANDON skips the other hooks; both terminate
        return [Move(member.instance_id, "Terminating:Proceed")] if done else []
    if member.ec2_state == "terminated":
        return [Forget(member.instance_id)]
    return [CutOut(member.instance_id)] if member.ec2_state != "shutting-down" else []


def _decide_capacity(group: GroupSeen, now: float) -> list[Decision]:
    counted = [member for member in group.members if member.lifecycle in (*STARTING, "InService")]
    lasting = [member for member in counted if member.health == "Healthy"] if group.launch_first else counted
    missing = group.desired - len(lasting)
    if missing > 0 and "Launch" not in group.suspended and now >= group.launch_allowed_at:
        room = group.maximum + (1 if group.launch_first else 0) - len(counted)
        count = min(missing, room)
        return [Launch(count)] if count > 0 else []
    if missing < 0 and "Terminate" not in group.suspended:
        surplus = sorted(
            (member for member in lasting if not member.protected),
            key=lambda m: (m.lifecycle == "InService", m.launched_at),
        )
        cause = (
            "an instance was taken out of service in response to a difference between desired and actual capacity, "
            f"shrinking the capacity from {len(lasting)} to {group.desired}."
        )
        return [Retire(member.instance_id, cause=cause, replace=False) for member in surplus[:-missing]]
    return []


def choose_zone(
    zones: tuple[str, ...],
    *,
    in_use: dict[str, int],
    preferred: tuple[str, ...] = (),
    excluded: frozenset[str] = frozenset(),
) -> str | None:
    """The zone for one launch: told preferences first, then the emptiest, then the group's own order; None if none.

    Source: Auto Scaling user guide "Instance distribution": it launches in the zone with the fewest instances and,
    when that fails, tries another one until it succeeds (balanced-best-effort).
    """
    candidates = [zone for zone in zones if zone not in excluded]
    if not candidates:
        return None
    rank = {zone: place for place, zone in enumerate(preferred)}
    return min(candidates, key=lambda zone: (rank.get(zone, len(rank)), in_use.get(zone, 0), zones.index(zone)))
