"""Asks for maintenance mode, and ends it: `soloist pause` and `soloist resume`.

For: rollout.cli. Guarantees: a pause has an end; a second one replaces the first; resume is safe to repeat.
Does not: wait until the instance obeys, which takes a minute (bootstrap.run.maintenance).
"""

from __future__ import annotations

import getpass
import re
import socket

from bootstrap.base.codec import encode
from bootstrap.base.maintenance import Maintenance
from bootstrap.base.names import maintenance_parameter
from rollout.aws import Clients, doing
from rollout.errors import PreconditionError

LENGTH = re.compile(r"(?:(\d{1,3})d)?(?:(\d{1,3})h)?(?:(\d{1,4})m)?")


def seconds_of(length: str) -> float:
    """Of `2h`, `90m`, `1d12h`. Raises PreconditionError."""
    found = LENGTH.fullmatch(length)
    if not length or found is None:
        raise PreconditionError(f"{length!r} is no length of time: write days, hours and minutes as in 1d12h or 90m")
    days, hours, minutes = (int(part or 0) for part in found.groups())
    return float(((days * 24 + hours) * 60 + minutes) * 60)


def pause(clients: Clients, service: str, *, for_s: float, why: str) -> Maintenance:
    """What was asked for. Raises PreconditionError, RolloutError."""
    try:
        wanted = Maintenance(for_s=for_s, by=f"{getpass.getuser()}@{socket.gethostname()}", why=why)
    except ValueError as error:
        raise PreconditionError(f"{service} is not paused: {error}") from None
    name = maintenance_parameter(service)
    with doing(f"cannot write parameter {name}"):
        clients.ssm.put_parameter(Name=name, Value=encode(wanted), Type="String", Overwrite=True)
    return wanted


def resume(clients: Clients, service: str) -> bool:
    """Whether it was paused. Raises RolloutError."""
    name = maintenance_parameter(service)
    with doing(f"cannot delete parameter {name}"):
        try:
            clients.ssm.delete_parameter(Name=name)
        except clients.ssm.exceptions.ParameterNotFound:
            return False
    return True
