"""Supervises the service after the boot: restart it here first, then have the instance replaced.

For: the time between ready and the end. Guarantees: `decide` is pure and ends in one sentence; an error of AWS or of
the metadata service never leads to a replacement, only the service itself can; a report to the group that fails is
repeated every cycle, and the service is left as it is meanwhile.
Does not: renew the lease or probe the file system (both have their own watchers).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.document import Health
from bootstrap.base.errors import AgentError, CloudError, StopRequested
from bootstrap.run.instance import Instance

log = logging.getLogger(__name__)

MOST_RESTARTS = 3
RESTART_WINDOW_S = 900.0
ASK_S = 30.0
RESTART_SPARE_S = 60.0
CYCLE_SPARE_S = 60.0  # calls to AWS, and whatever else has its own short time-out


class ServiceAction(Enum):
    """What a cycle decides to do about the service."""

    NOTHING = "nothing"
    RESTART = "restart"
    REPORT_UNHEALTHY = "report-unhealthy"
    STOP = "stop"


@dataclass(frozen=True, kw_only=True)
class ServiceObservation:
    """What a cycle sees, and what it has to know of earlier ones."""

    failures: tuple[str, ...] = ()
    dead_units: tuple[str, ...] = ()
    stop_sentence: str = ""  # why a stop was asked for, "" when it was not
    misses: int = 0  # cycles with failures in a row, this one included
    restarted_at_s: tuple[float, ...] = ()  # local restarts, on the monotonic clock


@dataclass(frozen=True, kw_only=True)
class Decision:
    action: ServiceAction
    sentence: str


def decide(observation: ServiceObservation, health: Health, now_s: float) -> Decision:
    """What to do now, and why. Pure."""
    if observation.stop_sentence:
        return Decision(action=ServiceAction.STOP, sentence=observation.stop_sentence)
    if not observation.failures and not observation.dead_units:
        return Decision(action=ServiceAction.NOTHING, sentence="healthy")
    seen = "; ".join(observation.dead_units + observation.failures)
    since_restart_s = now_s - max(observation.restarted_at_s, default=float("-inf"))
    if not observation.dead_units:
        if since_restart_s < health.start_allowance_s:
            return Decision(
                action=ServiceAction.NOTHING,
                sentence=f"unhealthy, but within the {health.start_allowance_s:.0f} s start allowance: {seen}",
            )
        if observation.misses < health.unhealthy_after:
            sentence = f"missed {observation.misses} of {health.unhealthy_after}: {seen}"
            return Decision(action=ServiceAction.NOTHING, sentence=sentence)
    recent = sum(1 for at_s in observation.restarted_at_s if now_s - at_s < RESTART_WINDOW_S)
    if recent < MOST_RESTARTS:
        sentence = f"restart the service here ({recent + 1} of {MOST_RESTARTS}): {seen}"
        return Decision(action=ServiceAction.RESTART, sentence=sentence)
    return Decision(
        action=ServiceAction.REPORT_UNHEALTHY,
        sentence=f"{recent} restarts in {RESTART_WINDOW_S:.0f} s did not help: replace this instance: {seen}",
    )


class Supervisor:
    """Runs the cycles of one instance."""

    def __init__(
        self, instance: Instance, stop: StopRequest, say: Callable[[str], None], beat: Callable[[float], None]
    ) -> None:
        """`say` is told each new sentence; `beat`, before each cycle, the most seconds until the next cycle."""
        self._beat = beat
        self._instance = instance
        self._health = instance.document.service.health
        self._stop = stop
        self._say = say
        self._said = ""
        self._misses = 0
        self._restarted_at_s: tuple[float, ...] = ()

    def run(self) -> Decision:
        """Cycle until a stop is asked for or the group has accepted that this instance is unhealthy."""
        while True:
            self._beat(self._health.interval_s + self._longest_cycle_s())
            decision = self.cycle()
            if decision.action in (ServiceAction.STOP, ServiceAction.REPORT_UNHEALTHY):
                return decision
            self._instance.clock.wait(self._stop.event, self._health.interval_s)

    def cycle(self) -> Decision:
        """Observe, decide, act; the decision, with NOTHING in place of a report that the group has not accepted yet."""
        now_s = self._instance.clock.monotonic()
        decision = decide(self._observe(), self._health, now_s)
        if decision.sentence != self._said:
            self._said = decision.sentence
            self._say(decision.sentence)
        if decision.action is ServiceAction.RESTART:
            self._restart(now_s)
        elif decision.action is ServiceAction.REPORT_UNHEALTHY and not self._report():
            return Decision(action=ServiceAction.NOTHING, sentence=decision.sentence)
        return decision

    def _observe(self) -> ServiceObservation:
        if self._stop.is_requested:
            return ServiceObservation(stop_sentence=self._stop.sentence)
        clock = self._instance.clock
        dead = self._instance.service.units.dead_units(Deadline(clock, ASK_S, "ask for the units"))
        limit_s = self._checks_limit_s()
        failures = (
            () if dead else tuple(self._instance.service.prober.failures(Deadline(clock, limit_s, "health checks")))
        )
        self._misses = self._misses + 1 if dead or failures else 0
        return ServiceObservation(
            failures=failures,
            dead_units=tuple(dead),
            stop_sentence=self._stop.sentence,  # a stop of the agent also stops the service, which may be seen first
            misses=self._misses,
            restarted_at_s=self._restarted_at_s,
        )

    def _restart_limit_s(self) -> float:
        service = self._instance.document.service
        return (service.start_timeout_s + service.stop_timeout_s) * len(service.units) + RESTART_SPARE_S

    def _longest_cycle_s(self) -> float:
        return ASK_S + self._checks_limit_s() + self._restart_limit_s() + CYCLE_SPARE_S

    def _checks_limit_s(self) -> float:
        return sum(check.timeout_s for check in self._health.checks) + 1.0

    def _restart(self, now_s: float) -> None:
        limit_s = self._restart_limit_s()
        self._restarted_at_s = (*self._restarted_at_s, now_s)[-MOST_RESTARTS:]
        self._misses = 0
        try:
            self._instance.service.units.restart(
                Deadline(self._instance.clock, limit_s, "restart the service", self._stop)
            )
        except (AgentError, StopRequested) as error:
            log.warning("restart of the service: %s", error)  # the next cycle sees the result

    def _report(self) -> bool:
        try:
            self._instance.group.report_unhealthy()
        except CloudError as error:
            log.warning("%s; next attempt in %.0f s", error, self._health.interval_s)
            return False
        return True
