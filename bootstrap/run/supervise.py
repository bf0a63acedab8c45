"""Supervises the service after the boot: restart it here first, then have the instance replaced.

For: the time between ready and the end. In each cycle the upkeep comes first, because a service cannot be well without
its data and its address; then the service itself. Guarantees: `decide` is pure and ends in one sentence; an error of
AWS or of the metadata service never leads to a replacement, only the service itself can, or a part of the instance that
cannot be mended; a report to the group that fails is repeated every cycle, and the service is left as it is meanwhile.
Does not: renew the lease or probe the file system (both have their own watchers).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.document import Health
from bootstrap.base.errors import AgentError, CloudError, Reason, ServiceError, StopRequested
from bootstrap.run.instance import Instance
from bootstrap.run.upkeep import Upkeep
from bootstrap.run.upkeep_rules import Step, Verdict

log = logging.getLogger(__name__)

MOST_RESTARTS = 3
RESTART_WINDOW_S = 900.0
SHORTEST_PAUSE_S = 1.0  # a report that the group refuses is repeated every cycle
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
    """`reason`: the stable word of a report that this instance is unhealthy."""

    action: ServiceAction
    sentence: str
    reason: Reason = ServiceError.reason
    is_healthy: bool = False  # all units run and all checks pass


def decide(observation: ServiceObservation, health: Health, now_s: float) -> Decision:
    """What to do now, and why. Pure."""
    if observation.stop_sentence:
        return Decision(action=ServiceAction.STOP, sentence=observation.stop_sentence)
    if not observation.failures and not observation.dead_units:
        return Decision(action=ServiceAction.NOTHING, sentence="healthy", is_healthy=True)
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


def with_upkeep(decision: Decision, condition: Verdict) -> Decision:
    """The decision about the service, with what the upkeep has to say. Pure."""
    if condition.step is Step.REPLACE:
        reason = condition.reason or decision.reason
        return Decision(action=ServiceAction.REPORT_UNHEALTHY, sentence=condition.sentence, reason=reason)
    is_said = condition.step is Step.TROUBLE or not condition.sentence  # a trouble is shown by the report
    if is_said or decision.action is ServiceAction.STOP:
        return decision
    return replace(decision, sentence=f"{decision.sentence}; {condition.sentence}")


class Supervisor:
    """Runs the cycles of one instance."""

    def __init__(
        self,
        instance: Instance,
        upkeep: Upkeep,
        stop: StopRequest,
        say: Callable[[str], None],
        beat: Callable[[float], None],
    ) -> None:
        """`is_healthy`: what the last cycle saw. `say` is told each new sentence; `beat`, before each look at the
        service, the most seconds until the next beat."""
        self._upkeep = upkeep
        self._beat = beat
        self._instance = instance
        self._health = instance.document.service.health
        self._stop = stop
        self._say = say
        self._said = ""
        self.is_healthy = True  # the boot has just seen it
        self._misses = 0
        self._restarted_at_s: tuple[float, ...] = ()

    def run(self) -> Decision:
        """Cycle until a stop is asked for or the group has accepted that this instance is unhealthy."""
        while True:
            decision = self.cycle()
            if decision.action in (ServiceAction.STOP, ServiceAction.REPORT_UNHEALTHY):
                return decision
            self._instance.clock.wait(self._stop.event, max(SHORTEST_PAUSE_S, self._health.interval_s))

    def cycle(self) -> Decision:
        """Observe, decide, act; the decision, with NOTHING in place of a report that the group has not accepted yet."""
        condition = self._kept()
        self._beat(self._health.interval_s + self._longest_cycle_s())
        now_s = self._instance.clock.monotonic()
        decision = Decision(action=ServiceAction.NOTHING, sentence="")
        if condition.step is not Step.REPLACE:
            decision = decide(self._observe(), self._health, now_s)
        decision = with_upkeep(decision, condition)
        self.is_healthy = decision.is_healthy
        if decision.sentence != self._said:
            self._said = decision.sentence
            self._say(decision.sentence)
        if decision.action is ServiceAction.RESTART:
            self._restart(now_s)
        elif decision.action is ServiceAction.REPORT_UNHEALTHY and not self._report():
            return replace(decision, action=ServiceAction.NOTHING)
        return decision

    def _kept(self) -> Verdict:
        """What the upkeep has to say. A restart of the service by it counts like one of this supervisor."""
        before_s = self._upkeep.service_ended_s
        try:
            condition = self._upkeep.cycle() if not self._stop.is_requested else Verdict()
        except StopRequested:
            return Verdict()
        ended_s = self._upkeep.service_ended_s
        if ended_s is not None and ended_s != before_s:
            self._restarted_at_s = (*self._restarted_at_s, ended_s)[-MOST_RESTARTS:]
            self._misses = 0
        return condition

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
