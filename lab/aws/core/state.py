"""The one cloud of this process: lock, clock, agenda, events, and what moto has no place for.

For: patches of moto look up `current()`; the engine works its agenda. Guarantees: every change happens under `lock`;
calls to machines and to subscribers happen outside of it, in order, so that they may ask the control plane questions.
Does not: know a single AWS rule; those live in the modules named after the services.
"""

from __future__ import annotations

import heapq
import itertools
import threading
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from lab.aws.core.limits import Limits
from lab.aws.core.machines import Machines
from lab.aws.core.timing import Clockmaker, Timing
from lab.aws.core.views import Event, RoleCredentials
from lab.aws.faults.faults import Faults

if TYPE_CHECKING:
    from lab.aws.core.call_log import CallLog

DEFAULT_ACCOUNT = "123456789012"


@dataclass
class Life:
    """What the lab knows of an instance beyond moto's record."""

    instance_id: str
    ever_on: bool = False  # power_on has been carried out
    seen_on: bool = True  # what the machine said when it was last looked at
    asked_off: bool = False  # somebody asked for it: shutting down or stopping
    becomes: str = "terminated"  # what a machine that was asked off ends as
    power_cut_at: float | None = None
    off_seen_at: float | None = None  # asked off, and off it is
    off_unasked_at: float | None = None
    impaired_due_at: float | None = None  # when the status check will have noticed
    running_since: float | None = None
    impaired_since: float | None = None
    terminated_at: float | None = None
    role_name: str = ""
    credentials: RoleCredentials | None = None


@dataclass
class Attachment:
    """An attachment of a network interface; field names are those of AWS's Attachment in snake case."""

    attachment_id: str
    instance_id: str
    device_index: int
    delete_on_termination: bool
    status: str
    attach_time: Any
    instance_owner_id: str = DEFAULT_ACCOUNT
    network_card_index: int = 0
    metadata_lag_s: float = 0.0  # from attached until its instance's metadata service shows it in full


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Whose credentials signed a request."""

    kind: str  # instance-role | lambda-role | operator | cloudformation
    arn: str
    instance_id: str = ""


@dataclass
class Places:
    """What the lab was told about zones."""

    unavailable: set[str] = field(default_factory=set)
    without_capacity: set[str] = field(default_factory=set)
    preferred: tuple[str, ...] = ()


class Cloud:
    """State shared by all services of one control plane."""

    def __init__(
        self,
        *,
        machines: Machines,
        timing: Timing,
        now: Callable[[], float],
        region: str,
        endpoint_url: str = "",
        instant: bool = False,
        seed: int = 1,
    ) -> None:
        self.machines = machines
        self.timing = timing
        self.now = now
        self._delays = Clockmaker(timing, seed)
        self.region = region
        self.account_id = DEFAULT_ACCOUNT
        self.endpoint_url = endpoint_url
        self.lock = threading.RLock()
        self.wake = threading.Event()
        self.stopping = threading.Event()
        self.places = Places()
        self.lives: dict[str, Life] = {}
        self.attachments: dict[str, Attachment] = {}
        self.groups: dict[str, Any] = {}
        self.changes: dict[str, Any] = {}
        self.busy_zones: dict[str, float] = {}  # hosted zone to when it takes the next change
        self.account_settings = {"launchBeforeTerminate": "disabled"}
        self.lambdas: dict[str, Any] = {}
        self.template_hashes: dict[str, str] = {}
        self.threads: list[threading.Thread] = []
        self.callers: dict[str, Caller] = {}
        self.calls: CallLog | None = None
        self.faults = Faults(now)
        self.limits = Limits(now)
        self.pass_time: Callable[[float], None] | None = None  # in process: how a delay passes
        self.errors: list[str] = []
        self.steps: list[Callable[[Cloud], bool]] = []
        self._instant = instant
        self._depth = 0
        self._agenda: list[tuple[float, int, Callable[[], None]]] = []
        self._order = itertools.count()
        self._effects: deque[Callable[[], None]] = deque()
        self._effects_lock = threading.RLock()
        self._subscribers: list[Callable[[Event], None]] = []

    # ---------------------------------------------------------------- calls
    @contextmanager
    def call(self) -> Iterator[None]:
        """The scope of one change: holds the lock; afterwards machines and subscribers get to know."""
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
        """Have `action` run once the lock is free."""
        self._effects.append(action)

    # ---------------------------------------------------------------- time
    def later(self, delay_s: float, action: Callable[[], None]) -> None:
        """Have `action` run, under the lock, `delay_s` seconds from now."""
        heapq.heappush(self._agenda, (self.now() + delay_s, next(self._order), action))
        self.wake.set()

    def delay(self, name: str) -> float:
        """How long this takes this time, e.g. `attach_s`, in seconds. Call under the lock."""
        return self._delays.draw(name)

    def next_due(self) -> float | None:
        """When the next entry of the agenda is due, in seconds of the clock."""
        with self.lock:
            return self._agenda[0][0] if self._agenda else None

    def work(self) -> None:
        """Do everything that is due now, then let every service look at its affairs. Call under the lock."""
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

    def observe_machines(self) -> None:
        """Ask every machine whether it is on. Not under the lock, as the machines may be asking us something."""
        with self.lock:
            ids = [life.instance_id for life in self.lives.values() if life.ever_on and life.terminated_at is None]
        seen = {instance_id: self.machines.is_on(instance_id) for instance_id in ids}
        with self.lock:
            for instance_id, is_on in seen.items():
                self.lives[instance_id].seen_on = is_on

    # ---------------------------------------------------------------- events
    def subscribe(self, callback: Callable[[Event], None]) -> None:
        """Call `callback` with every event from now on, from the control plane's threads."""
        self._subscribers.append(callback)

    def event(self, kind: str, subject: str, text: str) -> None:
        """Tell the subscribers, once the lock is free."""
        event = Event(at=self.now(), kind=kind, subject=subject, text=text)
        for subscriber in tuple(self._subscribers):
            self.effect(lambda subscriber=subscriber: subscriber(event))  # type: ignore[misc]

    def note_error(self, text: str) -> None:
        """Keep an error of the lab itself where tests and the demo can print it."""
        self.errors.append(text)

    # ---------------------------------------------------------------- moto's records
    @property
    def ec2(self) -> Any:
        """moto's EC2 of this account and region."""
        from moto.ec2.models import ec2_backends

        return ec2_backends[self.account_id][self.region]

    @property
    def autoscaling(self) -> Any:
        """moto's Auto Scaling of this account and region."""
        from moto.autoscaling.models import autoscaling_backends

        return autoscaling_backends[self.account_id][self.region]

    @property
    def route53(self) -> Any:
        """moto's Route 53 of this account."""
        from moto.route53.models import route53_backends

        return route53_backends[self.account_id]["aws"]

    @property
    def efs(self) -> Any:
        """moto's EFS of this account and region."""
        from moto.efs.models import efs_backends

        return efs_backends[self.account_id][self.region]


_current: list[Cloud] = []


def current() -> Cloud:
    """The cloud whose rules are in force. Raises RuntimeError when there is none."""
    if not _current:
        raise RuntimeError(
            "the strict rules are applied but no control plane is running: use ControlPlane or strict_mock_aws"
        )
    return _current[-1]


def activate(cloud: Cloud) -> None:
    """Make `cloud` the one whose rules are in force. Raises RuntimeError when there already is one."""
    if _current:
        raise RuntimeError("a control plane is already running in this process: stop it first")
    _current.append(cloud)


def deactivate(cloud: Cloud) -> None:
    """Take `cloud` out of force."""
    if cloud in _current:
        _current.remove(cloud)
