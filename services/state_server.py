"""The state server in the service file, and what must not ask it.

For: services.spec and services.rules. Guarantees: fields, limits and defaults are those of bootstrap.base.state.
Does not: say who may reach it; `ports` does.
"""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from bootstrap.base.check import Check
from bootstrap.base.state import StateServerSettings
from services.derived import with_fields_of
from services.findings import Finding
from services.part import Part
from services.workload import Workload


@with_fields_of(StateServerSettings)
class StateServer(Part):
    """The state of the instance over HTTP, for people, proxies and Prometheus."""

    def settings(self) -> StateServerSettings:
        """What the boot document says."""
        return StateServerSettings(**self.model_dump())


def state_server_findings(service: Workload, state_server: StateServer) -> Iterator[Finding]:
    """A health check that asks the agent itself passes whatever the service does."""
    port = state_server.settings().port
    for number, check in enumerate(service.health.checks):
        if port == _port(check):
            yield Finding(
                path=f"service.health.checks[{number}]",
                value=str(port),
                problem="asks the agent, which answers on that port, and not the service",
                remedy="Name the service's port; if that is the one, give state_server.port another",
                depends_on=("state_server.port",),
            )


def _port(check: Check) -> int | None:
    """The port that `check` asks, where it asks one."""
    url, port = getattr(check, "url", ""), getattr(check, "port", None)
    return urlsplit(url).port if url else port
