"""The ways a run of the agent ends: stopped as asked, boot failed, service given up, lease lost.

For: agent.py. Guarantees: each ending takes back what was done, says why in state, log and notification, and has the
instance replaced if it cannot serve; only a stop that was asked for ends in exit code 0.
Does not: decide that it is time to end.
"""

from __future__ import annotations

import logging
from typing import Protocol

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.document import BootDocument
from bootstrap.base.errors import AgentError, CloudError, DeadlineExceeded, ExitCode
from bootstrap.base.state import Phase
from bootstrap.base.timeline import Timeline
from bootstrap.claims.group import LifecycleWatch, abandon, complete_hook
from bootstrap.cloud.autoscaling import AutoScaling
from bootstrap.cloud.topic import Topic
from bootstrap.lease.keeper import Lost
from bootstrap.lease.release import release_all
from bootstrap.machine.systemd import ServiceNotifier
from bootstrap.run.instance import Instance
from bootstrap.run.stop import InstanceBelongings

log = logging.getLogger(__name__)

TERMINATION_S = 120.0  # how long an instance that gave up waits for its terminate hook, to complete it early
LOST = "lease-lost"


class Reporter(Protocol):
    """run.report.Report."""

    def __call__(self, *, phase: Phase, sentence: str, reason: str = "") -> None: ...


class Ending:
    """The endings of one instance."""

    def __init__(
        self,
        instance: Instance,
        *,
        topic: Topic,
        timeline: Timeline,
        watch: LifecycleWatch,
        notifier: ServiceNotifier,
        report: Reporter,
    ) -> None:
        self._instance = instance
        self._topic = topic
        self._timeline = timeline
        self._watch = watch
        self._notifier = notifier
        self._report = report

    def boot_failed(self, error: AgentError) -> ExitCode:
        """The boot has failed with `error`."""
        self._report(phase="failed", sentence=str(error), reason=error.reason)
        self._publish(f"boot failed ({error.reason})", str(error))
        self._notifier.stopping(f"{error.reason}: {error}")
        incomplete = self._release_all()
        self._abandon()
        self._report(phase="failed", sentence="; ".join([str(error), *incomplete]), reason=error.reason)
        self._await_termination()
        return error.exit_code

    def given_up(self, sentence: str) -> ExitCode:
        """The service cannot be kept alive here; the group has been told."""
        self._report(phase="unhealthy", sentence=sentence, reason="service-failed")
        self._publish("instance reported unhealthy", sentence)
        self._notifier.stopping(sentence)
        incomplete = self._release_all()
        self._report(phase="failed", sentence="; ".join([sentence, *incomplete]), reason="service-failed")
        self._await_termination()
        return ExitCode.FAILED

    def lease_lost(self, lost: Lost) -> ExitCode:
        """Another instance holds the lease, or its deadline has passed. The fence strikes whatever happens here."""
        self._report(phase="failed", sentence=lost.sentence, reason=LOST)
        self._notifier.stopping(f"{LOST}: {lost.sentence}")
        incomplete = self._release_all()
        is_told = self._abandon()
        sentence = "; ".join([lost.sentence, *incomplete])
        self._publish("the lease was lost", sentence)
        self._report(phase="failed", sentence=sentence, reason=LOST)
        if not is_told:
            return ExitCode.LEASE_LOST
        self._await_termination()
        return ExitCode.FAILED

    def stopped(self, sentence: str, *, has_served: bool) -> ExitCode:
        """A stop was asked for. `has_served`: the service was started, so its before-stop hooks run."""
        self._report(phase="stopping", sentence=sentence)
        self._notifier.stopping(sentence)
        incomplete = self._release_all(has_served=has_served)
        if self._watch.is_terminated:
            self._complete_terminate_hook()
        if incomplete:
            sentence = f"{sentence}; incomplete: {'; '.join(incomplete)}"
        self._report(phase="stopped", sentence=sentence, reason="incomplete" if incomplete else "")
        return ExitCode.INCOMPLETE if incomplete else ExitCode.OK

    def _release_all(self, *, has_served: bool = False) -> list[str]:
        belongings, keeper = InstanceBelongings(self._instance), self._instance.lease.keeper
        return release_all(belongings, keeper, self._timeline, has_served=has_served)

    def _abandon(self) -> bool:
        return abandon_instance(self._instance.group, self._instance.document, self._instance.clock)

    def _await_termination(self) -> None:
        if self._watch.await_terminated(TERMINATION_S):
            self._complete_terminate_hook()

    def _complete_terminate_hook(self) -> None:
        instance = self._instance
        deadline = Deadline(instance.clock, instance.document.deadlines.release_s, "terminate hook")
        self._timeline.started("terminate-hook")
        try:
            hook = instance.document.group.terminate_hook
            is_waiting = complete_hook(instance.group, hook, "CONTINUE", deadline)
        except AgentError as error:
            self._timeline.finished("terminate-hook", "failed", str(error))
        else:
            self._timeline.finished("terminate-hook", "ok", "" if is_waiting else "no hook was waiting")

    def _publish(self, what: str, text: str) -> None:
        instance = self._instance
        service, me, generation = instance.document.service.name, instance.identity.instance_id, self._generation()
        try:
            self._topic.publish(
                f"soloist {service}: {what}", f"{service} on {me} in {instance.zone.name}{generation}: {text}"
            )
        except CloudError as error:
            log.warning("%s", error)

    def _generation(self) -> str:
        generation = self._instance.lease.keeper.generation
        return f", generation {generation}" if generation else ""


def abandon_instance(auto_scaling: AutoScaling, document: BootDocument, clock: Clock) -> bool:
    """Have this instance replaced, by the launch hook or, after it, by its health; False when the group could not be
    told."""
    deadline = Deadline(clock, document.deadlines.release_s, "ABANDON of the launch hook")
    try:
        log.info("launch hook: %s", abandon(auto_scaling, document.group.launch_hook, deadline))
    except (CloudError, DeadlineExceeded) as error:
        # The time-out of the launch hook has the same effect, only later.
        log.error("the group was not told to replace this instance: %s", error)
        return False
    return True
