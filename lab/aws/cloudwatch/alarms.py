"""Alarms over one metric each: made, looked at again and again, and what follows when their state changes.

For: the API, CloudFormation and the clockwork. Guarantees: an alarm begins with INSUFFICIENT_DATA, and a changed one
keeps its state; it is looked at every minute, or every 10 s where its period is below a minute, over windows that end
then; a change of state runs the actions of the new state, once. Does not: know composite alarms, math, percentiles.
Sources: CloudWatch API reference PutMetricAlarm (periods, state of an alarm that is changed); user guide "Alarm
evaluation" (how often; the window slides), "Alarm actions" (only when the state changes).
"""

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import ValidationError

from lab.aws.cloudwatch.alarm_actions import act
from lab.aws.cloudwatch.alarm_rules import EXTRA_POINTS, INSUFFICIENT, TREATMENTS, Rule, evaluated
from lab.aws.cloudwatch.metric_data import data_of
from lab.aws.cloudwatch.series import MINUTE_S, STATISTICS, by_period, kept
from lab.aws.core.cloud import Cloud, Room, current
from lab.aws.core.patches import original, replaces

_BACKEND = "moto.cloudwatch.models:CloudWatchBackend"
_OFTEN_S = 10
_LONGEST_S = 7 * 24 * 3600


@dataclass
class Alarms(Room):
    """Which making of an alarm is the one that is looked at."""

    versions: dict[str, str] = field(default_factory=dict)  # by name


@replaces(
    f"{_BACKEND}.put_metric_alarm",
    expects="self, name, namespace, metric_name, comparison_operator, evaluation_periods, period, threshold, "
    "statistic, description, dimensions, alarm_actions, metric_data_queries, datapoints_to_alarm, extended_statistic, "
    "ok_actions, insufficient_data_actions, unit, actions_enabled, treat_missing_data, "
    "evaluate_low_sample_count_percentile, threshold_metric_id, rule, tags",
    reason="moto's alarms are OK for ever",
)
def put_metric_alarm(self: Any, **given: Any) -> Any:
    """PutMetricAlarm."""
    cloud = current()
    with cloud.call():
        _refuse(given)
        former = self.alarms.get(given["name"])
        alarm = original(f"{_BACKEND}.put_metric_alarm")(self, **given)
        alarm.configuration_updated_timestamp = alarm.state_updated_timestamp = _moment(cloud)
        alarm.state_value = INSUFFICIENT
        if former is not None:
            alarm.state_value, alarm.state_reason = former.state_value, former.state_reason
            alarm.state_updated_timestamp = former.state_updated_timestamp
        version = Alarms.of(cloud).versions[alarm.name] = uuid.uuid4().hex
        _plan(cloud, alarm, version)
        return alarm


def _refuse(given: dict[str, Any]) -> None:
    period_s, periods = int(given["period"]), int(given["evaluation_periods"])
    if period_s not in (10, 20, 30) and (period_s < MINUTE_S or period_s % MINUTE_S):
        raise ValidationError("Period must be 10, 20, 30 or a multiple of 60.")
    if periods < 1 or period_s * periods > _LONGEST_S:
        raise ValidationError("Metrics cannot be checked across more than seven days (EvaluationPeriods * Period).")
    if not 1 <= int(given.get("datapoints_to_alarm") or periods) <= periods:
        raise ValidationError("DatapointsToAlarm must be 1 to EvaluationPeriods.")
    if (given.get("treat_missing_data") or "missing") not in TREATMENTS:
        raise ValidationError(f"TreatMissingData must be one of {', '.join(TREATMENTS)}.")
    if given.get("statistic") not in STATISTICS:
        raise ValidationError(f"Statistic must be one of {', '.join(STATISTICS)}.")


def _plan(cloud: Cloud, alarm: Any, version: str) -> None:
    """Look at it when the next minute, or the next 10 s, are over."""
    every_s = _OFTEN_S if alarm.period < MINUTE_S else MINUTE_S

    def look() -> None:
        is_there = cloud.backend("cloudwatch").alarms.get(alarm.name) is alarm
        if is_there and Alarms.of(cloud).versions.get(alarm.name) == version:
            _look(cloud, alarm, cloud.now() // every_s * every_s)
            _plan(cloud, alarm, version)

    cloud.later(every_s - cloud.now() % every_s, look)


def _look(cloud: Cloud, alarm: Any, end_s: float) -> None:
    rule = Rule(
        comparison=alarm.comparison_operator,
        threshold=float(alarm.threshold),
        periods=int(alarm.evaluation_periods),
        to_alarm=int(alarm.datapoints_to_alarm or alarm.evaluation_periods),
        missing=alarm.treat_missing_data or "missing",
    )
    dimensions = [{"Name": one.name, "Value": one.value} for one in alarm.dimensions]
    data = kept(data_of(cloud, alarm.namespace, alarm.metric_name, dimensions, alarm.unit), alarm.period, cloud.now())
    length = rule.periods + EXTRA_POINTS
    starts = [end_s - number * alarm.period for number in range(1, length + 1)]
    found = by_period(data, alarm.statistic, start_s=starts[-1], end_s=end_s, period_s=alarm.period)
    state, reason = evaluated(rule, [found.get(at_s) for at_s in starts], alarm.state_value)
    if state == alarm.state_value:
        return
    before = alarm.state_value
    alarm.update_state(reason, "{}", state)
    alarm.state_updated_timestamp = _moment(cloud)
    cloud.event("alarm", alarm.name, f"{before} -> {state}: {reason}")
    act(cloud, alarm, before)


def _moment(cloud: Cloud) -> datetime:
    return datetime.fromtimestamp(cloud.now(), UTC)
