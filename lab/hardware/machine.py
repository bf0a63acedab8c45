"""The interface of a machine, implemented by `lab.hardware.uml`. Another hypervisor would implement it as well.

For: the lab's hypervisor, file server, client and tests. Guarantees: powering on returns at once, every other call has
a limit; a killed machine keeps only what it had synced. Does not: know AWS, addresses or services.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, kw_only=True)
class NetworkInterface:
    """A network interface to plug in: slot number (0 is plugged at power on), MAC, and the bridge (subnet) it joins."""

    index: int
    mac: str
    bridge: str


@dataclass(frozen=True, kw_only=True)
class MachineSpec:
    """A machine to be powered on. `image` is never written to; `address` is that of interface 0, `CIDR` notation."""

    name: str  # also its host name; unique within a run
    image: Path
    memory_mib: int = 256
    interfaces: tuple[NetworkInterface, ...] = ()
    address: str = ""  # for example 10.0.0.4/24; empty: interface 0 is left unconfigured
    gateway: str = ""
    data_disk: Path | None = None  # written to directly, survives the machine
    kernel_arguments: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class ExecResult:
    """How a command ended: exit code and what it wrote to both outputs."""

    exit_code: int
    output: str


class Machine(Protocol):
    """One real Linux machine that has been powered on."""

    @property
    def name(self) -> str:
        """Its host name."""

    @property
    def console_path(self) -> Path:
        """The file its kernel writes its messages to."""

    def is_running(self) -> bool:
        """True from power on until the machine has ended, by itself or not; a frozen machine is running."""

    def wait_until_reachable(self, timeout_s: float) -> float:
        """Wait for the root shell to answer; seconds since power on. Raises MachineTimeout, MachineEnded."""

    def exec(self, command: str, timeout_s: float = 30.0) -> ExecResult:
        """Run a shell command as root. Many may run at once. Raises MachineTimeout, MachineEnded."""

    def attach_nic(self, interface: NetworkInterface) -> None:
        """Hot-plug a network interface. Raises HardwareRefused, MachineTimeout, MachineEnded."""

    def detach_nic(self, index: int) -> None:
        """Take a network interface away, whatever the guest does: the cable at once, the device when it lets go."""

    def freeze(self) -> None:
        """Stop the machine's clock and processors; its memory stays."""

    def thaw(self) -> None:
        """Go on after `freeze`."""

    def press_power_button(self) -> None:
        """Ask the operating system to shut down; returns at once."""

    def kill(self) -> None:
        """Cut the power and give its interfaces back. Safe to repeat."""

    def console_tail(self, lines: int = 20) -> str:
        """The last lines of the kernel's messages."""
