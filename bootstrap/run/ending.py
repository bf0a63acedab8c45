"""The ways a run of the agent ends: stopped as asked, boot failed, service given up, lease lost.

For: agent.py. Guarantees: each ending takes back what was done, says why in state, log and notification, and has the
instance replaced if it cannot serve; only a stop that was asked for ends in exit code 0. If the group cannot be told to
replace the instance, the exit code is one after which systemd starts the agent again: so an instance that was cut off
serves or is replaced once it is not cut off any more.
Does not: decide that it is time to end.
"""

from __future__ import annotations

import logging
from typing import Protocol

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.document import BootDocument
from bootstrap.base.errors import AgentError, CloudError, DeadlineExceeded, ExitCode, Reason
from bootstrap.base.state import Phase
from bootstrap.base.timeline import Timeline
from bootstrap.claims.group import LifecycleWatch, abandon, complete_hook
from bootstrap.cloud.autoscaling import AutoScaling
from bootstrap.lease.keeper import Lost
from bootstrap.machine.systemd import ServiceNotifier
from bootstrap.run.instance import Instance
from bootstrap.run.stop import InstanceBelongings
from bootstrap.run.telling import Telling

log = logging.getLogger(__name__)

TERMINATION_S = 120.0  # how long an instance that gave up waits for its terminate hook, to complete it early
RELEASE_PARTS = 6  # write back, unmount, release, detach, tell the group, complete the terminate hook
STOP_SPARE_S = 30.0  # of each unit: asking for its state, and killing what does not stop
ENDING_SPARE_S = 120.0  # messages and reports
LOST: Reason = "lease-lost"
INCOMPLETE: Reason = "incomplete"


class Reporter(Protocol):
    """run.report.Report."""

    def __call__(self, *, phase: Phase, sentence: str, reason: Reason | None = None) -> None: ...


class Ending:
    """The endings of one instance."""

    def __init__(
        self,
        instance: Instance,
        *,
        telling: Telling,
        timeline: Timeline,
        watch: LifecycleWatch,
        notifier: ServiceNotifier,
        report: Reporter,
    ) -> None:
        self._instance = instance
        self._telling = telling
        self._timeline = timeline
        self._watch = watch
        self._notifier = notifier
        self._report = report

    def boot_failed(self, error: AgentError) -> ExitCode:
        """The boot has failed with `error`."""
        self._report(phase="failed", sentence=str(error), reason=error.reason)
        self._telling.boot_failed(error)
        self._notifier.stopping(f"{error.reason}: {error}")
        incomplete = self._release_all()
        is_told = self._abandon()
        self._report(phase="failed", sentence="; ".join([str(error), *incomplete]), reason=error.reason)
        return self._gone(error.exit_code) if is_told else ExitCode.NOT_TOLD

    def given_up(self, sentence: str, reason: Reason) -> ExitCode:
        """The service cannot be kept alive here, or something it needs; the group has been told."""
        self._report(phase="unhealthy", sentence=sentence, reason=reason)
        self._telling.replaced(sentence, reason)
        self._notifier.stopping(sentence)
        incomplete = self._release_all()
        self._report(phase="failed", sentence="; ".join([sentence, *incomplete]), reason=reason)
        return self._gone(ExitCode.FAILED)

    def lease_lost(self, lost: Lost) -> ExitCode:
        """Another instance holds the lease, or its deadline has passed. The fence strikes whatever happens here."""
        self._report(phase="failed", sentence=lost.sentence, reason=LOST)
        self._notifier.stopping(f"{LOST}: {lost.sentence}")
        incomplete = self._release_all()
        is_told = self._abandon()
        sentence = "; ".join([lost.sentence, *incomplete])
        self._telling.lease_lost(sentence, LOST)
        self._report(phase="failed", sentence=sentence, reason=LOST)
        return self._gone(ExitCode.FAILED) if is_told else ExitCode.NOT_TOLD

    def stopped(self, sentence: str, *, has_served: bool) -> ExitCode:
        """A stop was asked for. `has_served`: the service was started, so its before-stop hooks run."""
        self._report(phase="stopping", sentence=sentence)
        self._notifier.stopping(sentence)
        incomplete = self._release_all(has_served=has_served)
        if self._watch.is_terminated:
            self._complete_terminate_hook()
        if incomplete:
            sentence = f"{sentence}; incomplete: {'; '.join(incomplete)}"
            self._telling.stop_unfinished(sentence, INCOMPLETE)
        self._report(phase="stopped", sentence=sentence, reason=INCOMPLETE if incomplete else None)
        return ExitCode.INCOMPLETE if incomplete else ExitCode.OK

    def _release_all(self, *, has_served: bool = False) -> list[str]:
        instance = self._instance
        return instance.lease.end(InstanceBelongings(instance), self._timeline, has_served=has_served)

    def _abandon(self) -> bool:
        return abandon_instance(self._instance.group, self._instance.document, self._instance.clock)

    def _gone(self, code: ExitCode) -> ExitCode:
        """`code`, after the terminate hook was completed early where the group ends this instance soon."""
        if self._watch.await_terminated(TERMINATION_S):
            self._complete_terminate_hook()
        return code

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


def longest_ending_s(document: BootDocument) -> float:
    """How long an ending takes if each of its parts uses up its own deadline."""
    service, release_s = document.service, document.deadlines.release_s
    hooks_s = len(service.hooks.before_stop) * service.hooks.timeout_s
    stop_s = len(service.units) * (service.stop_timeout_s + STOP_SPARE_S)
    return hooks_s + stop_s + RELEASE_PARTS * release_s + TERMINATION_S + ENDING_SPARE_S


def abandon_instance(auto_scaling: AutoScaling, document: BootDocument, clock: Clock) -> bool:
    """Have this instance replaced, by the launch hook or, after it, by its health; False when the group could not be
    told."""
    deadline = Deadline(clock, document.deadlines.release_s, "ABANDON of the launch hook")
    try:
        log.info("launch hook: %s", abandon(auto_scaling, document.group.launch_hook, deadline))
    except (CloudError, DeadlineExceeded) as error:
        # The time-out of the launch hook has the same effect later, but only while the hook is waiting.
        log.error("the group was not told to replace this instance: %s", error)
        return False
    return True
