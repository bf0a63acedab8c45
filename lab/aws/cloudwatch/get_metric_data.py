"""GetMetricData for statistics of single metrics.

For: whoever asks the API. Guarantees: periods, their alignment and what is kept for them are those of `series`; newest
first unless ScanBy says otherwise. Does not: know math expressions, or pages (the table refuses them).
Source: CloudWatch API reference GetMetricData, MetricStat.
"""

from datetime import UTC, datetime
from typing import Any

from moto.cloudwatch.exceptions import ValidationError

from lab.aws.cloudwatch.metric_data import data_of, epoch_s
from lab.aws.cloudwatch.series import by_period, is_period, kept
from lab.aws.core.cloud import Cloud, under_lock
from lab.aws.core.patches import replaces


@replaces(
    "moto.cloudwatch.models:CloudWatchBackend.get_metric_data",
    expects="self, queries, start_time, end_time, scan_by",
    reason="moto mixes namespaces, and has one resolution",
)
@under_lock
def get_metric_data(
    _self: Any,
    cloud: Cloud,
    queries: list[dict[str, Any]],
    start_time: datetime,
    end_time: datetime,
    scan_by: str = "TimestampDescending",
) -> list[dict[str, Any]]:
    """GetMetricData."""
    start_s, end_s = epoch_s(start_time), epoch_s(end_time)
    if start_s >= end_s:
        raise ValidationError("The parameter EndTime must be greater than StartTime.")
    newest_first = scan_by == "TimestampDescending"
    return [_result(cloud, query, start_s, end_s, newest_first=newest_first) for query in queries]


def _result(cloud: Cloud, query: dict[str, Any], start_s: float, end_s: float, *, newest_first: bool) -> dict[str, Any]:
    stat, metric = query["MetricStat"], query["MetricStat"]["Metric"]
    period_s = int(stat["Period"])
    if not is_period(period_s):
        raise ValidationError("Period must be 1, 5, 10, 20, 30 or a multiple of 60.")
    data = data_of(cloud, metric["Namespace"], metric["MetricName"], metric.get("Dimensions") or (), stat.get("Unit"))
    found = by_period(kept(data, period_s, cloud.now()), stat["Stat"], start_s=start_s, end_s=end_s, period_s=period_s)
    starts = sorted(found, reverse=newest_first)
    return {
        "Id": query["Id"],
        "Label": query.get("Label") or metric["MetricName"],
        "Timestamps": [datetime.fromtimestamp(at_s, UTC) for at_s in starts],
        "Values": [found[at_s] for at_s in starts],
        "StatusCode": "Complete",
    }
