"""The view as metrics for Prometheus.

For: `/metrics`. Guarantees: names, units and types follow the conventions of Prometheus (base units, `_info`, labels
of few values). Does not: import prometheus_client before somebody asks, because a boot has no time for it.
Source: Prometheus documentation, "Metric and label naming".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from bootstrap.show.view import View

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class _Collector:
    """Gives a registry what it asks for once, the metrics of one view."""

    def __init__(self, view: View) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        return _metrics(self._view)


def exposition(view: View) -> bytes:
    """The metrics of `view` in the text format 0.0.4, with those of the agent's process."""
    from prometheus_client import CollectorRegistry, ProcessCollector, generate_latest

    registry = CollectorRegistry()
    registry.register(_Collector(view))
    ProcessCollector(registry=registry)
    return generate_latest(registry)


def _metrics(view: View) -> Iterator[Metric]:
    from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily

    state = view.state
    yield InfoMetricFamily(
        "soloist",
        "Which instance this is",
        {
            "service": view.service,
            "role": view.role,
            "phase": state.phase,
            "instance_id": state.instance_id,
            "zone": state.zone,
            "image_id": state.image_id,
            "image_version": state.image_version,
        },
    )
    gauges = {
        "soloist_ready": ("1 while this instance holds the lease and its service is healthy", float(view.is_ready)),
        "soloist_healthy": ("1 while the service passes its health checks", float(view.is_healthy)),
        "soloist_lease_holder": ("1 while this instance holds the lease", float(view.role == "holder")),
        "soloist_lease_generation": ("The generation of the lease, 0 before it is held", float(state.generation)),
        "soloist_lease_age_seconds": ("Since the last confirmed renewal was sent", view.age_s),
        "soloist_lease_remaining_seconds": ("Until the fence ends the service without a renewal", view.left_s),
        "soloist_serving_seconds": ("Since this instance became ready", view.serves_for_s),
    }
    for name, (text, value) in gauges.items():
        if value is not None:
            yield GaugeMetricFamily(name, text, value)
    trouble = GaugeMetricFamily("soloist_trouble", "1 for the reason code that is reported now", labels=["reason"])
    if state.reason:
        trouble.add_metric([state.reason], 1.0)
    yield trouble
    phases = GaugeMetricFamily("soloist_boot_phase_seconds", "How long each phase of this boot took", labels=["phase"])
    for entry in state.timeline:
        phases.add_metric([entry.name], entry.duration_s)
    yield phases
