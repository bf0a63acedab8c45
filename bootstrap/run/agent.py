"""One run of the agent, from the metadata to the exit code. Read `Agent.run` from top to bottom:

    read metadata and site -> build the instance -> boot -> supervise -> end, in one of the ways of ending.py

For: `__main__`, and tests that put other adapters in. Guarantees: each way out has a sentence in log, state file and
state parameter, and an exit code; a boot that fails takes back what it did, has this instance replaced, and never ends
in exit code 0; the loss of the lease ends the run at once, whatever it is doing.
Does not: know which adapters it works with.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.document import BootDocument
from bootstrap.base.errors import AgentError, BadBootDocument, ExitCode, StopRequested
from bootstrap.base.files import text_of
from bootstrap.base.metric import Metric
from bootstrap.base.names import maintenance_parameter, site_parameter
from bootstrap.base.timeline import EventFile, Observer, Timeline, log_event
from bootstrap.claims.group import TERMINATED, LaunchHeartbeat, LifecycleWatch
from bootstrap.cloud.autoscaling import AutoScaling
from bootstrap.cloud.clients import Clients
from bootstrap.cloud.imds import Identity, MetadataService
from bootstrap.cloud.metrics import Metrics
from bootstrap.cloud.parameters import Parameter
from bootstrap.machine.systemd import ServiceNotifier
from bootstrap.run.boot import boot_steps
from bootstrap.run.ending import Ending, abandon_instance, longest_ending_s
from bootstrap.run.graph import Runner
from bootstrap.run.heartbeat import Heartbeat
from bootstrap.run.instance import Instance, Listeners, MachineParts, build_instance
from bootstrap.run.ladder import HOPELESS, Decision, ServiceAction
from bootstrap.run.log_copy import LogCopy, log_stream
from bootstrap.run.maintenance import MaintenanceMode
from bootstrap.run.metadata import Metadata, read_metadata
from bootstrap.run.parts import all_parts
from bootstrap.run.pulse import Pulse
from bootstrap.run.report import Report, write_file
from bootstrap.run.restarts import Restarts
from bootstrap.run.shown import Shown
from bootstrap.run.signs import boot_failed, signs_of_life, took_over
from bootstrap.run.site import SITE_S, sited
from bootstrap.run.supervise import Supervisor
from bootstrap.run.takeovers import note_takeover
from bootstrap.run.telling import Telling
from bootstrap.run.upkeep import Upkeep
from bootstrap.run.warm_up import warm_up
from bootstrap.show.server import StateServer

log = logging.getLogger(__name__)

LEASE_LOOP = "lease"
SUPERVISING_LOOP = "supervise"
BOOT = "boot"
BOOT_SPARE_S = 60.0  # so that the boot's own deadline, which gives a reason, comes first
NOT_TO_SERVE = (TERMINATED, "Warmed:")  # target lifecycle states, by their beginning


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """All that touches the outside world."""

    machine: MachineParts
    metadata: MetadataService
    notifier: ServiceNotifier
    clients: Callable[[str], Clients] = Clients
    observers: list[Observer] = field(default_factory=list)


class Agent:
    """One run."""

    def __init__(self, adapters: Adapters, stop: StopRequest) -> None:
        self._adapters = adapters
        self._clock = adapters.machine.clock
        self._paths = adapters.machine.paths
        self._stop = stop
        self.timeline = Timeline(self._clock, [log_event, EventFile(self._paths.timeline), *adapters.observers])
        self._report = Report(self._clock, self.timeline, self._paths.state)
        self._shown = Shown(self._report)
        self._watch = LifecycleWatch(adapters.metadata, self._clock, stop)
        self._pulse = Pulse(self._clock, adapters.notifier.alive)
        self._site_text = ""  # kept once the boot is done
        self._maintenance: MaintenanceMode | None = None  # before the service is known
        self._count: Callable[[Sequence[Metric]], None] = lambda _metrics: None  # what happens once
        self.log_copy = LogCopy(self._clock, self.facts)

    def run(self) -> ExitCode:
        """Boot, supervise, end. Never raises an AgentError."""
        self._paths.run.mkdir(parents=True, exist_ok=True)
        try:
            metadata = read_metadata(self._adapters.metadata, self.timeline, self._clock, self._stop)
        except StopRequested as request:
            log.info("stopped before anything was claimed: %s", request)
            return ExitCode.OK
        except AgentError as error:
            log.error("%s: %s", error.reason, error)
            self._adapters.notifier.status(f"{error.reason}: {error}")
            # Nobody was told: both codes have systemd start the agent again, and end the instance after ten times.
            return error.exit_code if isinstance(error, BadBootDocument) else ExitCode.SURROUNDINGS
        if metadata.target_state.startswith(NOT_TO_SERVE):
            sentence = f"target lifecycle state is {metadata.target_state}: nothing is claimed"
            log.info("%s", sentence)
            self._adapters.notifier.status(sentence)
            return ExitCode.OK
        clients = self._adapters.clients(metadata.document.region)
        self._shown.service = metadata.document.service.name
        heartbeat = self._heartbeat(metadata, clients)
        self.log_copy.send_to(log_stream(metadata, clients), self._report)
        warm_up(clients, [heartbeat.start, self.log_copy.start])
        try:
            document = self._look_up_site(metadata, clients)
        except StopRequested as request:
            log.info("stopped before anything was claimed: %s", request)
            return ExitCode.OK
        telling = Telling(self._paths.outbox, document, metadata.identity, clients, self._clock, self._report)
        telling.start()
        server = StateServer(metadata.document.state_server, self._clock, self._shown.view)
        server.start()
        try:
            exit_code = self._serve(metadata.identity, document, clients, telling)
            self._report.flush()
            telling.flush()
            heartbeat.flush()
        finally:
            server.close()
        return exit_code

    def facts(self) -> dict[str, str]:
        """What each line of the log is found by."""
        state = self._report.state
        named = {
            "SOLOIST_SERVICE": self._shown.service,
            "SOLOIST_INSTANCE": state.instance_id,
            "SOLOIST_ZONE": state.zone,
            "SOLOIST_GENERATION": str(state.generation or ""),
        }
        return {name: value for name, value in named.items() if value}

    def _heartbeat(self, metadata: Metadata, clients: Clients) -> Heartbeat:
        def look() -> list[Metric]:
            return signs_of_life(self._shown.view(), metadata.identity.instance_id, self._report.troubles)

        beats = Heartbeat(Metrics(clients).put, look, metadata.document.heartbeat_s, self._clock, self._report)
        self._count = beats.once
        return beats

    def _look_up_site(self, metadata: Metadata, clients: Clients) -> BootDocument:
        """The boot document at the site as it is now. Raises StopRequested."""
        document, zone = metadata.document, metadata.identity.zone
        self.timeline.started("site")
        deadline = Deadline(self._clock, SITE_S, "the site", self._stop)
        parameter = Parameter(clients, site_parameter(document.service.name))
        site = sited(document, zone, text_of(self._paths.site).strip(), parameter.read, deadline)
        self.timeline.finished("site", "ok", site.sentence)
        self._site_text = site.text
        return site.document

    def _serve(self, identity: Identity, document: BootDocument, clients: Clients, telling: Telling) -> ExitCode:
        """From the first claim to the end."""
        self._report.know(
            instance_id=identity.instance_id,
            zone=identity.zone,
            image_id=identity.image_id,
            image_version=self._adapters.machine.image_version,
        )
        self._report.reach(Parameter(clients, document.state_parameter))
        asked_in = Parameter(clients, maintenance_parameter(document.service.name))
        self._maintenance = MaintenanceMode(asked_in, self._clock, self._report)
        try:
            instance = build_instance(
                document,
                identity,
                machine=self._adapters.machine,
                clients=clients,
                listeners=self._listeners(document),
            )
        except AgentError as error:
            self._report(phase="failed", sentence=str(error), reason=error.reason)
            telling.boot_failed(error)
            self._count(boot_failed(document.service.name))
            group = AutoScaling(clients, document.group.name, identity.instance_id)
            return error.exit_code if abandon_instance(group, document, self._clock) else ExitCode.NOT_TOLD
        ending = Ending(
            instance,
            telling=telling,
            timeline=self.timeline,
            watch=self._watch,
            notifier=self._adapters.notifier,
            report=self._report,
        )
        telling.generation = lambda: instance.lease.keeper.generation
        self._report.tell(telling)
        return self._live(instance, ending, telling)

    def _live(self, instance: Instance, ending: Ending, telling: Telling) -> ExitCode:
        self._shown.knows(instance)
        self._watch.start()
        self._pulse.beat(BOOT, instance.document.deadlines.boot_s + BOOT_SPARE_S)
        self._pulse.start()
        keeper = instance.lease.keeper
        try:
            telling.took_over(self._boot(instance), self._report.troubles)
        except (StopRequested, AgentError) as error:
            self._pulse.rest(longest_ending_s(instance.document))
            if keeper.lost is not None:
                return ending.lease_lost(keeper.lost)
            if isinstance(error, AgentError):
                self._count(boot_failed(instance.document.service.name))
                return ending.boot_failed(error)
            return ending.stopped(str(error), has_served=False)
        if self._site_text:
            write_file(self._paths.site, self._site_text)
        decision = self._supervise(instance)
        if keeper.lost is not None:
            return ending.lease_lost(keeper.lost)
        if decision.action is ServiceAction.REPORT_UNHEALTHY:
            return ending.given_up(decision.sentence, decision.reason)
        return ending.stopped(decision.sentence, has_served=True)

    def _boot(self, instance: Instance) -> str:
        """The sentence of the instance that serves. Raises AgentError, StopRequested."""
        zone, document = instance.zone, instance.document
        self._report.know(
            network_interface_id=zone.network_interface_id,
            address=zone.address,
            connection=instance.claims.connection.name,
        )
        self._report(phase="booting", sentence=f"booting in {zone.name}")
        boot = Deadline(self._clock, document.deadlines.boot_s, "boot", self._stop)
        with LaunchHeartbeat(instance.group, document.group, self._clock, self._stop).during(boot.seconds):
            Runner(boot_steps(instance), self.timeline, self._clock, self._stop).run(boot)
        self.timeline.started("ready")
        self.timeline.finished("ready", "ok")
        sentence = (
            f"{document.service.name} serves at {zone.address} in {zone.name} as generation "
            f"{instance.lease.keeper.generation}, ready after {self.timeline.now_s():.1f} s"
        )
        self._report(phase="ready", sentence=sentence)
        self._adapters.notifier.ready(sentence)
        self._count(took_over(document.service.name, self.timeline.now_s(), self.timeline.entries()))
        return sentence

    def _supervise(self, instance: Instance) -> Decision:
        self._pulse.over(BOOT)
        beat = partial(self._pulse.beat, SUPERVISING_LOOP)
        parts = all_parts(instance, self._adapters.metadata)
        instance.service.data_watch.start()
        maintenance: Callable[[], str] = str  # nobody works on it
        if self._maintenance is not None:
            self._maintenance.start()
            maintenance = self._maintenance.sentence
        upkeep = Upkeep(parts, self._clock, self._stop, self._report, beat, maintenance)
        restarts, hopeless = Restarts(self._paths.restarts, self._clock), partial(self._report.standing, HOPELESS)
        supervisor = Supervisor(
            instance,
            upkeep,
            self._stop,
            self._say,
            beat,
            restarts=restarts,
            hopeless=hopeless,
            maintenance=maintenance,
        )
        self._shown.serves(lambda: supervisor.is_healthy)
        self._shown.takeovers = note_takeover(instance, self.timeline.entries(), self._stop)
        decision = supervisor.run()
        self._pulse.rest(longest_ending_s(instance.document))
        return decision

    def _listeners(self, document: BootDocument) -> Listeners:
        timing = document.lease.timing
        longest_cycle_s = timing.retry_period_s + 2 * timing.request_timeout_s
        return Listeners(
            troubles=self._report,
            on_held=lambda generation: self._report.know(generation=generation),
            on_lost=self._stop.request,
            beat_lease=partial(self._pulse.beat, LEASE_LOOP, longest_cycle_s),
        )

    def _say(self, sentence: str) -> None:
        """Report a new sentence about the service in the same phase."""
        log.info("supervise: %s", sentence)
        self._adapters.notifier.status(f"generation {self._report.state.generation}: {sentence}")
        self._report(phase=self._report.state.phase, sentence=sentence)
