"""Statistics of a metric by period, as CloudWatch makes them of what it keeps. Pure.

For: GetMetricData and alarms. Guarantees: a datum kept by the minute takes no part in periods below a minute, nor does
one older than three hours; dimensions match exactly, so a metric without dimensions is one of its own. Does not: know
percentiles.
Sources: CloudWatch API reference GetMetricData (periods, retention: "data points with a period of less than 60 seconds
are available for 3 hours ... only for custom metrics that have been defined with a StorageResolution of 1"); user guide
"Metrics concepts" (each unique combination of dimensions is a metric of its own).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

MINUTE_S = 60
FINE_KEPT_S = 3 * 3600
STATISTICS: dict[str, Callable[[Sequence[float]], float]] = {
    "SampleCount": lambda values: float(len(values)),
    "Average": lambda values: sum(values) / len(values),
    "Sum": sum,
    "Minimum": min,
    "Maximum": max,
}


@dataclass(frozen=True, kw_only=True)
class Datum:
    """One value. `at_s`: epoch seconds; `is_fine`: kept by the second."""

    at_s: float
    value: float
    is_fine: bool


def is_period(seconds: int) -> bool:
    """True for a period that a metric can have."""
    return seconds in (1, 5, 10, 20, 30) or (seconds > 0 and seconds % MINUTE_S == 0)


def first_start(start_s: float, period_s: int) -> float:
    """Where the first period begins: at a division of the minute, or at a whole minute."""
    division = min(period_s, MINUTE_S)
    return start_s // division * division


def kept(data: Iterable[Datum], period_s: int, now_s: float) -> list[Datum]:
    """What is there for periods of this length."""
    if period_s >= MINUTE_S:
        return list(data)
    return [one for one in data if one.is_fine and one.at_s >= now_s - FINE_KEPT_S]


def by_period(
    data: Iterable[Datum], statistic: str, *, start_s: float, end_s: float, period_s: int
) -> dict[float, float]:
    """The statistic of each period that has data, by its start. `end_s` is not part of the range."""
    first = first_start(start_s, period_s)
    values: dict[float, list[float]] = {}
    for one in data:
        if first <= one.at_s < end_s:
            values.setdefault(first + (one.at_s - first) // period_s * period_s, []).append(one.value)
    return {at_s: STATISTICS[statistic](found) for at_s, found in sorted(values.items())}
