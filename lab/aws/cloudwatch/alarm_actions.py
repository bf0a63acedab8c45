"""What an alarm does when its state changes: it publishes to topics.

For: `alarms`. Guarantees: the message has the fields that AWS's has, as JSON; a topic whose own policy does not let
CloudWatch publish gets nothing, and the event says so. Does not: know other actions (instances, groups, functions).
Sources: CloudWatch user guide "Notifying users on alarm changes"; aws/aws-lambda-go
events/testdata/cloudwatch-alarm-sns-payload-single-metric.json (the message's fields); SNS developer guide "Example
cases for access control" (CloudWatch publishes as the service cloudwatch.amazonaws.com).
"""

import fnmatch
import json
from typing import Any

from lab.aws.core.cloud import Cloud

_SERVICE = "cloudwatch.amazonaws.com"
_REGIONS = {"us-east-1": "US East (N. Virginia)"}


def act(cloud: Cloud, alarm: Any, before: str) -> None:
    """Run the actions of the state that the alarm has now. Call under the lock."""
    if not alarm.actions_enabled:
        return
    actions = {"ALARM": alarm.alarm_actions, "OK": alarm.ok_actions}.get(
        alarm.state_value, alarm.insufficient_data_actions
    )
    for arn in actions:
        topic = cloud.backend("sns").topics.get(arn)
        if topic is None:
            cloud.event("alarm", alarm.name, f"action failed: there is no topic {arn}")
        elif not may_publish(topic.policy, alarm.alarm_arn, cloud.account_id):
            cloud.event("alarm", alarm.name, f"action failed: the policy of {arn} does not let CloudWatch publish")
        else:
            where = _REGIONS.get(cloud.region, cloud.region)
            subject = f'{alarm.state_value}: "{alarm.name}" in {where}'
            topic.publish(json.dumps(message(cloud, alarm, before)), subject=subject[:100])


def message(cloud: Cloud, alarm: Any, before: str) -> dict[str, Any]:
    """The message's document."""
    return {
        "AlarmName": alarm.name,
        "AlarmDescription": alarm.description,
        "AWSAccountId": cloud.account_id,
        "AlarmConfigurationUpdatedTimestamp": _written(alarm.configuration_updated_timestamp),
        "NewStateValue": alarm.state_value,
        "NewStateReason": alarm.state_reason,
        "StateChangeTime": _written(alarm.state_updated_timestamp),
        "Region": _REGIONS.get(cloud.region, cloud.region),
        "AlarmArn": alarm.alarm_arn,
        "OldStateValue": before,
        "OKActions": alarm.ok_actions,
        "AlarmActions": alarm.alarm_actions,
        "InsufficientDataActions": alarm.insufficient_data_actions,
        "Trigger": {
            "MetricName": alarm.metric_name,
            "Namespace": alarm.namespace,
            "StatisticType": "Statistic",
            "Statistic": alarm.statistic.upper(),
            "Unit": alarm.unit,
            "Dimensions": [{"value": one.value, "name": one.name} for one in alarm.dimensions],
            "Period": alarm.period,
            "EvaluationPeriods": alarm.evaluation_periods,
            "DatapointsToAlarm": alarm.datapoints_to_alarm or alarm.evaluation_periods,
            "ComparisonOperator": alarm.comparison_operator,
            "Threshold": alarm.threshold,
            "TreatMissingData": alarm.treat_missing_data or "missing",
            "EvaluateLowSampleCountPercentile": "",
        },
    }


def _written(moment: Any) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def may_publish(policy: Any, alarm_arn: str, account_id: str) -> bool:
    """True when an allowing statement of the topic's policy fits CloudWatch, or everybody of this account."""
    document = json.loads(policy) if isinstance(policy, str) else policy
    told = {"aws:sourceaccount": account_id, "aws:sourceowner": account_id, "aws:sourcearn": alarm_arn}
    return any(
        one.get("Effect") == "Allow" and _names_us(one.get("Principal")) and _fits(one, told)
        for one in _listed(document.get("Statement"))
    )


def _names_us(principal: Any) -> bool:
    if not isinstance(principal, dict):
        return bool(principal == "*")
    return _SERVICE in _listed(principal.get("Service")) or "*" in _listed(principal.get("AWS"))


def _fits(statement: dict[str, Any], told: dict[str, str]) -> bool:
    actions = [str(one).lower() for one in _listed(statement.get("Action"))]
    if not any(fnmatch.fnmatchcase("sns:publish", one) for one in actions):
        return False
    for operator, wanted in (statement.get("Condition") or {}).items():
        for key, values in wanted.items():
            found = told.get(key.lower())  # a key that the lab does not know makes the statement not fit
            is_exact = operator in ("StringEquals", "ArnEquals")
            if found is None or operator not in ("StringEquals", "ArnEquals", "StringLike", "ArnLike"):
                return False
            if not any(found == one if is_exact else fnmatch.fnmatchcase(found, one) for one in _listed(values)):
                return False
    return True


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [] if value is None else [value]
