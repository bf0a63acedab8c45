"""What this instance says of itself in metrics. Pure.

For: run.heartbeat and the agent. Guarantees: whether the service is served is said by the holder of the lease alone: an
instance that waits for it, or has left, neither hides nor contradicts the one that serves. So nobody says "served" when
nobody holds the lease, and an alarm on missing data notices. Does not: send.
"""

from __future__ import annotations

from collections.abc import Iterable

from bootstrap.base import names
from bootstrap.base.errors import Reason
from bootstrap.base.metric import Metric
from bootstrap.base.state import TimelineEntry
from bootstrap.base.troubles import LASTING
from bootstrap.show.view import View


def signs_of_life(view: View, instance_id: str, troubles: Iterable[Reason]) -> list[Metric]:
    """What each beat says."""
    service, standing = _of(view.service), tuple(troubles)
    signs = [
        Metric(name="Heartbeat", value=1, dimensions=(*service, (names.INSTANCE_DIMENSION, instance_id)), is_fine=True),
        Metric(name="Troubles", value=len(set(standing) - LASTING), dimensions=service),
        *(
            Metric(name="Trouble", value=1, dimensions=(*service, (names.REASON_DIMENSION, reason)))
            for reason in standing
        ),
    ]
    if view.role == "holder":
        signs.append(Metric(name="Serving", value=1 if view.is_ready else 0, dimensions=service))
        if view.age_s is not None:
            signs.append(Metric(name="LeaseAge", value=view.age_s, dimensions=service, unit="Seconds"))
    return signs


def took_over(service: str, boot_s: float, timeline: Iterable[TimelineEntry]) -> list[Metric]:
    """An instance is ready, `boot_s` after its agent started, and took so long for each phase."""
    of = _of(service)
    return [
        Metric(name="Takeover", value=1, dimensions=of),
        Metric(name="BootTime", value=round(boot_s, 3), dimensions=of, unit="Seconds"),
        *(
            Metric(
                name="BootPhase",
                value=entry.duration_s,
                dimensions=(*of, (names.PHASE_DIMENSION, entry.name)),
                unit="Seconds",
            )
            for entry in timeline
            if entry.outcome == "ok" and entry.name != "ready"
        ),
    ]


def boot_failed(service: str) -> list[Metric]:
    """A boot has failed."""
    return [Metric(name="BootFailed", value=1, dimensions=_of(service))]


def _of(service: str) -> tuple[tuple[str, str], ...]:
    return ((names.SERVICE_DIMENSION, service),)
