"""Faults of the API: errors, delays, lost connections, and work done whose answer is lost.

For: tests and the demo say `control_plane.faults.add(...)`. Guarantees: a fault applies to at most `count` calls; of
several that match, the oldest one applies. Does not: reach in-process `mock_aws`; it sits in the HTTP server.
"""

from __future__ import annotations

import re
import threading
from dataclasses import dataclass, field


@dataclass
class Fault:
    """What happens to the next `count` calls that match. `action` is a regular expression of the whole action name."""

    service: str = ""  # e.g. "ec2"; empty matches any
    action: str = ".*"  # e.g. "AttachNetworkInterface" or "Attach.*"
    caller: str = ""  # part of the caller's ARN; empty matches any
    count: int = 1
    code: str = ""  # answer with this error code
    message: str = "injected by the lab"
    status: int = 400
    delay_s: float = 0.0
    drop: bool = False  # close the connection without an answer
    lose_answer: bool = False  # do the work, then close the connection
    hits: int = field(default=0, init=False)

    def matches(self, service: str, action: str, caller: str) -> bool:
        """True when this fault is meant for the call."""
        return (
            self.hits < self.count
            and self.service in ("", service)
            and self.caller in caller
            and re.fullmatch(self.action, action) is not None
        )


class Faults:
    """The faults in force."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(self, fault: Fault) -> Fault:
        """Put a fault in force; returns it, so that its `hits` can be read."""
        with self._lock:
            self._faults.append(fault)
        return fault

    def clear(self) -> None:
        """No more faults."""
        with self._lock:
            self._faults.clear()

    def take(self, service: str, action: str, caller: str) -> Fault | None:
        """The fault for this call, counted; None when there is none."""
        with self._lock:
            for fault in self._faults:
                if fault.matches(service, action, caller):
                    fault.hits += 1
                    return fault
        return None
