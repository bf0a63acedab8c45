"""What the crash-loop breaker knows, and clearing it: `soloist clear`.

For: rollout.cli. Guarantees: a version from which the breaker went back is promoted again only after a person has
cleared it; clearing is safe to repeat; where a run of the watchdog writes in the same moment, it is done again.
Does not: count boots or go back (watchdog.breaker).
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from bootstrap.base.names import watchdog_parameter
from rollout.aws import Clients, doing, read_parameter
from rollout.errors import PreconditionError, RolloutError
from watchdog.memory import BadMemory, Memory, memory_text, parse_memory

TRIES = 5  # against a watchdog that writes in the same moment


def read_memory(clients: Clients, service: str) -> Memory:
    """An empty memory where no watchdog is deployed. Raises RolloutError."""
    name = watchdog_parameter(service)
    text = read_parameter(clients, name)
    return _parsed(name, text) if text else Memory()


def said_of(memory: Memory) -> Iterator[str]:
    """What an operator should know of it, one sentence each."""
    if memory.broken:
        yield f"breaker: it went back from version {', '.join(memory.broken)}, which did not boot (soloist clear)"
    if memory.gave_up:
        yield f"breaker: version {memory.failed_version} does not boot, and there is none to go back to"
    elif memory.failed_boots:
        yield f"breaker: {memory.failed_boots} boots of version {memory.failed_version} in a row have failed"
    if memory.acted_on:
        at = datetime.fromtimestamp(memory.acted_at, UTC).isoformat(timespec="seconds")
        yield f"watchdog: it ended {memory.acted_on} at {at}"


def check_not_broken(memory: Memory, service: str, version: int) -> None:
    """Raises PreconditionError for a version whose boots failed until the breaker went back from it."""
    if str(version) in memory.broken:
        raise PreconditionError(
            f"version {version} of {service} did not boot, and the crash-loop breaker went back from it. It would go "
            f"back again. Mend what it was, then say soloist clear {service}"
        )


def clear(clients: Clients, service: str) -> Memory:
    """Call no version bad any more; returns what was known before. Raises RolloutError.

    Systems Manager has no conditional write, but it counts versions and keeps the former ones under `NAME:VERSION`
    (API reference, PutParameter and GetParameter): what somebody wrote in between is found there, and cleared as well.
    """
    name = watchdog_parameter(service)
    before, version = _read(clients, name, name)
    for _ in range(TRIES):
        with doing(f"cannot write parameter {name}"):
            made = clients.ssm.put_parameter(
                Name=name, Value=memory_text(before.cleared()), Type="String", Overwrite=True
            )["Version"]
        if made == version + 1:
            return before
        before, version = _read(clients, name, f"{name}:{made - 1}")[0], made
    raise RolloutError(f"parameter {name} was changed by others {TRIES} times meanwhile. Say the same command again")


def _read(clients: Clients, name: str, which: str) -> tuple[Memory, int]:
    with doing(f"cannot read parameter {which}"):
        try:
            found = clients.ssm.get_parameter(Name=which)["Parameter"]
        except clients.ssm.exceptions.ParameterNotFound:
            raise PreconditionError(
                f"no parameter {name} in this account and Region, so there is nothing to clear. Deploy the watch stack"
            ) from None
    return _parsed(name, found["Value"]), found["Version"]


def _parsed(name: str, text: str) -> Memory:
    try:
        return parse_memory(text)
    except BadMemory as error:
        raise RolloutError(f"parameter {name}: {error}. Write {{}} into it, and the watchdog begins anew") from None
