"""Auto Scaling: answer or prolong a lifecycle hook, read lifecycle states, report this instance unhealthy.

For: claims.group, run.ending, and the lease's evidence. Guarantees: thin, no loops; every error is a CloudError; a hook
that does not wait is an answer, not an error. Does not: decide.
Sources: Auto Scaling API reference: CompleteLifecycleAction (takes the instance id instead of a token; ValidationError
"No active Lifecycle Action found with instance ID ..."), RecordLifecycleActionHeartbeat (restarts the time-out; at most
100 time-outs or 48 hours in all), DescribeAutoScalingInstances (HealthStatus is documented as Healthy and arrives as
HEALTHY; an instance that is in no group is left out of the answer), SetInstanceHealth.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal

from bootstrap.base.errors import CloudError
from bootstrap.base.member import Member
from bootstrap.cloud.clients import Clients, converted

HookResult = Literal["CONTINUE", "ABANDON"]


class AutoScaling:
    """The calls about one instance of one group."""

    def __init__(self, clients: Clients, group: str, instance_id: str) -> None:
        self._clients = clients
        self._group = group
        self._instance_id = instance_id

    def complete_hook(self, hook: str, result: HookResult) -> bool:
        """Answer the lifecycle hook; False when it does not wait for this instance. Raises CloudError."""
        return _was_waiting(
            f"complete lifecycle hook {hook} of {self._instance_id} with {result}",
            lambda: self._clients.autoscaling().complete_lifecycle_action(
                **self._action(hook), LifecycleActionResult=result
            ),
        )

    def prolong_hook(self, hook: str) -> bool:
        """Restart the time-out of the hook; False when it does not wait for this instance. Raises CloudError."""
        return _was_waiting(
            f"heartbeat of lifecycle hook {hook} of {self._instance_id}",
            lambda: self._clients.autoscaling().record_lifecycle_action_heartbeat(**self._action(hook)),
        )

    def _action(self, hook: str) -> dict[str, str]:
        return {"AutoScalingGroupName": self._group, "LifecycleHookName": hook, "InstanceId": self._instance_id}

    def lifecycle_state(self) -> str:
        """`Pending:Wait`, `InService`, ... or "" when no group lists this instance. Raises CloudError."""
        with converted(f"describe {self._instance_id} in its group"):
            answer = self._clients.autoscaling().describe_auto_scaling_instances(InstanceIds=[self._instance_id])
        found = answer["AutoScalingInstances"]
        return str(found[0]["LifecycleState"]) if found else ""

    def members(self, instance_ids: Sequence[str]) -> dict[str, Member]:
        """Those of `instance_ids` that are in the group, by instance id. Raises CloudError."""
        with converted(f"describe {', '.join(instance_ids)} in the group"):
            answer = self._clients.autoscaling().describe_auto_scaling_instances(InstanceIds=list(instance_ids))
        return {
            str(item["InstanceId"]): Member(
                lifecycle_state=str(item["LifecycleState"]), is_healthy=str(item["HealthStatus"]).upper() == "HEALTHY"
            )
            for item in answer["AutoScalingInstances"]
            if item["AutoScalingGroupName"] == self._group
        }

    def report_unhealthy(self) -> None:
        """Have the group replace this instance now, even within its grace period. Raises CloudError."""
        with converted(f"report {self._instance_id} unhealthy"):
            self._clients.autoscaling().set_instance_health(
                InstanceId=self._instance_id, HealthStatus="Unhealthy", ShouldRespectGracePeriod=False
            )


def _was_waiting(what: str, call: Callable[[], object]) -> bool:
    try:
        with converted(what):
            call()
    except CloudError as error:
        if error.code == "ValidationError" and "no active lifecycle action" in str(error).lower():
            return False
        raise
    return True
