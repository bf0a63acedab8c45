"""What a machine is made from, how a command in it ends, and what can go wrong with it.

For: `lab.hardware.uml` makes machines of these; callers treat an end, a time-out and a refusal differently.
Guarantees: the message of an error names the machine and the reason. Does not: know AWS, addresses or services.
"""

from dataclasses import dataclass, field
from pathlib import Path

from lab.base.errors import LabError, LabTimeout


class MachineEnded(LabError):
    """The machine is off: killed, powered off, or its kernel panicked."""


class MachineTimeout(LabTimeout):
    """The machine did not answer in time: booting, frozen, or busy."""


class HardwareRefused(LabError):
    """The machine's control socket answered with an error (for example: no such device)."""


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
    memory_mib: int = 384
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
