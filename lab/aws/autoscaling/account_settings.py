"""Auto Scaling's account settings, and what an instance maintenance policy may say.

For: groups ask whether a replacement comes first. Guarantees: the account setting counts only for groups without a
policy of their own; a policy outside AWS's bounds is refused. Does not: know enforcement dates.
Sources: Auto Scaling user guide "Amazon EC2 Auto Scaling account settings" and "Launch replacement instances before
terminating old ones"; API reference PutAccountSetting, InstanceMaintenancePolicy.
"""

from typing import Any

from moto.core.responses import ActionResult, EmptyResult

from lab.aws.autoscaling.state import AutoScaling
from lab.aws.core.cloud import Cloud, current, under_lock
from lab.aws.core.errors import validation_error
from lab.aws.core.patches import ABSENT, replaces

_RESPONSE = "moto.autoscaling.responses:AutoScalingResponse"


def maintenance_policy_from(given: dict[str, Any]) -> dict[str, int]:
    """The policy, or {} when (-1, -1) clears it. Raises ValidationError for a policy that AWS refuses."""
    if set(given) != {"MinHealthyPercentage", "MaxHealthyPercentage"}:
        raise validation_error("Both MinHealthyPercentage and MaxHealthyPercentage must be specified")
    policy = {key: int(value) for key, value in given.items()}
    low, high = policy["MinHealthyPercentage"], policy["MaxHealthyPercentage"]
    if (low, high) == (-1, -1):
        return {}
    if not 0 <= low <= 100 or not 100 <= high <= 200 or high - low > 100:
        raise validation_error(
            f"MinHealthyPercentage {low} must be between 0 and 100, MaxHealthyPercentage {high} between 100 and 200, "
            "and their difference at most 100"
        )
    return policy


@replaces(f"{_RESPONSE}.put_account_setting", expects=ABSENT, reason="moto does not know account settings")
@under_lock
def put_account_setting(self: Any, cloud: Cloud) -> Any:
    """PutAccountSetting: launchBeforeTerminate is enabled or disabled."""
    name, value = self._get_param("Name"), self._get_param("Value")
    if name not in AutoScaling.of(cloud).account_settings:
        raise validation_error(
            f"{name} is not an account setting: choose from {', '.join(AutoScaling.of(cloud).account_settings)}"
        )
    if value not in ("enabled", "disabled"):
        raise validation_error(f"The value of {name} must be enabled or disabled: {value}")
    AutoScaling.of(cloud).account_settings[name] = value
    cloud.event("account", name, value)
    return EmptyResult()


@replaces(f"{_RESPONSE}.describe_account_settings", expects=ABSENT, reason="moto does not know account settings")
def describe_account_settings(self: Any) -> Any:
    name = self._get_param("Name")
    cloud = current()
    with cloud.lock:
        found = [
            {"Name": key, "Value": value}
            for key, value in AutoScaling.of(cloud).account_settings.items()
            if name in (None, key)
        ]
    return ActionResult({"Settings": found})
