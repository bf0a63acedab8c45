"""The agent of a simulated machine: the loops that ship, put together as bootstrap.run puts them together.

For: lab.simulation.world. Takeover, renewal, permission, network interface, DNS record, lifecycle hooks, ordered stop
and release are the agent's own code; what is here only starts the service when the fence has granted it, and looks at
the target lifecycle state, instead of a boot graph, systemd and health checks.
Guarantees: adds no rule of its own. Does not: end an instance that gives up; it asks the group to.
"""

from collections.abc import Callable
from typing import Any

from bootstrap.base.clock import Deadline, StopRequest
from bootstrap.base.document import Zone
from bootstrap.base.errors import AgentError, FenceError, StopRequested
from bootstrap.base.timeline import Timeline
from bootstrap.claims.connection.contract import establish
from bootstrap.claims.connection.route53 import Route53Connection, record_ttl_s
from bootstrap.claims.group import abandon, complete_hook, complete_launch_hook
from bootstrap.claims.network_interface import Claim
from bootstrap.lease.directory import LeaseDirectory
from bootstrap.lease.parts import LeaseParts
from bootstrap.lease.takeover import Taken
from bootstrap.lease.tenure import Tenure
from lab.simulation.aws_doors import AutoScaling, Dns, Ec2, Evidence
from lab.simulation.control_plane import Address, ControlPlane
from lab.simulation.file_server import FileServer
from lab.simulation.fleet import Fleet
from lab.simulation.frame import Frame
from lab.simulation.judge import Judge
from lab.simulation.machine import Machine
from lab.simulation.surroundings import Fence, GuestThreads, GuestTime, Worker, Writers

WATCH_S = 4.0  # between looks at the target lifecycle state
LEASE_SPARE_S = 30.0
LONG_S = 3600.0
RELEASE_S = 40.0
TTL_S = 10


class Agent:
    """One run of the agent process of one machine."""

    def __init__(
        self, frame: Frame, machine: Machine, fleet: Fleet, files: FileServer, cloud: ControlPlane, judge: Judge
    ) -> None:
        self._frame = frame
        self._machine = machine
        self._cloud = cloud
        self._clock, self._threads = GuestTime(machine), GuestThreads(machine)
        self._stopping = self._threads.event()
        self._stop = StopRequest(self._stopping)
        self._judge = judge
        worker = self._worker = Worker(machine, files, judge)
        self._parts = LeaseParts(
            directory=LeaseDirectory(worker, "/lease", self._clock),
            fence=Fence(machine, judge, worker),
            clock=self._clock,
            threads=self._threads,
            me=machine.applicant,
            timing=machine.timing,
            policy=frame.schedule.policy,
            mounts=("/data",),
        )
        self._ec2 = Ec2(frame, machine, cloud, fleet, judge)
        self._group: Any = AutoScaling(machine, cloud)
        evidence = Evidence(machine, self._ec2, self._group, self._threads)
        self._tenure = Tenure(self._parts, evidence, lambda: frame.new_nonce(machine.id))
        self._keeper = machine.keeper = self._tenure.keeper
        machine.has_asked_to_let_go = False
        zone = Zone(
            name=machine.zone,
            network_interface_id=f"eni-{machine.zone}",
            address="",
            subnet_cidr="",
        )
        self._writers = Writers(machine, files)
        self._claim = Claim(self._ec2, zone, machine.id, self._tenure.permit)
        self._belongings = Belongings(machine, self._claim, self._clock)

    def run(self) -> None:
        """From the start of the process to its end."""
        taken = self._take()
        if taken is None:
            self._give_up("no lease")
            return
        self._tenure.keep(taken, self._stop.request, lambda: None)
        self._threads.start("record", self._move_record)
        self._threads.start("network-interface", self._attach)  # not awaited: the service starts as early as it can
        if not self._machine.is_running and not self._start_service(taken.hold.record.generation):
            self._end("the service was not started", has_served=False)
            return
        self._serve()

    def _take(self) -> Taken | None:
        machine = self._machine
        deadline = self._deadline(machine.timing.longest_wait_s + LEASE_SPARE_S, "lease")
        try:
            return self._tenure.take(self._belongings, deadline)
        except (AgentError, StopRequested) as error:
            self._frame.tell(f"{machine.id}: {error}")
            published = self._worker.published
            # Of a generation that the fence was to guard; one that expired before is left to its successor.
            is_unguarded = isinstance(error, FenceError) and ("answer hold" in str(error) or "not guard" in str(error))
            if is_unguarded and published is not None and not published.is_released:
                self._judge.kept(machine, published)
            return None

    def _start_service(self, generation: int) -> bool:
        machine, rng = self._machine, self._machine.engine.rng
        machine.engine.wait(rng.uniform(0.02, 0.3))
        if machine.is_cut or self._stop.is_requested:
            return False
        machine.mount()
        if not self._tried(lambda: self._tenure.enter(self._writers, self._deadline(LONG_S, "data"))):
            return False
        machine.engine.wait(rng.uniform(0.02, 0.3))
        if self._stop.is_requested or not machine.start_service(generation):
            return False
        self._judge.serves(machine, generation)
        self._frame.tell(f"{machine.id} serves with generation {generation}")
        return True

    def _serve(self) -> None:
        machine = self._machine
        self._threads.start("launch-hook", self._continue)
        finding = ""
        while not finding:
            self._stopping.watch(WATCH_S, lambda: not self._finding())
            finding = self._finding()
        if finding == "lost":
            self._end("lost", has_served=False)
            return
        self._frame.tell(f"{machine.id} stops gracefully")
        self._release_all(has_served=True)
        self._tried(lambda: complete_hook(self._group, "drain", "CONTINUE", self._deadline(RELEASE_S, "hook")))

    def _finding(self) -> str:
        machine = self._machine
        if self._keeper.lost is not None or machine.guard.memory.is_over or not machine.is_running:
            return "lost"
        return "terminating" if machine.group_state == "Terminating:Wait" else ""

    def _end(self, why: str, *, has_served: bool) -> None:
        self._release_all(has_served=has_served)
        self._give_up(why)

    def _release_all(self, *, has_served: bool) -> None:
        left = self._tenure.end(self._belongings, Timeline(self._clock, []), has_served=has_served)
        for sentence in left:
            self._frame.tell(f"{self._machine.id}: {sentence}")

    def _give_up(self, why: str) -> None:
        """Have this instance ended, for as long as it takes."""
        self._frame.tell(f"{self._machine.id} gives up: {why}")
        while True:
            self._tried(lambda: abandon(self._group, "boot", Deadline(self._clock, RELEASE_S, "abandon")))
            self._machine.engine.wait(5.0)

    def _attach(self) -> None:
        self._tried(lambda: self._claim.acquire(self._deadline(LONG_S, "network interface")))

    def _move_record(self) -> None:
        machine, frame = self._machine, self._frame
        connection = Route53Connection(
            Dns(frame, machine, self._cloud),
            name="service",
            address=machine.zone,
            ttl_s=TTL_S,
            permit=_granted if "no-dns-guard" in frame.defects else self._tenure.permit,
        )
        generation = self._keeper.generation
        if self._tried(lambda: establish(connection, generation, self._deadline(LONG_S, "record"))):
            # A record that was right already is that of this generation from now on.
            self._cloud.adopt(Address(zone=machine.zone, ttl_s=record_ttl_s(TTL_S, generation), generation=generation))

    def _continue(self) -> None:
        self._tried(lambda: complete_launch_hook(self._group, "boot", self._deadline(LONG_S, "launch hook")))

    def _tried(self, act: Callable[[], object]) -> bool:
        try:
            act()
        except (AgentError, StopRequested) as error:
            self._frame.tell(f"{self._machine.id}: {error}")
            return False
        return True

    def _deadline(self, seconds: float, what: str) -> Deadline:
        return Deadline(self._clock, seconds, what, self._stop)


def _granted() -> None:
    """A permission that nobody looked for."""


class Belongings:
    """bootstrap.lease.release.Belongings of a simulated machine."""

    def __init__(self, machine: Machine, claim: Claim, clock: GuestTime) -> None:
        self._machine = machine
        self._claim = claim
        self._clock = clock

    def before_stop(self) -> list[str]:
        return []

    def stop_service(self) -> list[str]:
        machine, engine = self._machine, self._machine.engine
        machine.higher_met_s = None
        for _ in range(10):
            if not machine.is_running:
                return []
            engine.after(engine.rng.uniform(0.2, 6.0), machine.processes_end, machine.epoch)
            engine.wait(2.0)
        return ["the service still runs"] if machine.is_running else []

    def outsiders(self) -> list[str]:
        return []

    def sync(self) -> list[str]:
        return []

    def unmount(self) -> list[str]:
        machine, engine = self._machine, self._machine.engine
        for _ in range(10):
            if not machine.is_mounted:
                return []
            engine.after(engine.rng.uniform(0.05, 0.5), machine.unmount, machine.epoch)
            engine.wait(2.0)
        return ["the data could not be unmounted"] if machine.is_mounted else []

    def detach(self) -> list[str]:
        is_released = self._claim.release(Deadline(self._clock, RELEASE_S, "detach"))
        return [] if is_released else ["the network interface is not seen detached"]

    def unmount_lease(self) -> list[str]:
        return []
