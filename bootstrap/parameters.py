"""The state parameter in Systems Manager. Thin: one call, foreign errors become CloudError.

Source: Systems Manager API reference PutParameter (a standard parameter holds 4 KiB).
"""

from __future__ import annotations

from bootstrap.aws import Clients, converted

LARGEST_VALUE_BYTES = 4096


class Parameter:
    """One String parameter, overwritten each time."""

    def __init__(self, clients: Clients, name: str) -> None:
        self._clients = clients
        self._name = name

    def write(self, text: str) -> None:
        """Raises CloudError."""
        with converted(f"write parameter {self._name}"):
            self._clients.ssm().put_parameter(Name=self._name, Value=text, Type="String", Overwrite=True)
