"""The one cloud of this process: account, region, clock, lock, agenda, events, and the rooms of the services.

For: patches of moto look up `current()`; the clockwork works the agenda. Guarantees: every change happens under `lock`;
calls to machines and to subscribers happen outside of it, in order, so that they may ask the control plane questions.
Does not: know a single AWS rule or service. What a service keeps beyond moto's records is a class of that service's
room, such as `lab.aws.ec2.state.Ec2`; `room` keeps the one object of that class.
"""

import functools
import heapq
import itertools
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self, TypeVar

from moto.backends import get_backend

from lab.aws.core.call_log import Caller, CallLog
from lab.aws.core.timing import Clockmaker, Timing

DEFAULT_ACCOUNT = "123456789012"
_GLOBAL = ("iam", "route53")  # services with one backend for all regions

_State = TypeVar("_State")


@dataclass(frozen=True, kw_only=True)
class Event:
    """Something that happened, for the live display and the report; `at` is the control plane's clock, in seconds."""

    at: float
    kind: str  # instance, network-interface, group, account, record, stack, file-system, limit, fault, error
    subject: str
    text: str


class Cloud:
    """What all services of one control plane share. Times are seconds of the clock `now`."""

    def __init__(
        self, *, timing: Timing, now: Callable[[], float], region: str, instant: bool = False, seed: int = 1
    ) -> None:
        self.account_id = DEFAULT_ACCOUNT
        self.region = region
        self.endpoint_url = ""  # of the HTTP server; empty in process
        self.now = now
        self.timing = timing
        self.lock = threading.RLock()
        self.wake = threading.Event()  # there is something new to look at
        self.stopping = threading.Event()
        self.calls = CallLog()
        self.callers: dict[str, Caller] = {}  # access key to whom it was issued
        self.errors: list[str] = []
        self.observers: list[Callable[[Cloud], None]] = []  # run once per tick, without the lock
        self.steps: list[Callable[[Cloud], bool]] = []  # run in each round of work; True when something changed
        self._rooms: dict[type, Any] = {}
        self._delays = Clockmaker(timing, seed)
        self._instant = instant
        self._depth = 0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._effects: deque[Callable[[], None]] = deque()
        self._effects_lock = threading.RLock()
        self._subscribers: list[Callable[[Event], None]] = []

    # ---------------------------------------------------------------- services
    def room(self, kind: type[_State], make: Callable[[], _State]) -> _State:
        """The one object of class `kind` in this cloud, made by `make` when it is first asked for."""
        if kind not in self._rooms:
            with self.lock:
                self._rooms.setdefault(kind, make())
        found: _State = self._rooms[kind]
        return found

    def backend(self, service: str) -> Any:
        """moto's records of a service, such as "ec2", in this account and region."""
        return get_backend(service)[self.account_id]["aws" if service in _GLOBAL else self.region]

    # ---------------------------------------------------------------- calls
    @contextmanager
    def call(self, *, is_tick: bool = False) -> Iterator[None]:
        """The scope of one change: holds the lock; machines and subscribers are told afterwards.

        The clockwork looks again after every call but its own, which would keep it awake for ever.
        """
        with self.lock:
            self._depth += 1
            try:
                yield
                if self._depth == 1 and self._instant:
                    self.work()
            finally:
                self._depth -= 1
        if self._depth == 0 or not self._is_mine():
            self.drain()
        if not is_tick:
            self.wake.set()

    def _is_mine(self) -> bool:
        is_owned: bool = self.lock._is_owned()  # type: ignore[attr-defined]
        return is_owned

    def drain(self) -> None:
        """Deliver what has piled up for machines and subscribers, in order. Errors are kept, not raised."""
        if self._is_mine():
            return
        with self._effects_lock:
            while self._effects:
                effect = self._effects.popleft()
                try:
                    effect()
                except Exception:
                    self.note_error(f"machine or subscriber failed:\n{traceback.format_exc()}")

    def effect(self, action: Callable[[], None]) -> None:
        """Run `action` once the lock is free."""
        self._effects.append(action)

    # ---------------------------------------------------------------- time
    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Run `action`, under the lock, `delay_s` seconds from now."""
        heapq.heappush(self._agenda, (self.now() + delay_s, next(self._order), action))
        self.wake.set()

    def look_again_in(self, delay_s: float) -> None:
        """Run the steps `delay_s` seconds from now, also if nothing else is due then."""
        self.later(delay_s, lambda: None)

    def delay(self, name: str) -> float:
        """Draw a delay such as `attach_s`, in seconds. Call under the lock."""
        return self._delays.draw(name)

    def next_due(self) -> float | None:
        """When the next entry of the agenda is due, or None."""
        with self.lock:
            return self._agenda[0][0] if self._agenda else None

    def work(self) -> None:
        """Do everything that is due now, then run the steps, until nothing changes. Call under the lock."""
        for _ in range(100):
            due = self._take_due()
            for action in due:
                action()
            changed = [step(self) for step in self.steps]
            if not due and not any(changed):
                return
        self.note_error("the control plane does not come to rest: 100 rounds of work at one moment")

    def _take_due(self) -> list[Callable[[], None]]:
        due = []
        while self._agenda and self._agenda[0][0] <= self.now():
            due.append(heapq.heappop(self._agenda)[2])
        return due

    # ---------------------------------------------------------------- events
    def subscribe(self, callback: Callable[[Event], None]) -> None:
        self._subscribers.append(callback)

    def event(self, kind: str, subject: str, text: str) -> None:
        """Tell the subscribers, once the lock is free."""
        event = Event(at=self.now(), kind=kind, subject=subject, text=text)
        for subscriber in tuple(self._subscribers):
            self.effect(lambda subscriber=subscriber: subscriber(event))  # type: ignore[misc]

    def note_error(self, text: str) -> None:
        """Keep an error of the lab itself for tests and the demo to print."""
        self.errors.append(text)


class Room:
    """The base of what a service keeps in a cloud, such as `lab.aws.ec2.state.Ec2`."""

    @classmethod
    def of(cls, cloud: Cloud) -> Self:
        """The one object of this class in `cloud`."""
        return cloud.room(cls, cls)


_current: list[Cloud] = []


def current() -> Cloud:
    """The cloud whose rules are in force. Raises RuntimeError if there is none."""
    if not _current:
        raise RuntimeError(
            "the strict rules are applied but no control plane is running: use ControlPlane or strict_mock_aws"
        )
    return _current[-1]


def under_lock(function: Callable[..., Any]) -> Callable[..., Any]:
    """Turn a function into a replacement for a method of moto: it also gets the cloud, and runs as one `call`."""

    @functools.wraps(function)
    def replacement(self: Any, *args: Any, **kwargs: Any) -> Any:
        cloud = current()
        with cloud.call():
            return function(self, cloud, *args, **kwargs)

    return replacement


def activate(cloud: Cloud) -> None:
    """Make `cloud` the one whose rules are in force. Raises RuntimeError when there already is one."""
    if _current:
        raise RuntimeError("a control plane is already running in this process: stop it first")
    _current.append(cloud)


def deactivate(cloud: Cloud) -> None:
    if cloud in _current:
        _current.remove(cloud)
