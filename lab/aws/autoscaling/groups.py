"""Auto Scaling groups at work: observe, decide, carry out.

For: keeps each group at its desired capacity as AWS does, one state at a time. Guarantees: decisions come from
`group_decisions`; every launch and termination is a scaling activity with AWS's cause text.
Does not: answer API calls (`group_api`), or balance zones of running instances.
Sources: see `group_decisions`; activity texts: Auto Scaling user guide "Verify a scaling activity".
"""

from lab.aws.autoscaling.group_decisions import (
    CutOut,
    Decision,
    Forget,
    GroupSeen,
    Launch,
    MarkUnhealthy,
    MemberSeen,
    Move,
    Retire,
    decide,
)
from lab.aws.autoscaling.group_launch import launch
from lab.aws.autoscaling.group_records import Activity, Group, Member, begin_activity
from lab.aws.autoscaling.lifecycle_hooks import LAUNCHING, TERMINATING, begin_waits
from lab.aws.autoscaling.state import LAUNCH_FIRST, AutoScaling
from lab.aws.core.cloud import Cloud
from lab.aws.ec2.instances import begin_termination
from lab.aws.ec2.state import Ec2


def run_groups(cloud: Cloud) -> bool:
    """Look at every group once; True when anything was done."""
    return any([_run_group(cloud, group) for group in list(AutoScaling.of(cloud).groups.values())])


def _run_group(cloud: Cloud, group: Group) -> bool:
    done = False
    look_at_health = cloud.now() >= group.next_health_at
    if look_at_health:
        group.next_health_at = cloud.now() + cloud.timing.group_poll_s
    for _ in range(20):
        decisions = decide(observe(cloud, group, look_at_health=look_at_health), cloud.now())
        if not decisions:
            return done
        for decision in decisions:
            _carry_out(cloud, group, decision)
        done = True
    return done


def observe(cloud: Cloud, group: Group, *, look_at_health: bool = True) -> GroupSeen:
    record = group.record
    return GroupSeen(
        desired=0 if group.is_deleting else int(record.desired_capacity or 0),
        maximum=int(record.max_size or 0),
        grace_s=group.grace_s,
        impaired_replace_s=cloud.timing.impaired_replace_s,
        members=tuple(_observe_member(cloud, member) for member in group.members.values()),
        suspended=frozenset(process["ProcessName"] for process in record.suspended_processes),
        launch_hooks=any(hook.transition == LAUNCHING for hook in group.hooks.values()),
        terminate_hooks=any(hook.transition == TERMINATING for hook in group.hooks.values()),
        look_at_health=look_at_health,
        launch_first=group.launches_first(by_default=AutoScaling.of(cloud).account_settings[LAUNCH_FIRST] == "enabled"),
        launch_allowed_at=group.launch_allowed_at,
    )


def _observe_member(cloud: Cloud, member: Member) -> MemberSeen:
    instance = cloud.backend("ec2").get_instance_by_id(member.instance_id)
    life = Ec2.of(cloud).lives.get(member.instance_id)
    impaired_since = life.impaired_since if life is not None else None
    return MemberSeen(
        instance_id=member.instance_id,
        zone=member.zone,
        lifecycle=member.lifecycle,
        health=member.health,
        unhealthy_cause=member.unhealthy_cause,
        ec2_state=instance.state if instance is not None else "terminated",
        impaired_for_s=None if impaired_since is None else cloud.now() - impaired_since,
        in_service_since=member.in_service_since,
        launched_at=member.launched_at,
        protected=member.protected,
        waits=tuple(wait.seen() for wait in member.waits.values()),
    )


def _carry_out(cloud: Cloud, group: Group, decision: Decision) -> None:
    if isinstance(decision, Launch):
        for _ in range(decision.count):
            launch(cloud, group)
        return
    member = group.members[decision.instance_id]
    if isinstance(decision, Move):
        _move(cloud, group, member, decision.to)
    elif isinstance(decision, MarkUnhealthy):
        member.health, member.unhealthy_cause = "Unhealthy", decision.cause
        cloud.event("group", group.name, f"{member.instance_id} is Unhealthy: {decision.cause}")
    elif isinstance(decision, Retire):
        group.replacing += 1 if decision.replace else 0
        retire(cloud, group, member, decision.cause, abandoned=decision.abandoned)
    elif isinstance(decision, CutOut):
        begin_termination(cloud, cloud.backend("ec2").get_instance(member.instance_id))
    elif isinstance(decision, Forget):
        _forget(cloud, group, member)


def _move(cloud: Cloud, group: Group, member: Member, to: str) -> None:
    member.lifecycle, member.waits = to, {}
    transition = {"Pending:Wait": LAUNCHING, "Terminating:Wait": TERMINATING}.get(to)
    if transition is not None:
        member.waits = begin_waits(group.hooks, transition, cloud.now())
        for wait in member.waits.values():
            cloud.look_again_in(wait.hook.heartbeat_s)
    if to == "InService":
        member.in_service_since = cloud.now()
        if member.launch is not None:
            member.launch.end(cloud.now(), "Successful")
    cloud.event("group", group.name, f"{member.instance_id}: {to}")


def retire(cloud: Cloud, group: Group, member: Member, cause: str, *, abandoned: str = "") -> Activity:
    """Begin to terminate an instance; returns the activity."""
    if member.termination is not None:
        return member.termination
    if abandoned and member.launch is not None:
        token = next(iter(member.waits.values())).token
        member.launch.end(
            cloud.now(),
            "Cancelled",
            "Instance failed to complete user's Lifecycle Action: "
            f"Lifecycle Action with token {token} was abandoned: {abandoned}",
        )
    if member.launch is not None:
        member.launch.end(cloud.now(), "Cancelled", "The instance was terminated before it was in service.")
    member.termination = begin_activity(
        cloud, group, f"Terminating EC2 instance: {member.instance_id}", cause, member.zone
    )
    member.lifecycle, member.waits = "Terminating", {}
    cloud.event("group", group.name, f"terminating {member.instance_id}: {cause}")
    return member.termination


def _forget(cloud: Cloud, group: Group, member: Member) -> None:
    if member.termination is not None:
        member.termination.end(cloud.now(), "Successful")
    del group.members[member.instance_id]
    cloud.event("group", group.name, f"{member.instance_id} is gone")
    remove_when_empty(cloud, group)


def remove_when_empty(cloud: Cloud, group: Group) -> None:
    """End the deletion of a group. No-op while it has instances, or is not being deleted."""
    if group.is_deleting and not group.members:
        del AutoScaling.of(cloud).groups[group.name]
        cloud.backend("autoscaling").autoscaling_groups.pop(group.name, None)
