"""Makes the clients of AWS in a thread, in the order of need, while the file system is being mounted.

For: the agent. Guarantees: what is given to start afterwards starts also when a client cannot be made; it comes after
the clients of the boot, because one client is made at a time. Does not: call AWS.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from bootstrap.cloud.clients import Clients


def warm_up(clients: Clients, afterwards: Sequence[Callable[[], None]]) -> None:
    """Begin; returns at once."""
    threading.Thread(target=_warm_up, args=(clients, afterwards), name="warm-up", daemon=True).start()


def _warm_up(clients: Clients, afterwards: Sequence[Callable[[], None]]) -> None:
    try:
        for make in (clients.ssm, clients.ec2, clients.autoscaling, clients.route53):
            make()
    finally:
        for start in afterwards:
            start()
