"""One run of the agent, from the metadata to the exit code.

For: `__main__`, and tests that put other adapters in. Guarantees: each way out has a sentence in log, state file and
state parameter, and an exit code; a boot that failed takes back what it did, answers the launch hook with ABANDON (or,
where the group already counts on this instance, reports it unhealthy), and never ends in exit code 0.
Does not: know which adapters it works with.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from bootstrap.autoscaling import AutoScaling
from bootstrap.aws import Clients
from bootstrap.boot import boot_steps
from bootstrap.boot_document import BootDocument, parse_user_data
from bootstrap.clock import Clock, Deadline, StopRequest
from bootstrap.commands import Commands
from bootstrap.errors import AgentError, CloudError, DeadlineExceeded, ExitCode, StopRequested
from bootstrap.imds import Identity, MetadataService
from bootstrap.instance import Instance, build_instance
from bootstrap.lifecycle import TERMINATED, LifecycleWatch, abandon, complete_hook
from bootstrap.links import Links
from bootstrap.notify import ServiceNotifier
from bootstrap.parameters import Parameter
from bootstrap.paths import Paths
from bootstrap.state import BackgroundWriter, Phase, State, image_version, render_state, report, write_file
from bootstrap.steps import Runner
from bootstrap.stop import release_all
from bootstrap.supervise import Action, Supervisor
from bootstrap.timeline import EventFile, Observer, Timeline, log_event
from bootstrap.topic import Topic

log = logging.getLogger(__name__)

METADATA_S = 60.0
FLUSH_S = 10.0
TERMINATION_S = 120.0  # how long an instance that gave itself up waits for the terminate hook, to shorten it


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """All that touches the outside world."""

    clock: Clock
    paths: Paths
    metadata: MetadataService
    commands: Commands
    links: Links
    notifier: ServiceNotifier
    clients: Callable[[str], Clients] = Clients
    observers: list[Observer] = field(default_factory=list)


class Agent:
    """One run."""

    def __init__(self, adapters: Adapters, stop: StopRequest) -> None:
        self._adapters = adapters
        self._clock = adapters.clock
        self._stop = stop
        self._events = EventFile(adapters.paths.run / "timeline.jsonl")
        self.timeline = Timeline(self._clock, [log_event, self._events, *adapters.observers])
        self._watch = LifecycleWatch(adapters.metadata, self._clock, stop)
        self._state: State | None = None
        self._writer: BackgroundWriter | None = None

    def run(self) -> ExitCode:
        """Boot, supervise, stop. Never raises an AgentError."""
        self._adapters.paths.run.mkdir(parents=True, exist_ok=True)
        try:
            found = self._read_metadata()
        except StopRequested as request:
            log.info("stopped before anything was claimed: %s", request)
            return ExitCode.OK
        except AgentError as error:
            log.error("%s: %s", error.reason, error)
            self._adapters.notifier.status(f"{error.reason}: {error}")
            return error.exit_code
        if found is None:
            return ExitCode.OK
        document, identity, clients = found
        try:
            instance = build_instance(
                document,
                identity,
                clock=self._clock,
                paths=self._adapters.paths,
                commands=self._adapters.commands,
                links=self._adapters.links,
                clients=clients,
            )
        except AgentError as error:
            self._report_state(phase="failed", sentence=str(error), reason=error.reason)
            self._abandon(AutoScaling(clients, document.group.name, identity.instance_id), document)
            self._flush()
            return error.exit_code
        return self._live(instance, Topic(clients, document.topic_arn))

    def _live(self, instance: Instance, topic: Topic) -> ExitCode:
        zone, document = instance.zone, instance.document
        self._state = replace(self._known_state(), network_interface_id=zone.network_interface_id, address=zone.address)
        self._report_state(phase="booting", sentence=f"booting in {zone.name}")
        self._watch.start()
        overall = Deadline(self._clock, document.deadlines.boot_s, "boot", self._stop)
        try:
            Runner(boot_steps(instance), self.timeline, self._clock, self._stop).run(overall)
        except StopRequested as request:
            return self._stopped(instance, str(request), has_served=False)
        except AgentError as error:
            return self._failed(instance, topic, error)
        self.timeline.started("ready")
        self.timeline.finished("ready", "ok")
        took_s = self.timeline.now_s()
        sentence = f"{document.service.name} serves at {zone.address} in {zone.name}, ready after {took_s:.1f} s"
        self._report_state(phase="ready", sentence=sentence)
        self._adapters.notifier.ready(sentence)
        decision = Supervisor(instance, self._stop, self._say).run()
        if decision.action is Action.REPORT_UNHEALTHY:
            return self._given_up(instance, topic, decision.sentence)
        return self._stopped(instance, decision.sentence, has_served=True)

    def _read_metadata(self) -> tuple[BootDocument, Identity, Clients] | None:
        """None when this instance is not to serve. Raises AgentError, StopRequested."""
        self.timeline.started("metadata")
        deadline = Deadline(self._clock, METADATA_S, "metadata service", self._stop)
        metadata = self._adapters.metadata
        try:
            identity = metadata.identity(deadline)
            target = metadata.target_lifecycle_state(deadline)
            document = parse_user_data(metadata.user_data(deadline))
        except AgentError as error:
            self.timeline.finished("metadata", "failed", str(error))
            raise
        self.timeline.finished("metadata", "ok", f"{identity.instance_id} in {identity.zone}")
        clients = self._adapters.clients(document.region)
        threading.Thread(target=_warm_up, args=(clients,), name="warm-up", daemon=True).start()
        self._state = State(
            phase="booting",
            sentence="",
            instance_id=identity.instance_id,
            zone=identity.zone,
            image_id=identity.image_id,
            image_version=image_version(self._adapters.paths.image),
            record=document.record.name,
        )
        if target == TERMINATED or target.startswith("Warmed:"):
            sentence = f"target lifecycle state is {target}: nothing is claimed"
            log.info("%s", sentence)
            self._adapters.notifier.status(sentence)
            return None
        self._writer = BackgroundWriter(partial(report, Parameter(clients, document.state_parameter)), self._clock)
        self._writer.start()
        return document, identity, clients

    def _failed(self, instance: Instance, topic: Topic, error: AgentError) -> ExitCode:
        """A boot that did not succeed."""
        self._report_state(phase="failed", sentence=str(error), reason=error.reason)
        self._publish(topic, instance, f"boot failed ({error.reason})", str(error))
        self._adapters.notifier.stopping(f"{error.reason}: {error}")
        incomplete = release_all(instance, self.timeline, has_served=False)
        self._abandon(instance.auto_scaling, instance.document)
        self._report_state(phase="failed", sentence="; ".join([str(error), *incomplete]), reason=error.reason)
        self._await_termination(instance)
        self._flush()
        return error.exit_code

    def _abandon(self, auto_scaling: AutoScaling, document: BootDocument) -> None:
        """Have this instance replaced: by the launch hook or, after it, by its health."""
        deadline = Deadline(self._clock, document.deadlines.release_s, "ABANDON of the launch hook")
        try:
            log.info("launch hook: %s", abandon(auto_scaling, document.group.launch_hook, deadline))
        except (CloudError, DeadlineExceeded) as error:
            # The hook's own time-out has the same end, later; systemd does not start the agent again.
            log.error("the group was not told to replace this instance: %s", error)

    def _given_up(self, instance: Instance, topic: Topic, sentence: str) -> ExitCode:
        """A service that cannot be kept alive here; the group knows already."""
        self._report_state(phase="unhealthy", sentence=sentence, reason="service-failed")
        self._publish(topic, instance, "instance reported unhealthy", sentence)
        self._adapters.notifier.stopping(sentence)
        incomplete = release_all(instance, self.timeline, has_served=False)
        self._report_state(phase="failed", sentence="; ".join([sentence, *incomplete]), reason="service-failed")
        self._await_termination(instance)
        self._flush()
        return ExitCode.FAILED

    def _stopped(self, instance: Instance, sentence: str, *, has_served: bool) -> ExitCode:
        """A stop that was asked for."""
        self._report_state(phase="stopping", sentence=sentence)
        self._adapters.notifier.stopping(sentence)
        incomplete = release_all(instance, self.timeline, has_served=has_served)
        if self._watch.is_terminated:
            self._complete_terminate_hook(instance)
        if incomplete:
            sentence = f"{sentence}; incomplete: {'; '.join(incomplete)}"
        self._report_state(phase="stopped", sentence=sentence, reason="incomplete" if incomplete else "")
        self._flush()
        return ExitCode.INCOMPLETE if incomplete else ExitCode.OK

    def _await_termination(self, instance: Instance) -> None:
        if self._watch.await_terminated(TERMINATION_S):
            self._complete_terminate_hook(instance)

    def _complete_terminate_hook(self, instance: Instance) -> None:
        deadline = Deadline(self._clock, instance.document.deadlines.release_s, "terminate hook")
        self.timeline.started("terminate-hook")
        try:
            is_waiting = complete_hook(
                instance.auto_scaling, instance.document.group.terminate_hook, "CONTINUE", deadline
            )
        except AgentError as error:
            self.timeline.finished("terminate-hook", "failed", str(error))
        else:
            self.timeline.finished("terminate-hook", "ok", "" if is_waiting else "no hook was waiting")

    def _publish(self, topic: Topic, instance: Instance, what: str, text: str) -> None:
        service, me = instance.document.service.name, instance.identity.instance_id
        try:
            topic.publish(f"soloist {service}: {what}", f"{service} on {me} in {instance.zone.name}: {text}")
        except CloudError as error:
            log.warning("%s", error)

    def _say(self, sentence: str) -> None:
        log.info("supervise: %s", sentence)
        self._adapters.notifier.status(sentence)
        state = self._known_state()
        self._report_state(phase=state.phase, sentence=sentence)

    def _known_state(self) -> State:
        if self._state is None:
            raise RuntimeError("the state is asked for before the metadata are read")
        return self._state

    def _report_state(self, *, phase: Phase, sentence: str, reason: str = "") -> None:
        self._state = replace(self._known_state(), phase=phase, sentence=sentence, reason=reason)
        log.info("%s: %s", phase, sentence)
        text = render_state(self._state, self.timeline.entries(), self._clock.utc_text())
        write_file(self._adapters.paths.run / "state.json", text)
        if self._writer is not None:
            self._writer.offer(text)

    def _flush(self) -> None:
        if self._writer is not None and not self._writer.flush(Deadline(self._clock, FLUSH_S, "state parameter")):
            log.warning("the state parameter was not written within %.0f s", FLUSH_S)


def _warm_up(clients: Clients) -> None:
    """Make the clients in the order of need while the file system is being mounted."""
    for make in (clients.ec2, clients.route53, clients.autoscaling, clients.ssm):
        make()
