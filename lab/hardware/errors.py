"""What can go wrong with a machine. Every message names the machine, the reason and, where there is one, the remedy."""

from __future__ import annotations

from lab.base.errors import LabError, LabTimeout


class MachineEnded(LabError):
    """The machine is off: killed, powered off, or its kernel panicked."""


class MachineTimeout(LabTimeout):
    """The machine did not answer in time: booting, frozen, or busy."""


class HardwareRefused(LabError):
    """The machine's control socket answered with an error (for example: no such device)."""
