"""The dashboard of a service, as data: who serves and for how long nobody did, recoveries, lease, troubles, storage.

For: stacks.watch_stack. Guarantees: pure; every metric is one that the agent, the watchdog or AWS sends. The first row
answers the first question. Does not: say which of two living instances serves:
`soloist status` and the page of the instance do.
Source: CloudWatch API reference, "Dashboard body structure and syntax" (a grid 24 wide; a bar is one metric, and
`stacked` piles up areas only, so the bars show the slowest of each phase in the range, and the areas each recovery).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bootstrap.base import names
from services.spec import ServiceFile
from stacks.alarms import MINUTE_S, Dimensions, OfAws, late_renewal_s

GRID = 24
HEIGHT = 6
Widget = Mapping[str, Any]  # without its place: `body` puts widgets into rows


def body(
    service: ServiceFile, *, alarm_arns: Sequence[str], further: Sequence[Sequence[Widget]]
) -> Mapping[str, object]:
    """The body of the dashboard: its own rows, and then `further` ones."""
    rows = [_first_row(service, alarm_arns), _recoveries(service), _holder(service), *further]
    return {
        "start": "-P1D",
        "widgets": [
            {**widget, "x": GRID // len(row) * column, "y": HEIGHT * line, "width": GRID // len(row), "height": HEIGHT}
            for line, row in enumerate(rows)
            for column, widget in enumerate(row)
        ],
    }


def metric(
    name: names.Metric | OfAws, dimensions: Dimensions, *, namespace: str = names.METRIC_NAMESPACE, **more: object
) -> list[object]:
    """One line of a graph: a metric, and how it is drawn."""
    return [namespace, name, *(word for pair in dimensions for word in pair), *([more] if more else [])]


def graph(
    service: ServiceFile, title: str, metrics: Sequence[object], *, period_s: int = 5 * MINUTE_S, **more: object
) -> Widget:
    """A graph over time. `more` are properties as the dashboard names them."""
    own = {"title": title, "metrics": metrics, "region": service.region, "period": period_s, "view": "timeSeries"}
    return {"type": "metric", "properties": {**own, **more}}


def _own(service: ServiceFile) -> Dimensions:
    return ((names.SERVICE_DIMENSION, service.name),)


def _first_row(service: ServiceFile, alarm_arns: Sequence[str]) -> list[Widget]:
    own = _own(service)
    serving = metric("Serving", own, id="serving", stat="Maximum", visible=False)
    alive = [{"expression": _search("Heartbeat", names.INSTANCE_DIMENSION, service), "label": ""}]
    without = {
        "expression": "RUNNING_SUM(IF(FILL(serving, 0) < 1, PERIOD(serving) / 60, 0))",
        "label": "minutes without service",
    }
    return [
        {"type": "alarm", "properties": {"title": f"Alarms of {service.name}", "alarms": list(alarm_arns)}},
        graph(
            service,
            "Serves (1) or nobody serves (0)",
            [metric("Serving", own)],
            stat="Maximum",
            period_s=MINUTE_S,
            yAxis={"left": {"min": 0, "max": 1}},
        ),
        graph(service, "Agents that live, by instance", [alive], stacked=True),
        graph(service, "Without service, in the range shown", [serving, [without]], period_s=MINUTE_S),
    ]


def _recoveries(service: ServiceFile) -> list[Widget]:
    own = _own(service)
    phases = [{"expression": _search("BootPhase", names.PHASE_DIMENSION, service), "label": ""}]
    counts = [metric("Takeover", own), metric("BootFailed", own), metric("WatchdogActed", own)]
    return [
        graph(service, "Each recovery by phase, seconds", [phases], stacked=True),
        graph(
            service,
            "The slowest of each phase, seconds",
            [phases],
            view="bar",
            stat="Maximum",
            setPeriodToTimeRange=True,
        ),
        graph(service, "From the agent's start to ready, seconds", [metric("BootTime", own)], stat="Maximum"),
        graph(service, "Takeovers and failed boots", counts, stat="Sum"),
    ]


def _holder(service: ServiceFile) -> list[Widget]:
    own, timing = _own(service), service.lease.timing()
    limits = [
        {"label": "alarm", "value": late_renewal_s(service)},
        {"label": "the service is stopped", "value": timing.renew_deadline_s},
    ]
    reasons = [{"expression": _search("Trouble", names.REASON_DIMENSION, service), "label": ""}]
    return [
        graph(
            service,
            "Age of the lease, seconds",
            [metric("LeaseAge", own)],
            stat="Maximum",
            period_s=MINUTE_S,
            annotations={"horizontal": limits},
        ),
        graph(service, "Troubles", [metric("Troubles", own)], stat="Maximum"),
        graph(service, "Troubles by reason", [reasons], stacked=True),
    ]


def _search(name: names.Metric, dimension: str, service: ServiceFile) -> str:
    """Every metric of this name, one for each value of `dimension`."""
    schema = f"{names.METRIC_NAMESPACE},{names.SERVICE_DIMENSION},{dimension}"
    wanted = f'MetricName="{name}" {names.SERVICE_DIMENSION}="{service.name}"'
    return f"SEARCH('{{{schema}}} {wanted}', 'Maximum', {5 * MINUTE_S})"
