"""Promote a staged launch template version, or go back to the one before.

For: `cdk deploy` only stages (adds a version); this makes a version the one that every launch boots, planned or not,
and ends the running instance so that it takes effect now. Guarantees: planning reads only; a plan is a list of changes,
each with its sentence; running it again after an interruption completes it, and ends no instance that was launched
from the version already. Until the stack's update has reached the group, the group heals with the old version.
Does not: judge whether the new image is good; `wait_until_ready` says what happened.

Sources: UpdateAutoScalingGroup replaces no running instance; TerminateInstanceInAutoScalingGroup without decrement does
(Auto Scaling API reference). CloudFormation writes the whole group whenever it updates it (aws/aws-cdk#23127), so
the version must be its own (rollout.stack). The template's default version is moved as well: it is what a deployment
falls back to that forgets the stack's parameter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from botocore.exceptions import BotoCoreError, ClientError

from bootstrap.base.names import FIRST_VERSION, rollouts_parameter
from bootstrap.base.state import State
from rollout.aws import Clients, as_rollout_error
from rollout.errors import IncompleteError, NotReadyInTime, PreconditionError, RolloutError
from rollout.history import Promotion, note, read_history, way_back
from rollout.observe import Observed, StagedVersion, read_state
from rollout.stack import POLL_S, Clock, SystemClock, set_promoted

SYSTEM_CLOCK = SystemClock()
ChangeKind = Literal["note", "set-default", "set-stack", "set-group", "end-instance"]


@dataclass(frozen=True, kw_only=True)
class Change:
    """One change of a plan, with the sentence that says what and why."""

    kind: ChangeKind
    sentence: str
    instance_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a promotion will do, in order."""

    service: str
    from_version: int
    to_version: int
    image_id: str
    is_rollback: bool
    former: tuple[str, ...]  # instances that are not of the version, whatever they report
    changes: tuple[Change, ...]


def plan_promotion(
    seen: Observed, version: int | None = None, *, replace: bool = True, is_rollback: bool = False
) -> Plan:
    """What it takes to make `version` (default: the one that the last deployment staged) the one that boots. Pure.

    `replace` False leaves the running instance alone: the version then takes effect at the next launch.
    Raises PreconditionError where there is no such version, or the stack cannot be updated now.
    """
    seen.stack.check_settled()
    target = seen.staged if version is None else seen.version(version)
    changes = list(_pointers(seen, target))
    if replace:
        changes.extend(_endings(seen, target))
    of_version = {member.instance_id for member in seen.members if member.version == str(target.number)}
    known = {member.instance_id for member in seen.members} | ({seen.state.instance_id} - {""})
    return Plan(
        service=seen.service,
        from_version=seen.promoted,
        to_version=target.number,
        image_id=target.image_id,
        is_rollback=is_rollback,
        former=tuple(sorted(known - of_version)),
        changes=tuple(changes),
    )


def _pointers(seen: Observed, target: StagedVersion) -> Iterator[Change]:
    number, promoted = target.number, seen.promoted
    if promoted != number:
        text = f"version {number} noted in the rollout history, with {promoted} as the way back"
        yield Change(kind="note", sentence=text)
    if seen.default_version != number:
        text = f"default version {seen.default_version} -> {number}, for deployments that forget the stack's parameter"
        yield Change(kind="set-default", sentence=text)
    written = seen.stack.promoted
    if written == str(number):
        if seen.group_version != str(number):
            text = f"group version {seen.group_version} -> {number}: it was changed outside the stack"
            yield Change(kind="set-group", sentence=text)
    elif written != FIRST_VERSION or seen.group_version != str(number):
        text = f"group version {seen.group_version} -> {number} by the stack: every launch boots {target.image_id}"
        yield Change(kind="set-stack", sentence=text)


def _endings(seen: Observed, target: StagedVersion) -> Iterator[Change]:
    for member in seen.members:
        if member.version != str(target.number):
            text = f"instance {member.instance_id} ended gracefully; the group launches {target.image_id}"
            yield Change(kind="end-instance", sentence=text, instance_id=member.instance_id)


def previous_version(clients: Clients, seen: Observed) -> int:
    """The version promoted before the present one. Raises RolloutError; PreconditionError where none is known."""
    history = tuple(
        entry
        for entry in read_history(clients, seen.service)
        if entry.launch_template_id == seen.launch_template_id  # a stack that was made again counts from 1 again
    )
    version = way_back(history, seen.promoted, is_ready=seen.serves(seen.promoted))
    if version is not None:
        return version
    others = ", ".join(str(version.number) for version in seen.versions if version.number != seen.promoted)
    raise PreconditionError(
        f"{seen.service}: parameter {rollouts_parameter(seen.service)} has no promotion of version "
        f"{seen.promoted}, so the version before it is unknown. "
        + (f"Give --to-version, one of {others}" if others else "There is no other version; deploy one first")
    )


def execute(
    clients: Clients,
    seen: Observed,
    plan: Plan,
    say: Callable[[str], None],
    *,
    clock: Clock = SYSTEM_CLOCK,
    now: datetime | None = None,
) -> None:
    """Carry out `plan`, saying each change's sentence once it is made.

    Raises IncompleteError naming the change that failed; running the same command again completes the plan.
    """
    done: list[str] = []
    for change in plan.changes:
        try:
            _make(clients, seen, plan, change, clock, now or datetime.now(UTC))
        except (RolloutError, ClientError, BotoCoreError) as error:
            raise _incomplete(plan, change, done, error) from error
        done.append(change.kind)
        say(change.sentence)


def _make(clients: Clients, seen: Observed, plan: Plan, change: Change, clock: Clock, now: datetime) -> None:
    if change.kind == "set-default":
        clients.ec2.modify_launch_template(
            LaunchTemplateId=seen.launch_template_id, DefaultVersion=str(plan.to_version)
        )
    elif change.kind == "set-stack":
        set_promoted(clients, seen.stack, plan.to_version, clock)
    elif change.kind == "set-group":
        clients.autoscaling.update_auto_scaling_group(AutoScalingGroupName=seen.group_name, **_launched(seen, plan))
    elif change.kind == "note":
        promotion = Promotion(
            at=now.isoformat(timespec="seconds"),
            from_version=plan.from_version,
            to_version=plan.to_version,
            image_id=plan.image_id,
            launch_template_id=seen.launch_template_id,
            is_rollback=plan.is_rollback,
        )
        note(clients, plan.service, promotion)
    else:
        clients.autoscaling.terminate_instance_in_auto_scaling_group(
            InstanceId=change.instance_id, ShouldDecrementDesiredCapacity=False
        )


def _launched(seen: Observed, plan: Plan) -> dict[str, Any]:
    """What names the version in UpdateAutoScalingGroup. Of a policy without instances distribution only on-demand
    instances are launched, by the order of the list (API reference, InstancesDistribution)."""
    template = {"LaunchTemplateId": seen.launch_template_id, "Version": str(plan.to_version)}
    if not seen.types:
        return {"LaunchTemplate": template}
    overrides = [{"InstanceType": one} for one in seen.types]
    return {
        "MixedInstancesPolicy": {"LaunchTemplate": {"LaunchTemplateSpecification": template, "Overrides": overrides}}
    }


def _incomplete(
    plan: Plan, change: Change, done: list[str], error: RolloutError | ClientError | BotoCoreError
) -> RolloutError:
    """What to say of a change that failed: nothing was changed before the first one was made."""
    failed = f"{plan.service}: {change.kind} failed" + (f" after {', '.join(done)}" if done else "")
    known = error if isinstance(error, RolloutError) else as_rollout_error(failed, error)
    if not done:
        return known
    reason = f"{failed}: {known}" if known is error else str(known)
    return IncompleteError(f"{reason}. The same command completes the rest once the cause is removed")


def wait_until_ready(clients: Clients, plan: Plan, clock: Clock, *, deadline_s: float) -> State:
    """Wait until an instance other than `plan.former` reports ready on the promoted image; returns its state.

    An error of AWS is not the end: the instance boots all the same. Raises NotReadyInTime with what was seen last after
    `deadline_s` seconds.
    """
    started = clock.monotonic()
    while True:
        try:
            state = read_state(clients, plan.service)
            if state.phase == "ready" and state.image_id == plan.image_id and state.instance_id not in plan.former:
                return state
            seen = (
                f"last state: {state.phase} of {state.instance_id or 'nobody'} on {state.image_id or '-'}"
                f"{': ' + state.sentence if state.sentence else ''}"
            )
        except RolloutError as error:
            seen = f"last error: {error}"
        waited = clock.monotonic() - started
        if waited >= deadline_s:
            raise NotReadyInTime(
                f"{plan.service}: not ready on {plan.image_id} after {waited:.0f} s; {seen}. Read the instance's "
                f"console output, or go back by soloist rollback {plan.service}"
            )
        clock.sleep(POLL_S)
