"""A guest: its clock, processes, service, mount and fence, and what a fault does to each.

Guarantees: `is_writer` is true exactly while something on this guest could write to the data: a running service or
dirty pages on a mount, of a guest that executes. A reset loses both. Does not: decide anything.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from bootstrap.base.timing import LeaseTiming
from bootstrap.fence.rules import TICK_S, FenceAction, FenceMemory
from bootstrap.lease.rules.record import Applicant, LeaseRecord
from bootstrap.lease.rules.renew import Hold
from lab.simulation.engine import GuestClock, Process
from lab.simulation.file_server import Content

if TYPE_CHECKING:
    from lab.simulation.world import World


class Machine:
    """One instance, over all its boots."""

    def __init__(self, world: World, number: int, zone: str, timing: LeaseTiming, rate: float) -> None:
        self.world = world
        self.engine = world.engine
        self.id = f"i-{number}"
        self.zone = zone
        self.timing = timing
        self.clock = GuestClock(world.engine, rate)
        self.epoch = 0  # grows with each boot and at the end
        self.is_up = False
        self.is_dead = False  # for good
        # EC2 and the group
        self.ec2_state = "pending"
        self.group_state = "Pending:Wait"
        self.is_healthy = True
        self.launched_s = world.engine.now
        self.leaving_from_s: float | None = None
        self.is_stuck = False  # its host does not obey: shutting-down without end
        # paths
        self.file_system_cut_until_s = -1.0
        self.api_cut_until_s = -1.0
        self.slow_until_s = -1.0
        self.slow_s = 0.0
        self.cut_when_slow_until_s = -1.0
        self.has_attribute_cache = "cached-look" in world.defects
        self.cached: Content = (0, "", None)
        self.cached_until_s = -1.0
        self.split_files: dict[int, LeaseRecord] = {}
        # what runs
        self.processes: list[Process] = []
        self.fence: Process | None = None
        self.fence_memory = FenceMemory()
        self.is_running = False
        self.is_mounted = False
        self.is_dirty = False
        self.is_stubborn = False  # ignores TERM
        self.generation = 0  # of the service that runs or ran last
        self.hold: Hold | None = None
        self.run_nonce = ""  # in /run: lost with the boot
        self.is_lost = False
        self.agent_hit_s = -1e9  # killed or stopped
        self.is_wanted = True  # the agent keeps the service running
        self.renewal_landed_s = -1.0
        # what it did as a newcomer, for the checker
        self.look_performed_s = -1.0  # by the server
        self.look_returned_s = -1.0
        self.all_answered_s = -1e9  # EC2 and the group, in one round of questions
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

    # power

    def boot(self, delay_s: float) -> None:
        """The operating system comes up after `delay_s` of true time."""
        self.epoch += 1
        self.engine.after(delay_s, self._booted, self.epoch)

    def _booted(self, epoch: int) -> None:
        if epoch != self.epoch or self.is_dead:
            return
        self.is_up = True
        self.fence_memory, self.hold, self.is_lost, self.is_wanted = FenceMemory(), None, False, True
        self.run_nonce, self.generation, self.is_stubborn = "", 0, self.engine.rng.random() < 0.5
        self.world.start_fence(self)
        self.world.start_agent(self)

    def reset(self, why: str) -> None:
        """The kernel ends at once: nothing unsynced survives; then it boots again."""
        if not self.is_up:
            return
        self.world.tell(f"{self.id} is reset: {why}")
        self.world.met["reboot"] += 1
        self._off()
        self.boot(self.engine.rng.uniform(8.0, 20.0))

    def die(self, why: str) -> None:
        """The guest is gone for good."""
        if self.is_dead:
            return
        self.is_dead = True
        self.world.tell(f"{self.id} ends: {why}")
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
        self.world.writers_changed()

    def kill_agent(self) -> None:
        for process in self.processes:
            process.kill()
        self.processes.clear()

    def pause(self, *, is_clock_frozen: bool) -> None:
        if self.is_up and not self.clock.is_paused:
            self.world.met["pause, clock frozen" if is_clock_frozen else "pause, clock running"] += 1
            self.clock.pause(is_clock_frozen=is_clock_frozen)
            self.world.writers_changed()

    def wake(self) -> None:
        if self.clock.is_paused:
            self.world.tell(f"{self.id} wakes up")
            self.clock.wake()
            self.world.writers_changed()

    # service and mount

    @property
    def is_cut(self) -> bool:
        now = self.engine.now
        return now < self.file_system_cut_until_s or now < self.world.files.down_until_s

    def mount(self) -> None:
        self.is_mounted = True
        self._poke_fence_soon()
        self.world.writers_changed()

    def start_service(self) -> None:
        """systemd starts it only while the mount is there (unit dependency)."""
        if self.is_mounted:
            self.is_running = True
            self._poke_fence_soon()
            self.world.writers_changed()

    def processes_end(self, epoch: int) -> None:
        if epoch != self.epoch or not self.is_running:
            return
        self.is_dirty = self.is_dirty or self.is_cut
        self.is_running = False
        self.world.writers_changed()

    def unmount(self, epoch: int) -> None:
        """Write back and unmount; it hangs while the file system is cut off."""
        if epoch == self.epoch and self.is_mounted and not self.is_running and not self.is_cut:
            self.is_mounted = self.is_dirty = False
            self.world.writers_changed()

    def _poke_fence_soon(self) -> None:
        memory = self.fence_memory
        if self.fence is not None and (memory.is_over or memory.deadline_s is None):
            self.fence.poke(self.engine.rng.uniform(0.0, TICK_S))

    def kill_fence(self) -> None:
        """The fence process is gone; the device is not petted any more."""
        if self.fence is None:
            return
        self.fence.kill()
        self.fence = None
        if "agent-pets" not in self.world.defects:
            self.engine.after(self.timing.watchdog_timeout_s / self.clock.rate, self._watchdog, self.epoch)

    def _watchdog(self, epoch: int) -> None:
        if epoch != self.epoch or self.fence is not None:
            return
        if self.clock.is_paused:
            self.clock.park(is_timer=True, call=self._watchdog, arguments=(epoch,))
            return
        self.reset("the watchdog device was not petted")

    def act(self, action: FenceAction) -> None:
        """What the fence process decided."""
        rng, engine, epoch = self.engine.rng, self.engine, self.epoch
        if action is FenceAction.TERM:
            self.is_wanted = False
            if not self.is_stubborn and not self.is_cut:
                engine.after(rng.uniform(0.2, 12.0), self.processes_end, epoch)
        elif action is FenceAction.KILL:
            self.is_wanted = False
            # A process in the middle of a request to a dead mount cannot be killed.
            if not (self.is_cut and rng.random() < 0.5):
                engine.after(rng.uniform(0.0, 0.1), self.processes_end, epoch)
        elif action is FenceAction.UNMOUNT:
            engine.after(rng.uniform(0.05, 0.4), self.unmount, epoch)
        elif action is FenceAction.RESET:
            self.reset("the fence process found no other way")
