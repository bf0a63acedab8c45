"""The functions there are: what their templates say of them, and who else may invoke them.

For: `invocations`, `schedules` and CloudFormation. Guarantees: a function is a value, so an invocation under way keeps
its code and settings whatever an update does. Does not: know templates or moto's records of the same functions.
"""

from __future__ import annotations

import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from lab.aws.core.cloud import Room
from lab.aws.lambdas.dead_end import DeadEnd
from lab.aws.lambdas.runner import Runner

DEFAULT_TIMEOUT_S, DEFAULT_MEMORY_MIB = 3, 128
MAXIMUM_RETRIES, MAXIMUM_AGE_S = 2, 21_600
_STOP_LIMIT_S = 10.0
_NAMED = re.compile(r"(?:(?:arn:aws:lambda:[\w-]+:)?\d{12}:function:)?([\w-]+)")


@dataclass(frozen=True, kw_only=True)
class Function:
    """One function with inline Python code. `reserved`: how many may run at once; None: the account's limit only."""

    name: str
    arn: str
    code: str
    handler: str
    role_arn: str
    timeout_s: float = DEFAULT_TIMEOUT_S
    memory_mib: int = DEFAULT_MEMORY_MIB
    variables: Mapping[str, str] = field(default_factory=dict)
    log_group: str = ""
    in_vpc: bool = False
    reserved: int | None = None


@dataclass(frozen=True, kw_only=True)
class Permission:
    """Who may invoke a function by its own policy. An empty source stands for any."""

    function_arn: str
    action: str
    principal: str
    source_arn: str = ""
    source_account: str = ""


@dataclass(frozen=True)
class Retries:
    """What becomes of an event that fails: how often it is tried again, and for how long it is kept."""

    attempts: int = MAXIMUM_RETRIES
    maximum_age_s: float = MAXIMUM_AGE_S


class Throttled(Exception):
    """As many as may run at once run already."""


@dataclass
class Lambdas(Room):
    functions: dict[str, Function] = field(default_factory=dict)  # by ARN
    permissions: dict[str, Permission] = field(default_factory=dict)  # by statement id
    retries: dict[str, Retries] = field(default_factory=dict)  # by function ARN, where configured
    runner: Runner = field(default_factory=Runner)
    dead_end: DeadEnd = field(default_factory=DeadEnd)
    threads: list[threading.Thread] = field(default_factory=list)
    _running: Counter[str] = field(default_factory=Counter)
    _changed: threading.Condition = field(default_factory=threading.Condition)

    def find(self, name: str) -> Function | None:
        """The function by its name, its ARN, or its ARN without the first parts."""
        named = _NAMED.fullmatch(name)
        found = (one for one in self.functions.values() if named and one.name == named.group(1))
        return next((one for one in found if not name.startswith("arn:") or one.arn == name), None)

    def allows(self, function: Function, principal: str, source_arn: str, account_id: str) -> bool:
        """True when a permission of the function names this caller."""
        return any(
            one.function_arn == function.arn
            and one.action in ("lambda:InvokeFunction", "lambda:*")
            and one.principal == principal
            and one.source_arn in ("", source_arn)
            and one.source_account in ("", account_id)
            for one in self.permissions.values()
        )

    @contextmanager
    def slot(self, function: Function) -> Iterator[None]:
        """One of the invocations that may run at once. Raises Throttled."""
        with self._changed:
            if function.reserved is not None and self._running[function.arn] >= function.reserved:
                raise Throttled(function.name)
            self._running[function.arn] += 1
        try:
            yield
        finally:
            with self._changed:
                self._running[function.arn] -= 1
                self._changed.notify_all()

    def stop(self) -> None:
        """End whatever runs, and wait for it and its threads, at most 10 s in all."""
        self.runner.stop()
        end_s = time.monotonic() + _STOP_LIMIT_S
        with self._changed:
            self._changed.wait_for(lambda: not any(self._running.values()), _STOP_LIMIT_S)
        for thread in self.threads:
            thread.join(max(0.0, end_s - time.monotonic()))
        self.dead_end.close()
