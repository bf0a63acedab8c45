"""What can go wrong with a machine.

For: callers that treat an end, a time-out and a refusal differently. Guarantees: every message names the machine and
the reason, and the remedy if there is one. Does not: cover what is wrong with this computer (lab.base.errors).
"""

from __future__ import annotations

from lab.base.errors import LabError, LabTimeout


class MachineEnded(LabError):
    """The machine is off: killed, powered off, or its kernel panicked."""


class MachineTimeout(LabTimeout):
    """The machine did not answer in time: booting, frozen, or busy."""


class HardwareRefused(LabError):
    """The machine's control socket answered with an error (for example: no such device)."""
