"""Who has noticed that something is wrong: seen by what they do, or by what they say.

For: `lab.noticed.play`. Guarantees: each looks only at what happened since a moment that it is given; "" is nobody yet.
Does not: wait.
"""

from dataclasses import dataclass
from typing import Any

from bootstrap.base.names import stack_name
from lab.image.images import SERVICE
from lab.play.stage import Stage
from lab.play.standing import Standing

ENDS = ("SetInstanceHealth", "UpdateAutoScalingGroup")  # by which somebody ends an instance, or a bad image
OF_THE_WATCHDOG = (*ENDS, "CompleteLifecycleAction")  # the agent completes hooks where nothing is wrong
HEALTHY = "healthy"  # what the supervisor says of a service that is
RESET = "softdog: Initiating system reboot"


@dataclass(frozen=True, kw_only=True)
class Since:
    """A moment: who served, and how many calls, messages and resets by the watchdog device there had been."""

    standing: Standing
    calls: int
    messages: int
    resets: int


def now(stage: Stage) -> Since:
    before = stage.standing()
    return Since(
        standing=before,
        calls=len(stage.lab.control_plane.calls.calls()),
        messages=len(_messages(stage)),
        resets=_resets(stage, before.instance_id),
    )


def noticed_by(stage: Stage, since: Since) -> str:
    """Who does something about it, or says that something is wrong."""
    before = since.standing
    for call in stage.lab.control_plane.calls.calls()[since.calls :]:
        is_watchdog = "watchdog" in call.caller.arn.lower()
        action = call.action.partition(":")[2]
        if ":assumed-role/" in call.caller.arn and action in (OF_THE_WATCHDOG if is_watchdog else ENDS):
            return "watchdog" if is_watchdog else "agent"
    if _resets(stage, before.instance_id) > since.resets:
        return "watchdog device"
    if stage.lab.hypervisor.machine(before.instance_id) is None:
        return "fence"
    group = stage.lab.control_plane.group(stack_name(SERVICE))
    mine = {one.instance_id: one for one in group.members}.get(before.instance_id) if group else None
    if mine is None or mine.lifecycle_state != "InService":
        return "EC2"
    state = stage.standing()
    is_mine = state.instance_id == before.instance_id
    return "agent" if is_mine and state.sentence not in (before.sentence, HEALTHY) else ""


def new_agent(stage: Stage, since: Since) -> str:
    """A run of the agent has begun on the same machine: systemd has ended the one before."""
    state = stage.standing()
    is_mine = state.instance_id == since.standing.instance_id
    return "systemd" if is_mine and state.phase not in ("ready", "") else ""


def watchdog_of_a_successor(stage: Stage, since: Since) -> str:
    """The watchdog function has ended a boot; what the group did to the instance before is a part of the case."""
    calls = stage.lab.control_plane.calls.calls()[since.calls :]
    found = any(
        "watchdog" in call.caller.arn.lower() and call.action.partition(":")[2] in OF_THE_WATCHDOG for call in calls
    )
    return "watchdog" if found else ""


def told(stage: Stage, since: Since) -> tuple[str, ...]:
    """The kinds of the messages that people have got, in order."""
    return tuple(str(one["attributes"].get("kind", "")) for one in _messages(stage)[since.messages :])


def _messages(stage: Stage) -> list[dict[str, Any]]:
    return stage.lab.control_plane.messages(stack_name(SERVICE))


def _resets(stage: Stage, instance_id: str) -> int:
    machine = stage.lab.hypervisor.machine(instance_id)
    return machine.console_path.read_text(errors="replace").count(RESET) if machine is not None else 0
