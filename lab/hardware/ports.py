"""What machines need of the network: a port to open, and a cable to pull (lab.hardware.network.Network does both)."""

from __future__ import annotations

from typing import Protocol

from lab.hardware.network import Port


class Ports(Protocol):
    """What machines need of the network."""

    def add_port(self, subnet: str) -> Port:
        """A new port in a subnet."""

    def pull_cable(self, port: Port) -> None:
        """Disconnect a port, leaving the machine's end alone."""

    def remove_port(self, port: Port) -> None:
        """Take a port away that no machine has open."""
