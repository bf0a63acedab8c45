"""Lifecycle hooks and the lifecycle actions that instances wait for.

For: the agent's CompleteLifecycleAction and RecordLifecycleActionHeartbeat. Guarantees: an action is outstanding from
the moment the instance enters `Pending:Wait` or `Terminating:Wait` until it is completed, abandoned or timed out.
Does not: send hook notifications (our template has none).
Sources: Auto Scaling API reference PutLifecycleHook (HeartbeatTimeout 30-7200 s, default 3600; DefaultResult default
ABANDON), CompleteLifecycleAction; error text from aws/aws-cdk#16356.
"""

import re
import uuid
from dataclasses import dataclass, field
from typing import Any

from lab.aws.autoscaling.group_decisions import WaitSeen
from lab.aws.core.errors import group_refused, validation_error

LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"
_GLOBAL_MAXIMUM_S = 172_800
_GLOBAL_HEARTBEATS = 100
_MOST_HOOKS = 50  # Auto Scaling user guide "Quotas for Auto Scaling resources and groups"
_NAME = re.compile(r"[A-Za-z0-9\-_/]{1,255}")


@dataclass
class Hook:
    name: str
    transition: str
    heartbeat_s: int = 3600
    default_result: str = "ABANDON"
    role_arn: str | None = None
    target_arn: str | None = None
    metadata: str | None = None

    def describe(self, group_name: str) -> dict[str, Any]:
        """As DescribeLifecycleHooks shows it."""
        return {
            "LifecycleHookName": self.name,
            "AutoScalingGroupName": group_name,
            "LifecycleTransition": self.transition,
            "HeartbeatTimeout": self.heartbeat_s,
            "DefaultResult": self.default_result,
            "GlobalTimeout": min(_GLOBAL_MAXIMUM_S, _GLOBAL_HEARTBEATS * self.heartbeat_s),
            "RoleARN": self.role_arn,
            "NotificationTargetARN": self.target_arn,
            "NotificationMetadata": self.metadata,
        }


@dataclass
class Wait:
    """One outstanding lifecycle action of one instance."""

    hook: Hook
    deadline: float
    last_deadline: float
    token: str = field(default_factory=lambda: str(uuid.uuid4()))
    result: str = ""

    def seen(self) -> WaitSeen:
        return WaitSeen(deadline=self.deadline, default_result=self.hook.default_result, result=self.result)


def hook_from(specification: dict[str, Any], existing: Hook | None = None) -> Hook:
    """A hook from PutLifecycleHook's or the group's own list's parameters. Raises ValidationError."""
    name, transition = specification.get("LifecycleHookName"), specification.get("LifecycleTransition")
    transition = transition or (existing.transition if existing else None)
    if transition not in (LAUNCHING, TERMINATING):
        raise validation_error(f"LifecycleTransition must be one of {LAUNCHING}, {TERMINATING}: {transition}")
    if not _NAME.fullmatch(str(name)):
        raise validation_error(f"'{name}' at 'lifecycleHookName' must satisfy regular expression {_NAME.pattern}")
    given = specification.get("HeartbeatTimeout")
    heartbeat_s = int(given) if given is not None else existing.heartbeat_s if existing else 3600
    if not 30 <= heartbeat_s <= 7200:
        raise validation_error("Heartbeat timeout must be between 30 and 7200 seconds")
    result = specification.get("DefaultResult") or (existing.default_result if existing else "ABANDON")
    if result not in ("CONTINUE", "ABANDON"):
        raise validation_error("Lifecycle Action Result must be one of CONTINUE, ABANDON")
    return Hook(
        name=str(name),
        transition=transition,
        heartbeat_s=heartbeat_s,
        default_result=result,
        role_arn=specification.get("RoleARN"),
        target_arn=specification.get("NotificationTargetARN"),
        metadata=specification.get("NotificationMetadata"),
    )


def put_hook(hooks: dict[str, Hook], hook: Hook) -> None:
    """Add a hook to a group's, or replace the one of its name. Raises LimitExceeded for the 51st."""
    if hook.name not in hooks and len(hooks) >= _MOST_HOOKS:
        raise group_refused("LimitExceeded", f"You have reached the limit of {_MOST_HOOKS} lifecycle hooks per group")
    hooks[hook.name] = hook


def begin_waits(hooks: dict[str, Hook], transition: str, now: float) -> dict[str, Wait]:
    """The actions an instance waits for when it enters a transition."""
    return {
        hook.name: Wait(
            hook=hook,
            deadline=now + hook.heartbeat_s,
            last_deadline=now + min(_GLOBAL_MAXIMUM_S, _GLOBAL_HEARTBEATS * hook.heartbeat_s),
        )
        for hook in hooks.values()
        if hook.transition == transition
    }


def find_wait(waits: dict[str, Wait], *, hook_name: str, token: str | None, instance_id: str | None) -> Wait:
    """The outstanding action that a call refers to. Raises AWS's ValidationError when there is none."""
    wait = waits.get(hook_name)
    if wait is None or wait.result or (token and wait.token != token):
        if token:
            raise validation_error(f"No active Lifecycle Action found with token {token}")
        raise validation_error(f"No active Lifecycle Action found with instance ID {instance_id}")
    return wait


def beat(wait: Wait, now: float) -> None:
    """RecordLifecycleActionHeartbeat: the heartbeat timeout starts again, within the global timeout."""
    wait.deadline = min(wait.last_deadline, now + wait.hook.heartbeat_s)
