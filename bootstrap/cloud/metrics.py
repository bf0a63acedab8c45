"""CloudWatch for the agent's metrics. Thin: one call; every error is a CloudError.

For: run.heartbeat. Guarantees: no time stamp is sent, so CloudWatch gives each datum the time at which it was received,
and a wrong clock of this instance moves no alarm. Does not: retry, or know when to send.
Sources: CloudWatch API reference PutMetricData (at most 1,000 metrics in one call), MetricDatum (StorageResolution 1 or
60); CloudWatch user guide "Metrics concepts", "Time stamps" (without one, the time of receipt).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bootstrap.base.metric import Metric
from bootstrap.base.names import METRIC_NAMESPACE
from bootstrap.cloud.clients import Clients, converted

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch.type_defs import MetricDatumTypeDef


class Metrics:
    """The metrics of this project."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    def put(self, metrics: Sequence[Metric]) -> None:
        """Send `metrics` as of now, in one call. Raises CloudError."""
        with converted("send metrics"):
            self._clients.cloudwatch().put_metric_data(
                Namespace=METRIC_NAMESPACE, MetricData=[_datum(metric) for metric in metrics]
            )


def _datum(metric: Metric) -> MetricDatumTypeDef:
    return {
        "MetricName": metric.name,
        "Value": metric.value,
        "Unit": metric.unit,
        "Dimensions": [{"Name": name, "Value": value} for name, value in metric.dimensions],
        "StorageResolution": 1 if metric.is_fine else 60,
    }
