"""A guest: its clock, threads, service, mount and fence process, and what each fault does to them.

Guarantees: `is_writer` is true exactly while something on this guest could write to the data: a running service or
dirty pages on a mount, of a guest that executes. A reset loses both. The fence is the guard that ships; group, mounts,
run files and watchdog device of this guest are behind its doors.
Does not: decide anything.
"""

from __future__ import annotations

from collections.abc import Callable

from bootstrap.base.timing import LeaseTiming
from bootstrap.fence.guard import Guard
from bootstrap.fence.rules import TICK_S, FenceAction
from bootstrap.lease.keeper import LeaseKeeper
from bootstrap.lease.rules.record import Applicant
from bootstrap.lease.rules.renew import Hold
from lab.simulation.engine import Process
from lab.simulation.fence_doors import NoDevices, RunFiles, ServiceGroup, ServiceMounts
from lab.simulation.frame import Frame
from lab.simulation.guest_clock import GuestClock

IDLE_S = 1e6
FENCE_RESTARTS = 0.5  # share of killed fences that systemd starts again; without it the watchdog device resets


class Machine:
    """One instance, over all its boots. `start_agent` and `writers_changed` are set by the world."""

    start_agent: Callable[[Machine], None]
    writers_changed: Callable[[], None]

    def __init__(self, frame: Frame, number: int, zone: str, timing: LeaseTiming, rate: float) -> None:
        self.frame = frame
        self.engine = frame.engine
        self.id = f"i-{number}"
        self.zone = zone
        self.timing = timing
        self.clock = GuestClock(frame.engine, rate)
        self.epoch = 0  # grows with each boot and at the end
        self.is_up = self.is_dead = False  # dead: for good
        self.ec2_state = "pending"
        self.group_state = "Pending:Wait"
        self.is_healthy = True
        self.leaving_from_s: float | None = None
        self.is_stuck = False  # its host does not obey: shutting-down without end
        self.file_system_cut_until_s = -1.0
        self.api_cut_until_s = -1.0
        self.slow_until_s = -1.0
        self.slow_s = 0.0
        self.cut_when_slow_until_s = -1.0
        self.split_files: dict[int, str] = {}
        self.threads: list[Process] = []
        self.fence: Process | None = None
        self.run_files = RunFiles()
        self.guard = self._new_guard()
        self.keeper: LeaseKeeper | None = None
        self.is_running = False
        self.is_mounted = False
        self.is_dirty = False
        self.is_stubborn = False  # ignores TERM
        self.generation = 0  # of the service that runs or ran last
        self.is_pausing_at_word = False
        self.higher_met_s: float | None = None  # its agent saw a higher generation beside its own service
        self.has_asked_to_let_go = False  # the present run of the agent
        self.agent_hit_s = -1e9  # killed or stopped
        self.renewal_landed_s = -1.0
        # what it did as a newcomer, for the checker
        self.look_performed_s = self.look_returned_s = -1.0  # by the server, to the agent
        self.all_answered_s = -1e9  # EC2 and the group, in one round of questions
        self.refused_s: float | None = None  # when EC2 refused to terminate the holder, in true time
        self.asked_s: float | None = None  # first request to terminate the holder, on the own clock

    @property
    def boot_id(self) -> str:
        return f"{self.id}/{self.epoch}"

    @property
    def applicant(self) -> Applicant:
        return Applicant(
            instance_id=self.id,
            zone=self.zone,
            network_interface_id=f"eni-{self.zone}",
            boot_id=self.boot_id,
            image_id="ami-1",
            agent_version="1",
        )

    @property
    def is_executing(self) -> bool:
        return self.is_up and not self.clock.is_paused

    @property
    def is_writer(self) -> bool:
        return self.is_executing and self.is_mounted and (self.is_running or self.is_dirty)

    @property
    def hold(self) -> Hold | None:
        """What its agent believes to hold."""
        return self.keeper.hold if self.keeper is not None and self.keeper.lost is None else None

    @property
    def keeper_generation(self) -> int:
        """The generation that its agent holds or held."""
        return self.keeper.generation if self.keeper is not None else 0

    # power

    def boot(self, delay_s: float) -> None:
        """The operating system comes up after `delay_s` of true time."""
        self.epoch += 1
        self.engine.after(delay_s, self._booted, self.epoch)

    def _booted(self, epoch: int) -> None:
        if epoch != self.epoch or self.is_dead:
            return
        self.is_up = True
        self.run_files = RunFiles()  # /run is lost with the boot
        self.generation, self.is_stubborn = 0, self.engine.rng.random() < 0.5
        self.start_fence()
        self.start_agent(self)

    def reset(self, why: str) -> None:
        """The kernel ends at once: nothing unsynced survives; then it boots again."""
        if not self.is_up:
            return
        self.frame.tell(f"{self.id} is reset: {why}")
        self.frame.met["reboot"] += 1
        self._off()
        self.boot(self.engine.rng.uniform(8.0, 20.0))

    def die(self, why: str) -> None:
        """The guest is gone for good."""
        if self.is_dead:
            return
        self.is_dead = True
        self.frame.tell(f"{self.id} ends: {why}")
        self._off()
        self.epoch += 1

    def panic(self) -> None:
        """The kernel stops; EC2 still says running."""
        self._off()
        self.epoch += 1

    def _off(self) -> None:
        self.clock.wake()
        self.is_up = self.is_running = self.is_mounted = self.is_dirty = False
        self.kill_agent()
        if self.fence is not None:
            self.fence.kill()
            self.fence = None
        self.writers_changed()

    def pause(self, *, is_clock_frozen: bool) -> None:
        if self.is_up and not self.clock.is_paused:
            self.frame.met["pause, clock frozen" if is_clock_frozen else "pause, clock running"] += 1
            self.clock.pause(is_clock_frozen=is_clock_frozen)
            self.writers_changed()

    def wake(self) -> None:
        if self.clock.is_paused:
            self.frame.tell(f"{self.id} wakes up")
            self.clock.wake()
            self.writers_changed()

    def pause_at_word(self) -> None:
        """Paused between a confirmed renewal and the word to the fence, until the deadline it guards is over."""
        self.is_pausing_at_word = False
        deadline_s = self.guard.memory.deadline_s
        if deadline_s is None or self.guard.memory.is_over:
            return
        past_s = self.engine.rng.uniform(0.05, 0.8) * self.timing.retry_period_s
        self.frame.met["pause before the fence's word"] += 1
        self.pause(is_clock_frozen=False)
        self.engine.after((deadline_s - self.clock.read() + past_s) / self.clock.rate, self.wake)

    # the agent's threads

    def start(self, name: str, call: Callable[[], None]) -> Process:
        """One more thread of the agent; it dies with the agent."""
        process = Process(self.engine, self.clock, call)
        self.threads = [*[thread for thread in self.threads if thread.is_alive], process]
        return process

    def kill_agent(self) -> None:
        for process in self.threads:
            process.kill()
        self.threads.clear()
        self.keeper = None

    # service and mount

    @property
    def is_cut(self) -> bool:
        now = self.engine.now
        return now < self.file_system_cut_until_s or now < self.frame.files_down_until_s

    def mount(self) -> None:
        self.is_mounted = True
        self._poke_fence_soon()
        self.writers_changed()

    def start_service(self, generation: int) -> bool:
        """systemd starts it only while the mount is there and the fence has granted it (AssertPathExists)."""
        if not self.is_mounted or self.run_files.granted != generation:
            return False
        self.is_running, self.generation = True, generation
        self._poke_fence_soon()
        self.writers_changed()
        return True

    def processes_end(self, epoch: int) -> None:
        if epoch != self.epoch or not self.is_running:
            return
        self.is_dirty = self.is_dirty or self.is_cut
        self.is_running = False
        self.writers_changed()

    def unmount(self, epoch: int) -> None:
        """Write back and unmount; it hangs while the file system is cut off."""
        if epoch == self.epoch and self.is_mounted and not self.is_running and not self.is_cut:
            self.is_mounted = self.is_dirty = False
            self.writers_changed()

    # the fence process

    def _new_guard(self) -> Guard:
        return Guard(
            files=self.run_files,
            group=ServiceGroup(self),
            mounts=ServiceMounts(self),
            watchdogs=NoDevices(),
            reset=lambda: self.reset("the fence process found no other way"),
            clock=self.clock.read,
        )

    def start_fence(self) -> None:
        """The process of the fence, which goes on where a former one of this boot stopped."""
        self.guard = self._new_guard()
        self.guard.restore()
        self.fence = Process(self.engine, self.clock, self._fence)

    def _fence(self) -> None:
        """The loop of the fence process. A calm turn changes nothing (tests/property shows it), so the turns between
        now and the next deadline are left out; a message of the agent ends the sleep, as in the fence's own loop."""
        while True:
            wait_s, memory = self.guard.turn(), self.guard.memory
            if memory.deadline_s is None or (memory.is_over and self.guard.is_clear):
                wait_s = IDLE_S
            elif not memory.is_over:
                wait_s = memory.deadline_s - self.clock.read()
            self.engine.wait(wait_s)

    def _poke_fence_soon(self) -> None:
        memory = self.guard.memory
        if self.fence is not None and (memory.is_over or memory.deadline_s is None):
            self.fence.poke(self.engine.rng.uniform(0.0, TICK_S))

    def kill_fence(self) -> None:
        """The fence process is gone, the device is not petted any more; perhaps systemd starts the process again."""
        if self.fence is None:
            return
        self.fence.kill()
        self.fence = None
        if self.engine.rng.random() < FENCE_RESTARTS:
            self.engine.after(self.engine.rng.uniform(0.1, 3.0), self._fence_again, self.epoch)
        elif "agent-pets" not in self.frame.defects:
            self.engine.after(self.timing.watchdog_timeout_s / self.clock.rate, self._watchdog, self.epoch)

    def _fence_again(self, epoch: int) -> None:
        if epoch != self.epoch or self.fence is not None:
            return
        if self.clock.is_paused:
            self.clock.park(is_timer=False, call=self._fence_again, arguments=(epoch,))
            return
        self.frame.met["fence started again"] += 1
        self.start_fence()

    def _watchdog(self, epoch: int) -> None:
        if epoch != self.epoch or self.fence is not None:
            return
        if self.clock.is_paused:
            self.clock.park(is_timer=True, call=self._watchdog, arguments=(epoch,))
            return
        self.reset("the watchdog device was not petted")

    def act(self, action: FenceAction) -> None:
        """What the guard does to the service and its mount."""
        rng, engine, epoch = self.engine.rng, self.engine, self.epoch
        if action is FenceAction.TERM:
            if not self.is_stubborn and not self.is_cut:
                engine.after(rng.uniform(0.2, 12.0), self.processes_end, epoch)
        elif action is FenceAction.KILL:
            # A process in the middle of a request to a dead mount cannot be killed.
            if not (self.is_cut and rng.random() < 0.5):
                engine.after(rng.uniform(0.0, 0.1), self.processes_end, epoch)
        else:
            engine.after(rng.uniform(0.05, 0.4), self.unmount, epoch)
