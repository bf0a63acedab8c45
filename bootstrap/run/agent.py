"""One run of the agent, from the metadata to the exit code.

For: `__main__`, and tests that put other adapters in. Guarantees: each way out has a sentence in log, state file and
state parameter, and an exit code; a boot that failed takes back what it did, answers the launch hook with ABANDON (or,
where the group already counts on this instance, reports it unhealthy), and never ends in exit code 0; a lease that is
lost ends the run at once, whatever it was doing.
Does not: know which adapters it works with.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.document import METADATA_S, BootDocument, parse_user_data
from bootstrap.base.errors import AgentError, ExitCode, StopRequested
from bootstrap.base.timeline import EventFile, Observer, Timeline, log_event
from bootstrap.claims.group import TERMINATED, LaunchHeartbeat, LifecycleWatch
from bootstrap.cloud.autoscaling import AutoScaling
from bootstrap.cloud.clients import Clients
from bootstrap.cloud.imds import Identity, MetadataService
from bootstrap.cloud.parameters import Parameter
from bootstrap.cloud.topic import Topic
from bootstrap.machine.systemd import ServiceNotifier
from bootstrap.run.boot import boot_steps
from bootstrap.run.ending import Ending, abandon_instance
from bootstrap.run.graph import Runner
from bootstrap.run.instance import Instance, Listeners, Machine, build_instance
from bootstrap.run.kinds import KINDS
from bootstrap.run.pulse import Pulse
from bootstrap.run.report import BackgroundWriter, Phase, State, reassert, render_state, report, write_file
from bootstrap.run.supervise import Action, Supervisor

log = logging.getLogger(__name__)

FLUSH_S = 10.0
LEASE_LOOP = "lease"
SUPERVISING_LOOP = "supervise"


@dataclass(frozen=True, kw_only=True)
class Adapters:
    """All that touches the outside world."""

    machine: Machine
    metadata: MetadataService
    notifier: ServiceNotifier
    clients: Callable[[str], Clients] = Clients
    observers: list[Observer] = field(default_factory=list)


class Agent:
    """One run."""

    def __init__(self, adapters: Adapters, stop: StopRequest) -> None:
        self._adapters = adapters
        self._machine = adapters.machine
        self._clock = adapters.machine.clock
        self._paths = adapters.machine.paths
        self._stop = stop
        self._events = EventFile(self._paths.timeline)
        self.timeline = Timeline(self._clock, [log_event, self._events, *adapters.observers])
        self._watch = LifecycleWatch(adapters.metadata, self._clock, stop)
        self._pulse = Pulse(self._clock, adapters.notifier.alive)
        self._state: State | None = None
        self._writer: BackgroundWriter | None = None

    def run(self) -> ExitCode:
        """Boot, supervise, stop. Never raises an AgentError."""
        self._paths.run.mkdir(parents=True, exist_ok=True)
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
                document, identity, machine=self._machine, clients=clients, listeners=self._listeners(document)
            )
        except AgentError as error:
            self._report_state(phase="failed", sentence=str(error), reason=error.reason)
            abandon_instance(AutoScaling(clients, document.group.name, identity.instance_id), document, self._clock)
            self._flush()
            return error.exit_code
        ending = Ending(
            instance,
            topic=Topic(clients, document.topic_arn),
            timeline=self.timeline,
            watch=self._watch,
            notifier=self._adapters.notifier,
            report=self._report_state,
        )
        exit_code = self._live(instance, ending)
        self._flush()
        return exit_code

    def _live(self, instance: Instance, ending: Ending) -> ExitCode:
        zone, document = instance.zone, instance.document
        self._state = replace(self._known_state(), network_interface_id=zone.network_interface_id, address=zone.address)
        self._report_state(phase="booting", sentence=f"booting in {zone.name}")
        self._watch.start()
        self._pulse.start()
        heartbeat = LaunchHeartbeat(instance.auto_scaling, document.group, self._clock, self._stop)
        overall = Deadline(self._clock, document.deadlines.boot_s, "boot", self._stop)
        keeper = instance.lease.keeper
        try:
            with heartbeat.during(overall.seconds):
                Runner(boot_steps(instance), self.timeline, self._clock, self._stop).run(overall)
        except (StopRequested, AgentError) as error:
            if keeper.lost is not None:
                return ending.lease_lost(keeper.lost)
            if isinstance(error, AgentError):
                return ending.boot_failed(error)
            return ending.stopped(str(error), has_served=False)
        self.timeline.started("ready")
        self.timeline.finished("ready", "ok")
        took_s = self.timeline.now_s()
        sentence = (
            f"{document.service.name} serves at {zone.address} in {zone.name} as generation {keeper.generation}, "
            f"ready after {took_s:.1f} s"
        )
        self._report_state(phase="ready", sentence=sentence)
        self._adapters.notifier.ready(sentence)
        beat = partial(self._pulse.beat, SUPERVISING_LOOP)
        decision = Supervisor(instance, self._stop, self._say, beat).run()
        self._pulse.rest()
        if keeper.lost is not None:
            return ending.lease_lost(keeper.lost)
        if decision.action is Action.REPORT_UNHEALTHY:
            return ending.given_up(decision.sentence)
        return ending.stopped(decision.sentence, has_served=True)

    def _listeners(self, document: BootDocument) -> Listeners:
        timing = document.lease.timing
        longest_cycle_s = timing.retry_period_s + 2 * timing.request_timeout_s

        def held(generation: int) -> None:
            self._state = replace(self._known_state(), generation=generation)

        return Listeners(
            on_held=held,
            on_lost=self._stop.request,
            beat_lease=partial(self._pulse.beat, LEASE_LOOP, longest_cycle_s),
        )

    def _read_metadata(self) -> tuple[BootDocument, Identity, Clients] | None:
        """None when this instance is not to serve. Raises AgentError, StopRequested."""
        self.timeline.started("metadata")
        deadline = Deadline(self._clock, METADATA_S, "metadata service", self._stop)
        metadata = self._adapters.metadata
        try:
            identity = metadata.identity(deadline)
            target = metadata.target_lifecycle_state(deadline)
            document = parse_user_data(metadata.user_data(deadline), KINDS)
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
            image_version=self._machine.image_version,
            record=document.record.name,
        )
        if target == TERMINATED or target.startswith("Warmed:"):
            sentence = f"target lifecycle state is {target}: nothing is claimed"
            log.info("%s", sentence)
            self._adapters.notifier.status(sentence)
            return None
        parameter = Parameter(clients, document.state_parameter)
        self._writer = BackgroundWriter(partial(report, parameter), self._clock, partial(reassert, parameter))
        self._writer.start()
        return document, identity, clients

    def _say(self, sentence: str) -> None:
        log.info("supervise: %s", sentence)
        state = self._known_state()
        self._adapters.notifier.status(f"generation {state.generation}: {sentence}")
        self._report_state(phase=state.phase, sentence=sentence)

    def _known_state(self) -> State:
        if self._state is None:
            raise RuntimeError("the state is asked for before the metadata are read")
        return self._state

    def _report_state(self, *, phase: Phase, sentence: str, reason: str = "") -> None:
        self._state = replace(self._known_state(), phase=phase, sentence=sentence, reason=reason)
        log.info("%s: %s", f"{phase} ({reason})" if reason else phase, sentence)
        text = render_state(self._state, self.timeline.entries(), self._clock.utc_text())
        write_file(self._paths.state, text)
        if self._writer is not None:
            self._writer.offer(text)

    def _flush(self) -> None:
        if self._writer is not None and not self._writer.flush(Deadline(self._clock, FLUSH_S, "state parameter")):
            log.warning("the state parameter was not written within %.0f s", FLUSH_S)


def _warm_up(clients: Clients) -> None:
    """Make the clients in the order of need while the file system is being mounted."""
    for make in (clients.ec2, clients.autoscaling, clients.route53, clients.ssm):
        make()
