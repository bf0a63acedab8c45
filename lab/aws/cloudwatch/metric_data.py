"""Metrics as CloudWatch stores them: by the lab's clock, and by the second only where the datum says so.

For: PutMetricData, and whoever reads metrics. Guarantees: a datum without a time stamp has the time of its receipt, by
the clock that the rest of the lab goes by; one without `StorageResolution: 1` is kept by the minute. Does not: refuse
time stamps of long ago.
Source: CloudWatch API reference MetricDatum; user guide "Metrics concepts" (time stamps, resolution).
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from lab.aws.cloudwatch.series import Datum
from lab.aws.core.cloud import Cloud, under_lock
from lab.aws.core.patches import original, replaces

_PUT = "moto.cloudwatch.models:CloudWatchBackend.put_metric_data"
_BY_THE_SECOND = 1


@replaces(_PUT, expects="self, namespace, metric_data", reason="moto drops the resolution and has a clock of its own")
@under_lock
def put_metric_data(self: Any, cloud: Cloud, namespace: str, metric_data: list[dict[str, Any]]) -> None:
    """PutMetricData."""
    before = len(self.metric_data)
    original(_PUT)(self, namespace, [_stamped(datum, cloud.now()) for datum in metric_data])
    for record, datum in zip(self.metric_data[before:], metric_data, strict=True):
        record.is_fine = _is_fine(datum)


def _stamped(datum: dict[str, Any], now_s: float) -> dict[str, Any]:
    at = datum.get("Timestamp") or datetime.fromtimestamp(now_s, UTC).replace(tzinfo=None)
    if not _is_fine(datum):
        at = at.replace(second=0, microsecond=0)
    return datum | {"Timestamp": at}


def _is_fine(datum: dict[str, Any]) -> bool:
    return int(datum.get("StorageResolution") or 60) == _BY_THE_SECOND


def data_of(
    cloud: Cloud, namespace: str, name: str, dimensions: Iterable[Mapping[str, str]], unit: str | None = None
) -> list[Datum]:
    """What is kept of one metric, of every unit unless `unit` says one. Call under the lock."""
    wanted = sorted((one["Name"], one["Value"]) for one in dimensions)
    return [
        Datum(at_s=epoch_s(one.timestamp), value=one.value, is_fine=one.is_fine)
        for one in cloud.backend("cloudwatch").metric_data
        if (one.namespace, one.name) == (namespace, name)
        and sorted((dimension.name, dimension.value) for dimension in one.dimensions) == wanted
        and unit in (None, one.unit)
    ]


def epoch_s(moment: datetime) -> float:
    """Of moto's moments, some of which carry no time zone and mean UTC."""
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
