"""Promote a staged launch template version, or go back to the one before.

For: `cdk deploy` only stages (adds a version); this makes a version the one that every launch boots, planned or not,
and ends the running instance so that it takes effect now. Guarantees: planning reads only; a plan is a list of changes,
each with its sentence; running it again after an interruption completes it. Until the last pointer has moved, the group
heals with the old version. Does not: judge whether the new image is good; `wait_until_ready` says what happened.

Sources: CloudFormation never changes a launch template's default version itself; ModifyLaunchTemplate and
UpdateAutoScalingGroup do not replace running instances; TerminateInstanceInAutoScalingGroup without decrement does
(EC2 and Auto Scaling API reference).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from bootstrap.base.names import rollouts_parameter
from bootstrap.base.state import State
from rollout.aws import Clients, as_rollout_error
from rollout.errors import IncompleteError, NotReadyInTime, PreconditionError, RolloutError
from rollout.history import Promotion, note, read_history
from rollout.observe import Observed, read_state

POLL_S = 2.0
ChangeKind = Literal["note", "set-default", "set-group", "end-instance"]


class Clock(Protocol):
    """Time as the rollout sees it: `monotonic` in seconds, and `sleep`."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


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
    changes: tuple[Change, ...]

    @property
    def ended(self) -> tuple[str, ...]:
        """Ids of the instances that the plan ends."""
        return tuple(change.instance_id for change in self.changes if change.kind == "end-instance")


def plan_promotion(seen: Observed, version: int | None = None, *, replace: bool = True) -> Plan:
    """What it takes to make `version` (default: the newest staged) the one that boots. Pure.

    `replace` False leaves the running instance alone: the version then takes effect at the next launch.
    Raises PreconditionError where there is no such version.
    """
    target = seen.version(version if version is not None else seen.versions[-1].number)
    changes: list[Change] = []
    if seen.default_version != target.number:
        text = f"version {target.number} noted in the rollout history, with {seen.default_version} as the way back"
        changes.append(Change(kind="note", sentence=text))
        text = f"default version {seen.default_version} -> {target.number}, so that the next deploy keeps it"
        changes.append(Change(kind="set-default", sentence=text))
    if seen.group_version != str(target.number):
        text = f"group version {seen.group_version} -> {target.number}, so that every launch boots {target.image_id}"
        changes.append(Change(kind="set-group", sentence=text))
    if replace:
        changes.extend(_endings(seen, target.image_id, pointers_move=bool(changes)))
    return Plan(
        service=seen.service,
        from_version=seen.default_version,
        to_version=target.number,
        image_id=target.image_id,
        changes=tuple(changes),
    )


def _endings(seen: Observed, image_id: str, *, pointers_move: bool) -> Iterator[Change]:
    for instance_id in seen.instance_ids:
        runs_target = seen.state.instance_id == instance_id and seen.state.image_id == image_id
        if runs_target and not pointers_move:
            continue  # promoting again after an interruption must not end an instance that is already the new one
        text = f"instance {instance_id} ended gracefully; the group launches {image_id}"
        yield Change(kind="end-instance", sentence=text, instance_id=instance_id)


def previous_version(clients: Clients, seen: Observed) -> int:
    """The version promoted before the present one. Raises RolloutError; PreconditionError where none is known."""
    for entry in reversed(read_history(clients, seen.service)):
        if entry.to_version == seen.default_version:
            return entry.from_version
    others = ", ".join(str(version.number) for version in seen.versions if version.number != seen.default_version)
    raise PreconditionError(
        f"{seen.service}: parameter {rollouts_parameter(seen.service)} has no promotion of version "
        f"{seen.default_version}, so the version before it is unknown. "
        + (f"Give --to-version, one of {others}" if others else "There is no other version; deploy one first")
    )


def execute(
    clients: Clients, seen: Observed, plan: Plan, say: Callable[[str], None], *, now: datetime | None = None
) -> None:
    """Carry out `plan`, saying each change's sentence once it is made.

    Raises IncompleteError naming the change that failed; running the same command again completes the plan.
    """
    done: list[str] = []
    for change in plan.changes:
        try:
            _make(clients, seen, plan, change, now or datetime.now(UTC))
        except (RolloutError, ClientError, BotoCoreError) as error:
            raise _incomplete(plan, change, done, error) from error
        done.append(change.kind)
        say(change.sentence)


def _make(clients: Clients, seen: Observed, plan: Plan, change: Change, now: datetime) -> None:
    if change.kind == "set-default":
        clients.ec2.modify_launch_template(
            LaunchTemplateId=seen.launch_template_id, DefaultVersion=str(plan.to_version)
        )
    elif change.kind == "set-group":
        clients.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=seen.group_name,
            LaunchTemplate={"LaunchTemplateId": seen.launch_template_id, "Version": str(plan.to_version)},
        )
    elif change.kind == "note":
        promotion = Promotion(
            at=now.isoformat(timespec="seconds"),
            from_version=plan.from_version,
            to_version=plan.to_version,
            image_id=plan.image_id,
        )
        note(clients, plan.service, promotion)
    else:
        clients.autoscaling.terminate_instance_in_auto_scaling_group(
            InstanceId=change.instance_id, ShouldDecrementDesiredCapacity=False
        )


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


def wait_until_ready(
    clients: Clients, plan: Plan, clock: Clock, *, deadline_s: float, ended: tuple[str, ...] = ()
) -> State:
    """Wait until an instance other than `ended` reports ready on the promoted image; returns its state.

    An error of AWS is not the end: the instance boots all the same. Raises NotReadyInTime with what was seen last after
    `deadline_s` seconds.
    """
    started = clock.monotonic()
    while True:
        try:
            state = read_state(clients, plan.service)
            if state.phase == "ready" and state.image_id == plan.image_id and state.instance_id not in ended:
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
