"""Powers real machines on and off for the instances of the control plane.

For: the control plane decides what happens to an instance; this carries it out with `UmlMachines`. Guarantees: every
call returns at once and may be repeated; a machine that cannot start is reported and counts as off.
Does not: know Auto Scaling, or call the control plane, which asks `is_on` and `answers`.
"""

import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from lab.aws import MachineOrder, Nic
from lab.base.errors import LabError
from lab.hardware.machine import MachineSpec, NetworkInterface
from lab.hardware.uml import UmlMachine, UmlMachines

PRIMARY_SLOT = 0
LOOK_EVERY_S, LOOK_LIMIT_S = 1.0, 1.0
CONSOLE_BYTES = 64 * 1024


@dataclass
class _Look:
    """Whether a machine answered the network, and when it is asked again (monotonic seconds)."""

    answered: bool = False
    is_under_way: bool = False
    next_s: float = 0.0


class Hypervisor:
    """Machines by instance id (implements lab.aws.Machines). Safe to call from many threads."""

    def __init__(
        self,
        machines: UmlMachines,
        gateway: Callable[[str], str],
        images: Mapping[str, Path],
        kernel_arguments: tuple[str, ...],
        say: Callable[[str], None],
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`gateway`: of a subnet by id, with prefix length; makes the subnet's bridge where there is none yet.
        `images`: disk image by image id. `kernel_arguments`: for every machine, besides those of its address.
        `clock`: epoch seconds."""
        self._builder = machines
        self._gateway = gateway
        self._images = images
        self._kernel_arguments = kernel_arguments
        self._say = say
        self._clock = clock
        self.clock_ahead_s = 0.0  # of each machine that starts from now on; it boots with a clock that is wrong by that
        self.lost_disks: set[str] = set()  # ids of images whose machines do not start
        self._machines: dict[str, UmlMachine] = {}
        self._starting: dict[str, threading.Thread] = {}
        self._looks: dict[str, _Look] = {}
        self._cut_off: set[str] = set()  # power was cut while the machine was still being started
        self._lock = threading.RLock()

    def power_on(self, order: MachineOrder) -> None:
        """Start the machine of an instance. A second order for the same instance is ignored."""
        with self._lock:
            if order.instance_id in self._starting:
                return
            thread = threading.Thread(target=self._start, args=(order,), name=f"start {order.instance_id}", daemon=True)
            self._starting[order.instance_id] = thread
            thread.start()

    def press_power_button(self, instance_id: str) -> None:
        machine = self.machine(instance_id)
        if machine is not None:
            self._quietly(machine, machine.press_power_button)

    def power_off(self, instance_id: str) -> None:
        with self._lock:
            machine = self._machines.get(instance_id)
            if machine is None:
                self._cut_off.add(instance_id)
        if machine is not None:
            machine.kill()

    def is_on(self, instance_id: str) -> bool:
        with self._lock:
            machine = self._machines.get(instance_id)
            starting = self._starting.get(instance_id)
        if machine is not None:
            return machine.is_running()
        return starting is not None and starting.is_alive()

    def answers(self, instance_id: str) -> bool:
        """What the last look said; each look is made in a thread of its own, one at a time for a machine."""
        machine = self.machine(instance_id)
        if machine is None:
            return False
        with self._lock:
            look = self._looks.setdefault(instance_id, _Look())
            if not look.is_under_way and time.monotonic() >= look.next_s:
                look.is_under_way = True
                thread = threading.Thread(target=self._look, args=(machine, look), name="status check", daemon=True)
                thread.start()
            return look.answered

    def _look(self, machine: UmlMachine, look: _Look) -> None:
        answered = machine.answers(LOOK_LIMIT_S)
        with self._lock:
            look.answered, look.is_under_way, look.next_s = answered, False, time.monotonic() + LOOK_EVERY_S

    def console(self, instance_id: str) -> bytes:
        with self._lock:
            machine = self._machines.get(instance_id)
        return machine.console(CONSOLE_BYTES) if machine is not None else b""

    def plug(self, instance_id: str, nic: Nic) -> None:
        machine = self.machine(instance_id)
        if machine is None:
            return
        self._gateway(nic.subnet_id)  # its bridge must be there
        interface = NetworkInterface(index=nic.device_index, mac=nic.mac, bridge=nic.subnet_id)
        self._quietly(machine, lambda: machine.attach_nic(interface))

    def unplug(self, instance_id: str, nic: Nic) -> None:
        machine = self.machine(instance_id)
        if machine is not None:
            self._quietly(machine, lambda: machine.detach_nic(nic.device_index))

    def machine(self, instance_id: str) -> UmlMachine | None:
        """The running machine of an instance; None before it was started and after it ended."""
        with self._lock:
            machine = self._machines.get(instance_id)
        return machine if machine is not None and machine.is_running() else None

    def end_all(self) -> None:
        """Cut the power of every machine, even if one of them does not end. Raises that one's error."""
        with self._lock:
            instance_ids = list(self._starting)
        with ExitStack() as ending:
            for instance_id in instance_ids:
                ending.callback(self.power_off, instance_id)

    def _start(self, order: MachineOrder) -> None:
        try:
            image = self._images.get(order.image_id)
            if image is None or order.image_id in self.lost_disks:
                known = ", ".join(sorted(set(self._images) - self.lost_disks))
                raise LabError(f"there is no disk for image {order.image_id}, only for {known}")
            address, length = self._gateway(order.primary.subnet_id).split("/")
            spec = MachineSpec(
                name=order.instance_id,
                image=image,
                interfaces=(
                    NetworkInterface(index=PRIMARY_SLOT, mac=order.primary.mac, bridge=order.primary.subnet_id),
                ),
                address=f"{order.primary.address}/{length}",
                gateway=address,
                kernel_arguments=(*self._kernel_arguments, *self._wrong_clock()),
            )
            machine = self._builder.power_on(spec)
        except LabError as error:
            with self._lock:
                is_wanted = order.instance_id not in self._cut_off
            if is_wanted:
                self._say(f"the machine of {order.instance_id} did not start: {error}")
            return
        with self._lock:
            self._machines[order.instance_id] = machine
            cut = order.instance_id in self._cut_off
        if cut:
            machine.kill()

    def _wrong_clock(self) -> tuple[str, ...]:
        """What sets the clock before anything reads it (kernel-command-line(7), systemd.clock_usec)."""
        if not self.clock_ahead_s:
            return ()
        return (f"systemd.clock_usec={int((self._clock() + self.clock_ahead_s) * 1e6)}",)

    def _quietly(self, machine: UmlMachine, act: Callable[[], None]) -> None:
        """Say what failed, but do not raise. A machine that ended meanwhile is no news: the control plane tells it."""
        try:
            act()
        except LabError as error:
            if machine.is_running():
                self._say(str(error))
