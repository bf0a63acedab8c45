"""Threads and events, behind one small door.

For: every loop of the agent that starts a thread or waits for an event made by another thread. The simulation opens the
same door onto its own scheduler, and so runs the loops that ship.
Guarantees: a started thread never keeps the process alive. Does not: end a thread (Python cannot), or catch its errors.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol


class Running(Protocol):
    """A thread that was started."""

    def join(self, timeout: float | None = None) -> None:
        """Wait until it has ended, for at most `timeout` seconds."""


class Threads(Protocol):
    """Starts threads and makes the events they wait for."""

    def start(self, name: str, call: Callable[[], None]) -> Running:
        """Run `call` beside the caller."""

    def event(self) -> threading.Event:
        """An event that is not set."""


class SystemThreads:
    """Threads of the operating system."""

    def start(self, name: str, call: Callable[[], None]) -> Running:
        thread = threading.Thread(target=call, name=name, daemon=True)
        thread.start()
        return thread

    def event(self) -> threading.Event:
        return threading.Event()
