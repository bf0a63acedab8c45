"""Which alarms a service has, as data: the metric, when it is too much, and the sentence that people get.

For: stacks.watch_stack, which makes them. Guarantees: pure; every alarm has a row in docs/runbook.md, and every
sentence says what happened and where to look. Metrics without data do not hide an outage: no data is "nobody serves".
Does not: act on anything. The agent and the watchdog act; alarms tell people.
Sources: CloudWatch user guide, "Alarm evaluation": a window slides, so two boots that fail in any 30 minutes are seen;
"Configuring how CloudWatch alarms treat missing data": where a period has no data, CloudWatch looks at older ones. So
an alarm on missing data comes some periods after the last point (the watchdog is what is fast); and an event is looked
for in many periods of a minute: one long period would come back as an older one, and alarm a second time.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from bootstrap.base import names
from bootstrap.base.errors import Reason
from services.spec import ServiceFile

MINUTE_S = 60
Statistic = Literal["Average", "Maximum", "Minimum", "Sum"]
Comparison = Literal["GreaterThanOrEqualToThreshold", "GreaterThanThreshold", "LessThanThreshold"]
OfAws = Literal["BurstCreditBalance", "Errors", "Invocations", "MeteredIOBytes", "PercentIOLimit", "StorageBytes"]
Missing = Literal["breaching", "ignore", "notBreaching"]
Dimensions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """`missing`: breaching where no data is the trouble itself, notBreaching for events, ignore for values that only
    an agent which is there can report. `ends`: whether its end is worth a message."""

    name: str
    says: str
    metric: names.Metric | OfAws
    dimensions: Dimensions
    statistic: Statistic
    comparison: Comparison
    threshold: float
    period_s: int
    periods: int = 1
    to_alarm: int | None = None  # how many of the periods; all of them where it is None
    namespace: str = names.METRIC_NAMESPACE
    missing: Missing = "notBreaching"
    ends: bool = True


def alarms_of(service: ServiceFile) -> tuple[Alarm, ...]:
    """The alarms on what the agent reports."""
    return (*_events(service), *_values(service), *_record(service))


def watchdog_alarms(service: ServiceFile) -> tuple[Alarm, ...]:
    """The alarms on the watchdog function itself: whoever watches must be watched."""
    own: Dimensions = (("FunctionName", names.watchdog_name(service.name)),)
    return (
        Alarm(
            name="watchdog-silent",
            says=f"The watchdog function of {service.name} has not run for 5 minutes: a hung instance is noticed late. "
            "Look at its schedule, and at the limits of Lambda in this account",
            metric="Invocations",
            dimensions=own,
            namespace="AWS/Lambda",
            statistic="Sum",
            comparison="LessThanThreshold",
            threshold=1,
            period_s=MINUTE_S,
            periods=5,
            missing="breaching",
        ),
        Alarm(
            name="watchdog-failed",
            says=f"The watchdog function of {service.name} ends with errors: a hung instance is noticed late. "
            "Look at the log of the function",
            metric="Errors",
            dimensions=own,
            namespace="AWS/Lambda",
            statistic="Sum",
            comparison="GreaterThanThreshold",
            threshold=0,
            period_s=MINUTE_S,
            periods=5,
            to_alarm=1,
        ),
        Alarm(
            name="watchdog-blind",
            says=f"The watchdog of {service.name} runs and cannot see enough to judge: a hung instance is noticed "
            "late. Look at the log of the function",
            metric="WatchdogBlind",
            dimensions=_own(service),
            statistic="Maximum",
            comparison="GreaterThanThreshold",
            threshold=0,
            period_s=MINUTE_S,
            periods=5,
            to_alarm=1,
        ),
    )


def late_renewal_s(service: ServiceFile) -> float:
    """The age of the lease at which one more request may take all the time until the fence stops the service."""
    timing = service.lease.timing()
    return timing.renew_deadline_s - timing.request_timeout_s


def _own(service: ServiceFile) -> Dimensions:
    return ((names.SERVICE_DIMENSION, service.name),)


def _events(service: ServiceFile) -> tuple[Alarm, ...]:
    name, own = service.name, _own(service)
    return (
        Alarm(
            name="boot-failed",
            says=f"A boot of {name} failed; the group launches another instance. Why: ./soloist status {name}",
            metric="BootFailed",
            dimensions=own,
            statistic="Sum",
            comparison="GreaterThanOrEqualToThreshold",
            threshold=1,
            period_s=MINUTE_S,
            periods=5,
            to_alarm=1,
        ),
        Alarm(
            name="crash-loop",
            says=f"Two boots of {name} failed within 30 minutes: probably its image or its service file is bad. "
            f"Back to the version before: ./soloist rollback {name}",
            metric="BootFailed",
            dimensions=own,
            statistic="Sum",
            comparison="GreaterThanOrEqualToThreshold",
            threshold=1,
            period_s=MINUTE_S,  # no boot fails twice in a minute
            periods=30,
            to_alarm=2,
        ),
        Alarm(
            name="takeover",
            says=f"Another instance of {name} has taken over. For information: a rollout does this, too",
            metric="Takeover",
            dimensions=own,
            statistic="Sum",
            comparison="GreaterThanOrEqualToThreshold",
            threshold=1,
            period_s=MINUTE_S,
            periods=5,
            to_alarm=1,
            ends=False,  # a takeover is no state that could end
        ),
    )


def _values(service: ServiceFile) -> tuple[Alarm, ...]:
    name, own, timing = service.name, _own(service), service.lease.timing()
    late_s = late_renewal_s(service)
    return (
        Alarm(
            name="nobody-serves",
            says=f"No instance of {name} serves. First look: ./soloist status {name}, then docs/runbook.md",
            metric="Serving",
            dimensions=own,
            statistic="Maximum",  # the last 0 of a former holder stands beside the new one's 1
            comparison="LessThanThreshold",
            threshold=1,
            period_s=MINUTE_S,
            periods=2,
            missing="breaching",
        ),
        Alarm(
            name="degraded",
            says=f"{name} has had a trouble for five minutes; the agent's message names it. ./soloist status {name}",
            metric="Troubles",
            dimensions=own,
            statistic="Maximum",
            comparison="GreaterThanThreshold",
            threshold=0,
            period_s=MINUTE_S,
            periods=5,
            missing="ignore",
        ),
        Alarm(
            name="lease-age",
            says=f"The lease of {name} was not renewed for {late_s:g} s; the service is stopped at "
            f"{timing.renew_deadline_s:g} s. Look at the file system and at the network to its mount target",
            metric="LeaseAge",
            dimensions=own,
            statistic="Maximum",
            comparison="GreaterThanThreshold",
            threshold=late_s,
            period_s=MINUTE_S,
            missing="ignore",
        ),
    )


def _record(service: ServiceFile) -> tuple[Alarm, ...]:
    """What clients resolve is not what the holder wants; each reason of the agent's is an alarm."""
    sentences: dict[Reason, str] = {
        "connection-contested": f"Something else writes the record {service.dns.name}, and the holder sets it back",
        "record-of-another-kind": f"At {service.dns.name} is a record that soloist does not change: clients may not "
        "reach the holder",
    }
    return tuple(
        Alarm(
            name=reason,
            says=f"{says}. docs/runbook.md has a row for {reason}",
            metric="Trouble",
            dimensions=(*_own(service), (names.REASON_DIMENSION, reason)),
            statistic="Maximum",
            comparison="GreaterThanThreshold",
            threshold=0,
            period_s=MINUTE_S,
            periods=5,
            to_alarm=1,
        )
        for reason, says in sentences.items()
    )
