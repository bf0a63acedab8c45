"""Keeps each message until its channel has it, in a thread per channel.

For: run.telling. Guarantees: `tell` returns at once and never fails; a channel that hangs or refuses delays no other
one and nobody else; a message is tried again with growing pauses for `KEPT_S`, also by the next run of the agent on
this machine; a channel keeps `MOST_KEPT` at most, and what is dropped is in the log; one that takes nothing for some
minutes is a trouble, which the others tell. A message may arrive twice after a crash; its id is the same then.
Does not: survive the machine: an instance that is ended has `flush`.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.codec import decode, encode
from bootstrap.base.errors import AgentError, MessageNotSent
from bootstrap.base.files import replace_file, text_of
from bootstrap.base.patience import Patience
from bootstrap.base.retry import Pauses
from bootstrap.base.troubles import Troubles, Untold
from bootstrap.tell.gate import Told, admit
from bootstrap.tell.message import Message

log = logging.getLogger(__name__)

PAUSES = Pauses(first_s=2.0, longest_s=300.0)
KEPT_S = 24 * 3600.0
MOST_KEPT = 50
IDLE_S = 60.0
LARGEST = 1 << 20  # bytes of the file


class Channel(Protocol):
    """One way to people."""

    name: str

    def send(self, message: Message, message_id: str) -> None:
        """Raises AgentError when it was not taken."""


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A message that one channel has not taken yet. `since_s`: on the monotonic clock of this boot."""

    id: str
    since_s: float
    message: Message


@dataclass(frozen=True, kw_only=True)
class _File:
    """What outlives a run of the agent: `kept` has one list per channel, in their order."""

    told: Told
    kept: tuple[tuple[Kept, ...], ...]


class Outbox:
    """The messages of one machine. `path` is below /run, so a reboot begins anew, as its clock does."""

    def __init__(
        self,
        path: Path,
        channels: Sequence[Channel],
        clock: Clock,
        troubles: Troubles = Untold(),  # noqa: B008 - it holds nothing
    ) -> None:
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        before = _read(path)
        self._told = before.told
        self._number = 0
        kept = before.kept if len(before.kept) == len(channels) else ()
        patience = Patience(clock, troubles, MessageNotSent, "a channel has taken no message")
        self._lanes = [
            _Lane(channel, clock, kept[number] if kept else (), self._keep, patience)
            for number, channel in enumerate(channels)
        ]

    @property
    def standing(self) -> tuple[str, ...]:
        """Reasons of troubles that people were told of and that are not over, also of an earlier run."""
        return self._told.standing

    def start(self) -> None:
        """Send from now on."""
        for lane in self._lanes:
            threading.Thread(target=lane.run, name=f"tell {lane.channel.name}", daemon=True).start()

    def tell(self, message: Message) -> None:
        """Send `message` soon, unless it was sent already or there are too many; returns at once."""
        now_s = self._clock.monotonic()
        with self._lock:
            self._told, kind = admit(self._told, message, now_s)
            if kind is None:
                log.info("not told again: %s", message.what)
                return
            if kind != message.kind:
                message = replace(message, kind=kind, reason="", what="more messages are withheld for an hour")
            self._number += 1
            kept = Kept(
                id=f"{message.instance_id}-{now_s:.3f}-{self._number}".replace(".", "-"), since_s=now_s, message=message
            )
            for lane in self._lanes:
                lane.put(kept)
        self._keep()

    def flush(self, deadline: Deadline) -> bool:
        """Wait until every channel has every message; False when `deadline` has passed before."""
        return all(lane.wait_until_empty(deadline) for lane in self._lanes)

    def _keep(self) -> None:
        with self._lock:
            text = encode(_File(told=self._told, kept=tuple(lane.kept() for lane in self._lanes)))
            try:
                replace_file(self._path, text)
            except OSError as error:
                log.warning("%s: %s", self._path, error)


class _Lane:
    """The messages of one channel, oldest first."""

    def __init__(
        self, channel: Channel, clock: Clock, kept: Iterable[Kept], keep: Callable[[], None], patience: Patience
    ) -> None:
        self.channel = channel
        self._patience = patience
        self._clock = clock
        self._kept = deque(kept)
        self._keep = keep
        self._lock = threading.Lock()
        self._put = threading.Event()
        self._empty = threading.Event()
        self._pauses = iter(PAUSES)
        self._said = ""

    def put(self, kept: Kept) -> None:
        with self._lock:
            self._kept.append(kept)
            if len(self._kept) > MOST_KEPT:
                dropped = self._kept.popleft()
                log.error("%s: dropped, because %d wait: %s", self.channel.name, MOST_KEPT, dropped.message)
            self._empty.clear()
        self._put.set()

    def kept(self) -> tuple[Kept, ...]:
        with self._lock:
            return tuple(self._kept)

    def wait_until_empty(self, deadline: Deadline) -> bool:
        return self._clock.wait(self._empty, deadline.remaining_s)

    def run(self) -> None:
        while True:
            self._put.clear()
            self._clock.wait(self._put, self.attempt())

    def attempt(self) -> float:
        """Send what waits, oldest first, until one is not taken; the seconds until the next attempt."""
        while (first := self._first()) is not None:
            problem = self._problem(first)
            if problem:
                self._patience.failed(problem, self)
            if problem and self._clock.monotonic() - first.since_s < KEPT_S:
                if problem != self._said:
                    log.warning("%s; it is tried again for %.0f h", problem, KEPT_S / 3600)
                self._said = problem
                return next(self._pauses)
            if problem:
                log.error("%s: dropped after %.0f h: %s", self.channel.name, KEPT_S / 3600, first.message)
            self._pauses, self._said = iter(PAUSES), ""
            with self._lock:
                if self._kept and self._kept[0] is first:  # else it was dropped meanwhile
                    self._kept.popleft()
            self._keep()
            if not problem:
                self._patience.worked(self)
        return IDLE_S

    def _first(self) -> Kept | None:
        with self._lock:
            if self._kept:
                return self._kept[0]
            self._empty.set()
            return None

    def _problem(self, kept: Kept) -> str:
        try:
            self.channel.send(kept.message, kept.id)
        except AgentError as error:
            return str(error)
        except Exception as error:  # a defect here must not silence all that follows
            log.exception("%s: a defect", self.channel.name)
            return f"{self.channel.name}: {type(error).__name__}"
        return ""


def _read(path: Path) -> _File:
    """What an earlier run kept; nothing where the file is missing or damaged."""
    text = text_of(path)
    try:
        return decode(_File, text, unknown_keys="refuse", largest=LARGEST) if text else _File(told=Told(), kept=())
    except ValueError as error:
        log.warning("%s: %s", path, error)
        return _File(told=Told(), kept=())
