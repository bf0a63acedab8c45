"""The interface slots of one machine: hot-plugging, and unplugging of what the guest still uses.

For: lab.hardware.uml. Guarantees: an unplugged interface has no cable from that moment on, however long the guest takes
to let go of it (frozen, rebooting, busy); what is plugged into its slot meanwhile appears as soon as the slot is free;
what was plugged in is plugged in again after a reboot of the guest, as on AWS. Does not: know addresses.
"""

import contextlib
import threading
import time
from typing import Protocol

from lab.base.errors import LabError
from lab.hardware.command_line import vector_device
from lab.hardware.machine import HardwareRefused, NetworkInterface
from lab.hardware.network import Port

RELEASE_AGAIN_S = 0.2
REMOVAL_S = 2.0
GONE = 9  # exit code of the look into the guest


class Ports(Protocol):
    """lab.hardware.network.Network."""

    def add_port(self, subnet: str) -> Port: ...

    def pull_cable(self, port: Port) -> None: ...

    def remove_port(self, port: Port) -> None: ...


class Machine(Protocol):
    """What the slots need of their machine."""

    name: str

    def is_running(self) -> bool: ...

    def request(self, command: str, timeout_s: float = ...) -> str:
        """Of its hardware. Raises HardwareRefused, LabError."""

    def ask_guest(self, command: str, limit_s: int) -> int | None:
        """The exit code of a shell command; None without an answer."""


class Slots:
    """Safe to call from many threads."""

    def __init__(self, machine: Machine, network: Ports, ports: dict[int, Port]) -> None:
        """`ports`: by slot, those that the machine has from its start."""
        self._machine = machine
        self._network = network
        self._ports = ports
        self._plugged: dict[int, NetworkInterface] = {}  # since the start
        self._releasing: set[int] = set()
        self._next: dict[int, NetworkInterface] = {}  # as soon as the slot is free
        self._lock = threading.RLock()

    def attach(self, interface: NetworkInterface) -> None:
        """Raises HardwareRefused when the slot is taken, MachineEnded, LabError."""
        with self._lock:
            if interface.index in self._releasing:
                self._next[interface.index] = interface
            else:
                self._plug(interface)

    def detach(self, index: int) -> None:
        """No-op when the slot is empty."""
        with self._lock:
            self._next.pop(index, None)
            self._plugged.pop(index, None)
            port = self._ports.get(index)
            if port is None:
                return
            self._network.pull_cable(port)
            if self._machine.is_running() and index not in self._releasing:
                self._releasing.add(index)
                threading.Thread(target=self._release, args=(index, port), name="release", daemon=True).start()

    def port(self, index: int) -> Port:
        """Raises HardwareRefused when there is none."""
        with self._lock:
            if index not in self._ports:
                raise HardwareRefused(f"machine {self._machine.name}: no interface in slot {index}")
            return self._ports[index]

    def plug_again(self) -> None:
        """After a reboot only the interfaces of the command line exist; what is still there refuses, and is fine."""
        with self._lock:
            for interface in self._plugged.values():
                with contextlib.suppress(LabError):
                    self._machine.request(_config(interface, self._ports[interface.index]))

    def clear(self) -> None:
        """The machine has ended: its ports go."""
        with self._lock:
            ports, self._ports = self._ports, {}
            self._plugged.clear()
            self._next.clear()
        for port in ports.values():
            self._network.remove_port(port)

    def _plug(self, interface: NetworkInterface) -> None:
        if interface.index in self._ports:
            raise HardwareRefused(f"machine {self._machine.name}: slot {interface.index} is not free")
        port = self._network.add_port(interface.bridge)
        try:
            self._machine.request(_config(interface, port))
        except LabError:
            self._network.remove_port(port)
            raise
        self._ports[interface.index] = port
        self._plugged[interface.index] = interface

    def _release(self, index: int, port: Port) -> None:
        """The guest is made to let go, as of any hardware that vanishes. That lasts as long as the machine at most."""
        while self._machine.is_running() and not self._lets_go(index):
            time.sleep(RELEASE_AGAIN_S)
        with self._lock:
            self._releasing.discard(index)
            if self._ports.get(index) is not port:
                return  # its power was cut
            del self._ports[index]
            self._network.remove_port(port)
            following = self._next.pop(index, None)
            if following is not None and self._machine.is_running():
                self._plug(following)

    def _lets_go(self, index: int) -> bool:
        """Whether the device is gone. That of a guest that was rebooted is, and its removal is refused for ever."""
        device = f"vec{index}"
        try:
            self._machine.request(f"remove {device}", REMOVAL_S)
        except HardwareRefused:
            look = f"(test -e /sys/class/net/{device} || exit {GONE}; ip link set dev {device} down)"
            return self._machine.ask_guest(look, limit_s=2) == GONE
        except LabError:  # off or frozen: the cable is out, which is all that matters
            return False
        return True


def _config(interface: NetworkInterface, port: Port) -> str:
    return "config " + vector_device(interface.index, device=port.device, mac=interface.mac)
