"""What the control plane asks of whoever runs the machines behind instance records.

For: `lab.aws` decides what happens to an instance and when; a `Machines` makes it so (`lab.play.hypervisor` with real
machines, `NoMachines` in unit tests). Guarantees: calls return at once and are safe to repeat. Does not: know AWS.
"""

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class Nic:
    """A network interface as a machine sees it."""

    id: str
    mac: str
    address: str
    subnet_id: str
    device_index: int


@dataclass(frozen=True, kw_only=True)
class MachineOrder:
    """A machine to be powered on: one instance record."""

    instance_id: str
    image_id: str
    instance_type: str
    zone: str
    hostname: str
    primary: Nic


class Machines(Protocol):
    """Turns instance records into machines and back."""

    def power_on(self, order: MachineOrder) -> None:
        """Start booting; returns at once."""

    def press_power_button(self, instance_id: str) -> None:
        """Ask the operating system to shut down; it may take long, or never do it."""

    def power_off(self, instance_id: str) -> None:
        """Cut the power. What was not synced is lost. No-op when already off."""

    def is_on(self, instance_id: str) -> bool:
        """True from power_on until the machine has ended, by itself or not."""

    def answers(self, instance_id: str) -> bool:
        """False while it is on and does not answer the network: frozen, hung, or not yet booted."""

    def console(self, instance_id: str) -> bytes:
        """The end of what it has written to its console since it was last powered on, also when it is off again."""

    def plug(self, instance_id: str, nic: Nic) -> None:
        """Hot-plug a network interface."""

    def unplug(self, instance_id: str, nic: Nic) -> None:
        """Remove a network interface, even if the guest uses it."""


class NoMachines:
    """Machines that are records only; they are off as soon as the power button is pressed."""

    def __init__(self) -> None:
        self.on: dict[str, MachineOrder] = {}
        self.nics: dict[str, dict[str, Nic]] = {}
        self.silent: set[str] = set()  # instances whose machines hang
        self.consoles: dict[str, bytes] = {}

    def power_on(self, order: MachineOrder) -> None:
        self.on[order.instance_id] = order
        self.nics[order.instance_id] = {order.primary.id: order.primary}

    def press_power_button(self, instance_id: str) -> None:
        self.power_off(instance_id)

    def power_off(self, instance_id: str) -> None:
        self.on.pop(instance_id, None)
        self.nics.pop(instance_id, None)

    def is_on(self, instance_id: str) -> bool:
        return instance_id in self.on

    def answers(self, instance_id: str) -> bool:
        return instance_id in self.on and instance_id not in self.silent

    def console(self, instance_id: str) -> bytes:
        return self.consoles.get(instance_id, b"")

    def plug(self, instance_id: str, nic: Nic) -> None:
        self.nics.setdefault(instance_id, {})[nic.id] = nic

    def unplug(self, instance_id: str, nic: Nic) -> None:
        self.nics.get(instance_id, {}).pop(nic.id, None)
