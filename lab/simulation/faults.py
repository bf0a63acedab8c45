"""Carries out the faults of a schedule.

Guarantees: each is named like its method and is over after its length. Does not: choose when or whom.
"""

from collections.abc import Callable

from lab.simulation.control_plane import FORGETFUL_S, ControlPlane
from lab.simulation.file_server import FileServer
from lab.simulation.fleet import Fleet
from lab.simulation.frame import Frame
from lab.simulation.machine import Machine
from lab.simulation.schedule import Fault

IMPAIRED_S = (40.0, 120.0)  # until the group acts on failed status checks


class Faults:
    """One method per kind: (machine, length in seconds)."""

    def __init__(
        self,
        frame: Frame,
        fleet: Fleet,
        files: FileServer,
        cloud: ControlPlane,
        *,
        sleepers: list[Machine],
        restart_agent: Callable[[Machine, int], None],
    ) -> None:
        """`sleepers`: who is woken when somebody publishes."""
        self._frame = frame
        self._fleet = fleet
        self._files = files
        self._cloud = cloud
        self._engine = frame.engine
        self._sleepers = sleepers
        self._restart_agent = restart_agent

    def begin(self, fault: Fault) -> None:
        machine = self._target(fault.target)
        if machine is None or fault.kind == "nothing":
            return
        self._frame.tell(f"FAULT {fault}" + (f" ({machine.id})" if fault.target else ""))
        getattr(self, fault.kind)(machine, fault.length_s)

    def _target(self, name: str) -> Machine | None:
        record = self._files.files.get(self._files.highest)
        machines = self._fleet.machines
        holder = self._fleet.machine(record.instance_id) if record else machines[0]
        alive = [machine for machine in machines if not machine.is_dead]
        if name in ("holder", ""):
            return holder
        if name == "newest":
            return alive[-1] if alive else None
        return next((machine for machine in reversed(alive) if machine is not holder), None)

    # guests

    def pause(self, machine: Machine, length_s: float) -> None:
        machine.pause(is_clock_frozen=False)
        self._wake_later(machine, length_s)

    def freeze(self, machine: Machine, length_s: float) -> None:
        machine.pause(is_clock_frozen=True)
        self._wake_later(machine, length_s)

    def pause_at_word(self, machine: Machine, length_s: float) -> None:
        machine.is_pausing_at_word = True

    def _wake_later(self, machine: Machine, length_s: float) -> None:
        # Half of the pauses end in the worst moment: when a newcomer publishes, or just starts to serve.
        if self._engine.rng.random() < 0.5:
            self._sleepers.append(machine)
        self._engine.after(length_s, machine.wake)
        if length_s > IMPAIRED_S[0]:
            self._impaired(machine)

    def _impaired(self, machine: Machine) -> None:
        def act() -> None:
            if machine.clock.is_paused or not machine.is_up or machine.is_cut:
                self._cloud.begin_leaving(machine)

        self._engine.after(self._engine.rng.uniform(*IMPAIRED_S), act)

    def panic(self, machine: Machine, length_s: float) -> None:
        if machine.is_up:
            self._frame.tell(f"{machine.id} panics")
            machine.panic()
            self._impaired(machine)

    def reboot(self, machine: Machine, length_s: float) -> None:
        machine.reset("rebooted")

    def end(self, machine: Machine, length_s: float) -> None:
        self._cloud.terminate(machine, is_forced=False, is_shut_down=self._engine.rng.random() < 0.5)

    def stuck(self, machine: Machine, length_s: float) -> None:
        machine.is_stuck = True
        self._engine.after(length_s, self._cloud.free_stuck)

    def kill_agent(self, machine: Machine, length_s: float) -> None:
        if machine.is_executing:
            machine.kill_agent()
            machine.agent_hit_s = self._engine.now
            delay_s = self._engine.rng.uniform(1.0, 6.0)
            self._engine.after(delay_s, self._restart_agent, machine, machine.epoch)

    def stop_agent(self, machine: Machine, length_s: float) -> None:
        machine.agent_hit_s = self._engine.now
        for process in machine.threads:
            process.stopped_until_s = self._engine.now + min(length_s, 60.0)

    def kill_fence(self, machine: Machine, length_s: float) -> None:
        if machine.is_up and not machine.clock.is_paused:
            machine.kill_fence()

    # paths

    def cut_files(self, machine: Machine, length_s: float) -> None:
        machine.file_system_cut_until_s = max(machine.file_system_cut_until_s, self._engine.now + length_s)

    def cut_api(self, machine: Machine, length_s: float) -> None:
        machine.api_cut_until_s = max(machine.api_cut_until_s, self._engine.now + length_s)

    def cut_both(self, machine: Machine, length_s: float) -> None:
        self.cut_files(machine, length_s)
        self.cut_api(machine, length_s)

    def slow_files(self, machine: Machine, length_s: float) -> None:
        machine.slow_until_s = self._engine.now + length_s
        machine.slow_s = self._engine.rng.uniform(1.0, machine.timing.request_timeout_s)

    def slow_then_cut(self, machine: Machine, length_s: float) -> None:
        """An answer comes just in time, then none."""
        machine.slow_until_s = self._engine.now + length_s
        machine.slow_s = 0.95 * machine.timing.request_timeout_s
        machine.cut_when_slow_until_s = self._engine.now + length_s

    def kill_fence_and_cut(self, machine: Machine, length_s: float) -> None:
        self.kill_fence(machine, 0.0)
        self.cut_files(machine, length_s)

    def zone_loss(self, machine: Machine, length_s: float) -> None:
        self.cut_both(machine, length_s)
        self.stuck(machine, length_s)
        self._impaired(machine)

    # services

    def server_down(self, machine: Machine, length_s: float) -> None:
        until_s = self._engine.now + min(length_s, 60.0)
        self._frame.files_down_until_s = max(self._frame.files_down_until_s, until_s)

    def torn(self, machine: Machine, length_s: float) -> None:
        self._files.torn_until_s = self._engine.now + min(length_s, 60.0)

    def split(self, machine: Machine, length_s: float) -> None:
        self._files.split_until_s = self._engine.now + length_s

    def restored(self, machine: Machine, length_s: float) -> None:
        """The lease directory is emptied, or put back to an earlier state, while the data stay as they are."""
        self._files.restore(
            self._engine.rng.choice((0, 0, max(0, self._files.highest - self._engine.rng.choice((1, 2)))))
        )

    def lost_replies(self, machine: Machine, length_s: float) -> None:
        """File server, EC2, group and Route 53 do what they are asked; half of their answers are lost."""
        until_s = self._engine.now + length_s
        self._files.lossy_until_s = max(self._files.lossy_until_s, until_s)
        self._cloud.lossy_until_s = max(self._cloud.lossy_until_s, until_s)

    def sent_again(self, machine: Machine, length_s: float) -> None:
        """The next renewal is performed, its reply is lost, and much later its request arrives once more."""
        self._files.sent_again_s[machine.boot_id] = self._engine.now + length_s

    def forgetful(self, machine: Machine, length_s: float) -> None:
        self._cloud.forgetful_until_s = self._engine.now + min(length_s, FORGETFUL_S)

    def denied(self, machine: Machine, length_s: float) -> None:
        """EC2 refuses to terminate anybody."""
        self._cloud.denying_until_s = max(self._cloud.denying_until_s, self._engine.now + length_s)

    def silent_ec2(self, machine: Machine, length_s: float) -> None:
        self._silent("ec2", length_s)

    def silent_group(self, machine: Machine, length_s: float) -> None:
        self._silent("group", length_s)

    def silent_route53(self, machine: Machine, length_s: float) -> None:
        self._silent("route53", length_s)
        self._silent("route53-change", length_s)

    def silent_changes(self, machine: Machine, length_s: float) -> None:
        """The record can be read, but changes of it do not come through."""
        self._silent("route53-change", length_s)

    def silent_cloud(self, machine: Machine, length_s: float) -> None:
        for service in ("ec2", "group", "route53", "route53-change"):
            self._silent(service, length_s)

    def _silent(self, service: str, length_s: float) -> None:
        silent = self._cloud.silent_until_s
        silent[service] = max(silent[service], self._engine.now + length_s)

    # the group

    def replace(self, machine: Machine, length_s: float) -> None:
        self._cloud.begin_leaving(machine)

    def unhealthy(self, machine: Machine, length_s: float) -> None:
        self._cloud.report_unhealthy(machine)

    def launch_first(self, machine: Machine, length_s: float) -> None:
        self._cloud.launch("the group launches before it terminates")

    def launch_beside(self, machine: Machine, length_s: float) -> None:
        """Two newcomers at once."""
        self._cloud.launch("the group balances its zones")
        if self._engine.rng.random() < 0.5:
            self._cloud.begin_leaving(machine)
            self._cloud.launch("the group balances its zones again")
