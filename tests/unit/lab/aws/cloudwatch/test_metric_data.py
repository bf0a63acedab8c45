"""When a datum was received: by the clock of the lab, whatever the caller's says."""

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from tests.kit.three_zones import ThreeZones


@pytest.mark.parametrize(("resolution", "age_s"), [(1, 25.0), (60, 25.0 + 20.0)])
def test_a_datum_without_a_time_stamp_has_the_time_of_receipt(zones: ThreeZones, resolution: int, age_s: float) -> None:
    """Received 20 s after a whole minute, and looked for 25 s later."""
    client: Any = boto3.client("cloudwatch", region_name="us-east-1")
    zones.aws.advance(-zones.aws.cloud.now() % 60 + 20)
    client.put_metric_data(Namespace="n", MetricData=[{"MetricName": "m", "Value": 1, "StorageResolution": resolution}])
    zones.aws.advance(25)
    now = datetime.fromtimestamp(zones.aws.cloud.now(), UTC)
    found = client.get_metric_statistics(
        Namespace="n", MetricName="m", Period=1, Statistics=["Sum"], StartTime=now - timedelta(minutes=2), EndTime=now
    )
    (point,) = found["Datapoints"]
    assert (now - point["Timestamp"]).total_seconds() == pytest.approx(age_s, abs=1.0)
