"""What is done about a service that is not well: restart it here, then have the instance replaced. Pure.

For: run.supervise, which looks, acts and remembers. Guarantees: health has two thresholds, so that one missed round or
one that passes changes nothing; a service gets its start allowance once per start; restarts are few, with growing
pauses between them; nobody replaces an instance for what a replacement cannot mend. Each decision is one sentence.
Does not: look at anything.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from bootstrap.base.errors import Reason, ServiceError
from bootstrap.run.upkeep_rules import Step, Verdict

HOPELESS: Reason = "file-system-full"  # the data of a replacement are on the same file system
RESTART_WINDOW_S = 900.0
RESTART_PAUSES_S = (0.0, 10.0, 30.0)  # before each restart within the window, from the one before
MOST_RESTARTS = len(RESTART_PAUSES_S)


class Thresholds(Protocol):
    """bootstrap.base.document.Health."""

    @property
    def start_allowance_s(self) -> float: ...

    @property
    def unhealthy_after(self) -> int: ...

    @property
    def healthy_after(self) -> int: ...


class ServiceAction(Enum):
    """What a cycle decides to do about the service."""

    NOTHING = "nothing"
    RESTART = "restart"
    REPORT_UNHEALTHY = "report-unhealthy"
    STOP = "stop"


REPORT = ServiceAction.REPORT_UNHEALTHY


@dataclass(frozen=True, kw_only=True)
class Rounds:
    """What the rounds of health checks since the last start of the service came to. `misses`: those that failed since
    it was healthy; `passes`: those that passed, in a row; `has_served`: it was healthy since that start."""

    is_healthy: bool = False
    has_served: bool = False
    misses: int = 0
    passes: int = 0

    def after(self, *, is_passing: bool, health: Thresholds) -> Rounds:
        """With one more round."""
        if not is_passing:
            is_healthy = self.is_healthy and self.misses + 1 < health.unhealthy_after
            return replace(self, misses=self.misses + 1, passes=0, is_healthy=is_healthy)
        if self.is_healthy or self.passes + 1 >= health.healthy_after:
            return Rounds(is_healthy=True, has_served=True, passes=self.passes + 1)
        return replace(self, passes=self.passes + 1)


SERVING = Rounds(is_healthy=True, has_served=True)  # the boot has just seen it
STARTED = Rounds()


@dataclass(frozen=True, kw_only=True)
class ServiceObservation:
    """What a cycle sees, and what it has to know of earlier ones. `stop_sentence`: why a stop was asked for, "" when it
    was not. `restarted_at_s`: local restarts, on the monotonic clock. `hopeless`: what is wrong that a replacement
    would meet again, "" when nothing is."""

    failures: tuple[str, ...] = ()
    dead_units: tuple[str, ...] = ()
    stop_sentence: str = ""
    rounds: Rounds = SERVING
    restarted_at_s: tuple[float, ...] = ()
    hopeless: str = ""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """`reason`: the stable word of a report that this instance is unhealthy."""

    action: ServiceAction
    sentence: str
    reason: Reason = ServiceError.reason
    is_healthy: bool = False


def decide(seen: ServiceObservation, health: Thresholds, now_s: float) -> Decision:
    """What to do now, and why."""
    if seen.stop_sentence:
        return Decision(action=ServiceAction.STOP, sentence=seen.stop_sentence)
    if not seen.failures and not seen.dead_units:
        return _passing(seen.rounds, health)
    what = "; ".join(seen.dead_units + seen.failures)
    since_restart_s = now_s - max(seen.restarted_at_s, default=float("-inf"))
    if not seen.dead_units:
        if not seen.rounds.has_served and since_restart_s < health.start_allowance_s:
            return _wait(f"unhealthy, but within the {health.start_allowance_s:.0f} s start allowance: {what}")
        if seen.rounds.misses < health.unhealthy_after:
            sentence = f"missed {seen.rounds.misses} of {health.unhealthy_after}: {what}"
            return _wait(sentence, is_healthy=seen.rounds.is_healthy)
    recent = sum(1 for at_s in seen.restarted_at_s if now_s - at_s < RESTART_WINDOW_S)
    if recent < MOST_RESTARTS:
        pause_s = RESTART_PAUSES_S[recent]
        if since_restart_s < pause_s:
            return _wait(f"restart {recent + 1} of {MOST_RESTARTS} comes {pause_s:.0f} s after the one before: {what}")
        sentence = f"restart the service here ({recent + 1} of {MOST_RESTARTS}): {what}"
        return Decision(action=ServiceAction.RESTART, sentence=sentence)
    failed = f"{recent} restarts in {RESTART_WINDOW_S:.0f} s did not help"
    if seen.hopeless:
        return _wait(f"{failed}, and a replacement would meet the same ({seen.hopeless}): stay: {what}")
    return Decision(action=ServiceAction.REPORT_UNHEALTHY, sentence=f"{failed}: replace this instance: {what}")


def with_upkeep(decision: Decision, condition: Verdict) -> Decision:
    """The decision about the service, with what the upkeep has to say."""
    if condition.step is Step.REPLACE:
        reason = condition.reason or decision.reason
        return Decision(action=ServiceAction.REPORT_UNHEALTHY, sentence=condition.sentence, reason=reason)
    is_said = condition.step is Step.TROUBLE or not condition.sentence  # a trouble is shown by the report
    if is_said or decision.action is ServiceAction.STOP:
        return decision
    return replace(decision, sentence=f"{decision.sentence}; {condition.sentence}")


def ridden_out(decision: Decision, stall: str) -> Decision:
    """The decision about the service while its data give no answer: `stall` says for how long, "" when they do. A start
    would wait for them, too, and a long stall is the upkeep's."""
    if not stall or decision.action not in (ServiceAction.RESTART, REPORT):
        return decision
    return _wait(f"{stall}, so not: {decision.sentence}")


def held(decision: Decision, maintenance: str) -> Decision:
    """The decision in maintenance mode: `maintenance` says who asked for it, "" when it is off."""
    is_of_health = decision.reason != "spot-interruption"  # that is EC2's, and happens all the same
    if not maintenance or not is_of_health or decision.action not in (ServiceAction.RESTART, REPORT):
        return decision
    return _wait(f"maintenance ({maintenance}), so not: {decision.sentence}")


def _passing(rounds: Rounds, health: Thresholds) -> Decision:
    if rounds.is_healthy:
        return _wait("healthy", is_healthy=True)
    return _wait(f"passed {rounds.passes} of the {health.healthy_after} rounds in a row that make it healthy")


def _wait(sentence: str, *, is_healthy: bool = False) -> Decision:
    return Decision(action=ServiceAction.NOTHING, sentence=sentence, is_healthy=is_healthy)
