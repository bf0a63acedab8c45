"""Supervises the service after the boot: restart it here first, then have the instance replaced.

For: the time between ready and the end. In each cycle the upkeep comes first, because a service cannot be well without
its data and its address; then the service itself. Guarantees: an error of AWS or of the metadata service never leads to
a replacement, only the service itself can, or a part of the instance that cannot be mended; a report to the group that
fails is repeated every cycle, and the service is left as it is meanwhile; restarts count across runs of the agent.
Does not: decide (run.ladder does), or renew the lease and probe the file system (both have their own watchers).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.errors import AgentError, CloudError, StopRequested
from bootstrap.run.instance import Instance
from bootstrap.run.ladder import (
    SERVING,
    STARTED,
    Decision,
    ServiceAction,
    ServiceObservation,
    decide,
    held,
    ridden_out,
    with_upkeep,
)
from bootstrap.run.restarts import Restarts
from bootstrap.run.upkeep import Upkeep
from bootstrap.run.upkeep_rules import Step, Verdict

log = logging.getLogger(__name__)

SHORTEST_PAUSE_S = 1.0  # a report that the group refuses is repeated every cycle
ASK_S = 30.0
RESTART_SPARE_S = 60.0
CYCLE_SPARE_S = 60.0  # calls to AWS, and whatever else has its own short time-out


class Supervisor:
    """Runs the cycles of one instance."""

    def __init__(
        self,
        instance: Instance,
        upkeep: Upkeep,
        stop: StopRequest,
        say: Callable[[str], None],
        beat: Callable[[float], None],
        restarts: Restarts,
        hopeless: Callable[[], str] = lambda: "",
        maintenance: Callable[[], str] = lambda: "",
    ) -> None:
        """`is_healthy`: what the last cycle saw. `say` is told each new sentence; `beat`, before each look at the
        service, the most seconds until the next beat. `hopeless`: what a replacement would meet again, "" if nothing.
        `maintenance`: who works on the service and why, "" when nobody does."""
        self._upkeep = upkeep
        self._beat = beat
        self._instance = instance
        self._health = instance.document.service.health
        self._stop = stop
        self._say = say
        self._said = ""
        self.is_healthy = True  # the boot has just seen it
        self._hopeless = hopeless
        self._maintenance = maintenance
        self._rounds = SERVING
        self._restarts = restarts

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
            stall = self._instance.service.data_watch.stall
            decision = ridden_out(decide(self._observe(), self._health, now_s), stall)
        decision = held(with_upkeep(decision, condition), self._maintenance())
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
            self._began_again(ended_s)
        return condition

    def _began_again(self, at_s: float) -> None:
        self._restarts.add(at_s)
        self._rounds = STARTED

    def _observe(self) -> ServiceObservation:
        if self._stop.is_requested:
            return ServiceObservation(stop_sentence=self._stop.sentence)
        clock = self._instance.clock
        dead = self._instance.service.units.dead_units(Deadline(clock, ASK_S, "ask for the units"))
        limit_s = self._checks_limit_s()
        failures = (
            () if dead else tuple(self._instance.service.prober.failures(Deadline(clock, limit_s, "health checks")))
        )
        self._rounds = self._rounds.after(is_passing=not dead and not failures, health=self._health)
        return ServiceObservation(
            failures=failures,
            dead_units=tuple(dead),
            stop_sentence=self._stop.sentence,  # a stop of the agent also stops the service, which may be seen first
            rounds=self._rounds,
            restarted_at_s=self._restarts.at_s,
            hopeless=self._hopeless(),
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
        self._began_again(now_s)
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
