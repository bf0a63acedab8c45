"""EventBridge's rules with a rate: each invokes its functions again and again, as long as it exists and is enabled.

For: CloudFormation, which makes rules, and the clockwork. Guarantees: a rule fires first one period after it was made,
and then once per period of the control plane's clock; a function whose policy does not let EventBridge invoke it for
this rule is not invoked; invocations may overlap. Does not: know event patterns, cron, other targets, or dead-letter
queues; nor deliver an event twice, which EventBridge may.
Sources: EventBridge user guide "Rate expressions reference" (a rate starts when the rule is created; 1 `minute`, and
`minutes` with more), "Using resource-based policies for Amazon EventBridge" (a Lambda target needs the function's
permission for events.amazonaws.com), "Creating a scheduled rule" (the shape of the event).
"""

import json
import re
import time
import uuid
from dataclasses import dataclass, field
from typing import Any

from lab.aws.core.cloud import Cloud, Room
from lab.aws.lambdas.functions import Lambdas
from lab.aws.lambdas.invocations import queue

PRINCIPAL = "events.amazonaws.com"
_RATE = re.compile(r"rate\((?:(1) minute|([2-9]|[1-9]\d+) minutes)\)")


@dataclass
class Schedules(Room):
    """Which making of a rule is the one that fires: a rule that was made again counts from then."""

    versions: dict[str, str] = field(default_factory=dict)  # by rule ARN


def minutes_of(expression: str) -> int:
    """Raises ValueError for anything but a rate in minutes."""
    found = _RATE.fullmatch(expression)
    if found is None:
        raise ValueError(expression)
    return int(found.group(1) or found.group(2))


def start(cloud: Cloud, rule: Any) -> None:
    """Let moto's record of a rule fire from now on, and no longer as it was before. Call under the lock."""
    version = Schedules.of(cloud).versions[rule.arn] = uuid.uuid4().hex
    _plan(cloud, rule, version)


def stop(cloud: Cloud, rule_arn: str) -> None:
    Schedules.of(cloud).versions.pop(rule_arn, None)


def _plan(cloud: Cloud, rule: Any, version: str) -> None:
    period_s = minutes_of(rule.scheduled_expression) * cloud.timing.minute_s

    def fire() -> None:
        if Schedules.of(cloud).versions.get(rule.arn) != version:
            return
        _plan(cloud, rule, version)
        if rule.state == "ENABLED":
            _fire(cloud, rule)

    cloud.later(period_s, fire)


def _fire(cloud: Cloud, rule: Any) -> None:
    event = {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": cloud.account_id,
        "time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(cloud.now())),
        "region": cloud.region,
        "resources": [rule.arn],
        "detail": {},
    }
    lambdas = Lambdas.of(cloud)
    for target in rule.targets:
        function = lambdas.functions.get(target["Arn"])
        if function is None or not lambdas.allows(function, PRINCIPAL, rule.arn, cloud.account_id):
            cloud.event("function", target["Arn"], f"rule {rule.name} may not invoke it, or it is not there")
            continue
        queue(cloud, function, json.loads(target["Input"]) if "Input" in target else event)
