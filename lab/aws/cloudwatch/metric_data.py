"""Metrics as CloudWatch stores them: by the lab's clock, and by the second only where the datum says so.

For: PutMetricData. Guarantees: a datum without a time stamp has the time of its receipt, by the clock that the rest of
the lab goes by; one without `StorageResolution: 1` is kept by the minute. Does not: age what is kept, or refuse time
stamps of long ago.
Source: CloudWatch API reference MetricDatum; user guide "Metrics concepts" (time stamps, resolution).
"""

from datetime import UTC, datetime
from typing import Any

from lab.aws.core.cloud import Cloud, under_lock
from lab.aws.core.patches import original, replaces

_PUT = "moto.cloudwatch.models:CloudWatchBackend.put_metric_data"
_BY_THE_SECOND = 1


@replaces(_PUT, expects="self, namespace, metric_data", reason="moto drops the resolution and has a clock of its own")
@under_lock
def put_metric_data(self: Any, cloud: Cloud, namespace: str, metric_data: list[dict[str, Any]]) -> None:
    """PutMetricData."""
    original(_PUT)(self, namespace, [_stamped(datum, cloud.now()) for datum in metric_data])


def _stamped(datum: dict[str, Any], now_s: float) -> dict[str, Any]:
    at = datum.get("Timestamp") or datetime.fromtimestamp(now_s, UTC).replace(tzinfo=None)
    if int(datum.get("StorageResolution") or 60) != _BY_THE_SECOND:
        at = at.replace(second=0, microsecond=0)
    return datum | {"Timestamp": at}
