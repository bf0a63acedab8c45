"""Promote a staged launch template version, or go back to the one before.

For: `cdk deploy` only stages (adds a version); this makes a version the one that every launch boots, planned or not,
and ends the running instance so that it takes effect now. Guarantees: planning reads only; a plan is a list of steps,
each with its sentence; running it again after an interruption completes it. The group heals with the old version until
the last pointer has moved. Does not: judge whether the new image is good; `wait_until_ready` says what happened.

Sources: CloudFormation never changes a launch template's default version itself; ModifyLaunchTemplate and
UpdateAutoScalingGroup do not replace running instances; TerminateInstanceInAutoScalingGroup without decrement does
(EC2 and Auto Scaling API reference).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from bootstrap.base.names import rollouts_parameter
from rollout.errors import IncompleteError, NotReadyInTime, PreconditionError
from rollout.observe import Clients, Observed, ReportedState, read_state

HISTORY_KEPT = 20
POLL_S = 2.0
Action = Literal["set-default", "set-group", "record", "end-instance"]


class Clock(Protocol):
    """Time as the rollout sees it: `monotonic` in seconds, and `sleep`."""

    def monotonic(self) -> float: ...
    def sleep(self, seconds: float) -> None: ...


@dataclass(frozen=True, kw_only=True)
class Step:
    """One change, with the sentence that says what and why."""

    action: Action
    sentence: str
    instance_id: str = ""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a promotion will do, in order."""

    service: str
    from_version: int
    to_version: int
    image_id: str
    steps: tuple[Step, ...]


def plan_promotion(seen: Observed, version: int | None = None, *, replace: bool = True) -> Plan:
    """What it takes to make `version` (default: the newest staged) the one that boots. Pure.

    `replace` False leaves the running instance alone: the version then takes effect at the next launch.
    Raises PreconditionError where there is no such version.
    """
    target = seen.version(version if version is not None else seen.versions[-1].number)
    steps: list[Step] = []
    if seen.default_version != target.number:
        text = f"version {target.number} noted in the rollout history, with {seen.default_version} as the way back"
        steps.append(Step(action="record", sentence=text))
        text = f"default version {seen.default_version} -> {target.number}, so that the next deploy keeps it"
        steps.append(Step(action="set-default", sentence=text))
    if seen.group_version != str(target.number):
        text = f"group version {seen.group_version} -> {target.number}, so that every launch boots {target.image_id}"
        steps.append(Step(action="set-group", sentence=text))
    if replace:
        steps.extend(_endings(seen, target.image_id, pointers_move=bool(steps)))
    return Plan(
        service=seen.service,
        from_version=seen.default_version,
        to_version=target.number,
        image_id=target.image_id,
        steps=tuple(steps),
    )


def _endings(seen: Observed, image_id: str, *, pointers_move: bool) -> Iterator[Step]:
    for instance_id in seen.instance_ids:
        runs_target = seen.state.instance_id == instance_id and seen.state.image_id == image_id
        if runs_target and not pointers_move:
            continue  # promoting again after an interruption must not end an instance that is already the new one
        text = f"instance {instance_id} ended gracefully; the group launches {image_id}"
        yield Step(action="end-instance", sentence=text, instance_id=instance_id)


def previous_version(clients: Clients, seen: Observed) -> int:
    """The version that was promoted before the present one. Raises PreconditionError where none is known."""
    for entry in reversed(_history(clients, seen.service)):
        if entry["to_version"] == seen.default_version:
            return int(entry["from_version"])
    raise PreconditionError(
        f"{seen.service}: no promotion of version {seen.default_version} in {rollouts_parameter(seen.service)}; "
        "name the version to go back to"
    )


def execute(
    clients: Clients, seen: Observed, plan: Plan, say: Callable[[str], None], *, now: datetime | None = None
) -> None:
    """Carry out `plan`, saying each step's sentence once it is done.

    Raises IncompleteError naming the step that failed; running the same command again completes the plan.
    """
    done: list[str] = []
    for step in plan.steps:
        try:
            _act(clients, seen, plan, step, now or datetime.now(UTC))
        except (ClientError, BotoCoreError) as error:
            so_far = f" after: {'; '.join(done)}" if done else ""
            raise IncompleteError(
                f"{plan.service}: step {step.action} failed{so_far}: {error}. Run the same command again to complete it"
            ) from error
        done.append(step.action)
        say(step.sentence)


def _act(clients: Clients, seen: Observed, plan: Plan, step: Step, now: datetime) -> None:
    if step.action == "set-default":
        clients.ec2.modify_launch_template(
            LaunchTemplateId=seen.launch_template_id, DefaultVersion=str(plan.to_version)
        )
    elif step.action == "set-group":
        clients.autoscaling.update_auto_scaling_group(
            AutoScalingGroupName=seen.group_name,
            LaunchTemplate={"LaunchTemplateId": seen.launch_template_id, "Version": str(plan.to_version)},
        )
    elif step.action == "record":
        _remember(clients, plan, now)
    else:
        clients.autoscaling.terminate_instance_in_auto_scaling_group(
            InstanceId=step.instance_id, ShouldDecrementDesiredCapacity=False
        )


def wait_until_ready(
    clients: Clients, plan: Plan, clock: Clock, *, deadline_s: float, ended: tuple[str, ...] = ()
) -> ReportedState:
    """Wait until an instance other than `ended` reports ready on the promoted image; returns its state.

    Raises NotReadyInTime with the last state seen after `deadline_s` seconds.
    """
    started = clock.monotonic()
    while True:
        state = read_state(clients, plan.service)
        if state.phase == "ready" and state.image_id == plan.image_id and state.instance_id not in ended:
            return state
        waited = clock.monotonic() - started
        if waited >= deadline_s:
            raise NotReadyInTime(
                f"{plan.service}: not ready on {plan.image_id} after {waited:.0f} s; last state: "
                f"{state.phase or 'none'} of {state.instance_id or 'nobody'} on {state.image_id or '-'}"
                f"{': ' + state.sentence if state.sentence else ''}. Look at its boot log, or roll back"
            )
        clock.sleep(POLL_S)


def _history(clients: Clients, service: str) -> list[dict[str, Any]]:
    try:
        text = clients.ssm.get_parameter(Name=rollouts_parameter(service))["Parameter"]["Value"]
    except clients.ssm.exceptions.ParameterNotFound:
        return []
    return list(json.loads(text))


def _remember(clients: Clients, plan: Plan, now: datetime) -> None:
    moved = {"from_version": plan.from_version, "to_version": plan.to_version, "image_id": plan.image_id}
    history = _history(clients, plan.service)
    if history and moved.items() <= history[-1].items():
        return  # noted already by a run that was interrupted afterwards
    history = [*history, {"at": now.isoformat(timespec="seconds"), **moved}][-HISTORY_KEPT:]
    clients.ssm.put_parameter(
        Name=rollouts_parameter(plan.service), Value=json.dumps(history), Type="String", Overwrite=True
    )
