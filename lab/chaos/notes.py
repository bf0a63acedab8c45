"""What a run's recorder has seen so far: writes, generations and reported states. Thread-safe.

For: `watch` notes, `runs` reads. Guarantees: a lease record that arrives at the server counts as an offer of its
generation, never as data; a generation is noted once, with its first offer; a record that cannot be read is left out.
Does not: read clocks, sockets or files.
"""

import json
import threading
from typing import Any

from lab.chaos.history import Generation, Reported, ServerWrite
from lab.chaos.nfs_wire import WriteSeen

Key = tuple[int, str]  # generation, holder


class Notes:
    """One run's. Times in seconds on the lab's monotonic clock."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._machines: dict[str, str] = {}  # by address
        self._writes: list[ServerWrite] = []
        self._lease_writes = 0
        self._offered_s: dict[Key, float] = {}
        self._generations: dict[Key, Generation] = {}
        self._reported: list[Reported] = []

    def machine(self, address: str, instance_id: str) -> None:
        """An instance has this address from now on."""
        with self._lock:
            self._machines[address] = instance_id

    def write(self, seen: WriteSeen) -> None:
        """A WRITE has arrived at the file server."""
        with self._lock:
            if not seen.is_lease_record:
                machine = self._machines.get(seen.client, seen.client)
                self._writes.append(ServerWrite(at_s=seen.at_s, machine=machine))
                return
            self._lease_writes += 1
            key = _key(seen.lease_record)
            if key is not None:
                self._offered_s.setdefault(key, seen.at_s)

    def lease_record(self, line: str, now_s: float, *, is_old: bool = False) -> None:
        """A record that is in the lease directory now. `is_old`: it was there before the run."""
        key = _key(_parsed(line))
        with self._lock:
            if key is None or key in self._generations:
                return
            offered_s = 0.0 if is_old else self._offered_s.get(key, now_s)
            self._generations[key] = Generation(number=key[0], holder=key[1], seen_s=now_s, offered_s=offered_s)

    def state(self, text: str, now_s: float) -> None:
        """What the state parameter says now. An instance that does not hold the lease (yet) reports generation 0."""
        key = _key(_parsed(text))
        if key is None or not key[0]:
            return
        with self._lock:
            if not self._reported or self._reported[-1].number != key[0]:
                self._reported.append(Reported(number=key[0], instance_id=key[1], seen_s=now_s))

    @property
    def writes(self) -> tuple[ServerWrite, ...]:
        """Data writes at the file server so far, in the order of capture."""
        with self._lock:
            return tuple(self._writes)

    @property
    def lease_writes(self) -> int:
        """How many writes were lease records."""
        with self._lock:
            return self._lease_writes

    @property
    def generations(self) -> tuple[Generation, ...]:
        """Generations in the order in which they were first seen."""
        with self._lock:
            return tuple(sorted(self._generations.values(), key=lambda one: one.seen_s))

    @property
    def reported(self) -> tuple[Reported, ...]:
        """What the state parameter said, when it changed."""
        with self._lock:
            return tuple(self._reported)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None  # being written at this moment


def _key(record: Any) -> Key | None:
    """Generation and holder of a lease record or a state; None where it is neither."""
    try:
        return int(record["generation"]), str(record["instance_id"])
    except (KeyError, TypeError, ValueError):
        return None
