"""Keeps what the checker needs while a run goes on: writes at the file server, generations, reported states.

For: `lab.chaos.runs` opens one per run. Guarantees: every source is read until `close`; what could not be read at one
moment (the file server restarts) is read at the next; addresses are put to instances as EC2 gave them at that time.
Does not: judge, or talk to the instances.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from lab.chaos.capture import Capture
from lab.chaos.history import Generation, Reported, ServerWrite
from lab.chaos.nfs_wire import WriteLog, WriteSeen
from lab.errors import LabError
from lab.file_server import EXPORT
from lab.world import World

PORTS_POLL_S = 0.2
LEASE_POLL_S = 1.0
READ_LIMIT_S = 10.0
# The last ones are enough, looked at every second, and keep the console's traffic small.
READ_LEASES = (
    "cd {directory} 2>/dev/null || exit 0; "
    "for file in $(ls | grep ^generation- | tail -n 4); do head -c 4096 $file 2>/dev/null; done"
)


class Watch:
    """One run's recorder. Use as a context manager."""

    def __init__(self, world: World, service: str) -> None:
        self._world = world
        self._service = service
        self._ssm: Any = world.boto3_client("ssm")
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._logs: dict[str, WriteLog] = {}
        self._captures: dict[str, Capture] = {}
        self._frames_lost = 0
        self._writes: list[ServerWrite] = []
        self._lease_writes = 0
        self._offered_s: dict[tuple[int, str], float] = {}
        self._is_first_look = True
        self._machines: dict[str, str] = {}  # by address
        self._generations: dict[tuple[int, str], Generation] = {}
        self._reported: list[Reported] = []
        self._threads = [
            threading.Thread(target=self._repeat, args=(self._follow_ports, PORTS_POLL_S), daemon=True),
            threading.Thread(target=self._repeat, args=(self._read_leases, LEASE_POLL_S), daemon=True),
            threading.Thread(target=self._repeat, args=(self._read_state, LEASE_POLL_S), daemon=True),
        ]

    def __enter__(self) -> Watch:
        self._follow_ports()
        self._read_leases()
        self._is_first_look = False
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Read everything once more, then end. Safe to repeat."""
        if self._closing.is_set():
            return
        self._closing.set()
        for thread in self._threads:
            thread.join(READ_LIMIT_S + 5.0)
        self._read_leases()
        for capture in self._captures.values():
            self._end(capture)
        self._captures.clear()

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

    @property
    def frames_lost(self) -> int:
        """Frames and stretches that the capture did not get."""
        gaps = sum(log.gaps for log in self._logs.values())
        return self._frames_lost + sum(capture.frames_lost for capture in self._captures.values()) + gaps

    def _repeat(self, act: Callable[[], None], period_s: float) -> None:
        while not self._closing.wait(period_s):
            act()

    def _follow_ports(self) -> None:
        """Addresses of instances, and a capture on every port that the file server has now."""
        for instance in self._world.control_plane.instances():
            if instance.address:
                with self._lock:
                    self._machines[instance.address] = instance.id
        devices = set()
        for target in self._world.control_plane.mount_targets():
            try:
                devices.add(self._world.file_server.port(target.address).device)
            except LabError:  # restarting, or not plugged in yet
                continue
        for device in set(self._captures) - devices:
            self._end(self._captures.pop(device))
        for device in devices - set(self._captures):
            log = self._logs[device] = WriteLog()
            try:
                self._captures[device] = Capture(device, partial(self._take, log))
            except OSError:  # removed between the two looks
                continue

    def _end(self, capture: Capture) -> None:
        capture.close()
        self._frames_lost += capture.frames_lost

    def _take(self, log: WriteLog, frame: bytes, at_s: float) -> None:
        for write in log.feed(frame, at_s):
            self._note(write)

    def _note(self, write: WriteSeen) -> None:
        with self._lock:
            if write.is_lease_record:
                self._lease_writes += 1
                self._note_offer(write)
                return
            machine = self._machines.get(write.client, write.client)
            self._writes.append(ServerWrite(at_s=write.at_s, machine=machine))

    def _note_offer(self, write: WriteSeen) -> None:
        key = _key(write.lease_record)
        if key is not None:
            self._offered_s.setdefault(key, write.at_s)

    def _read_leases(self) -> None:
        for point in self._world.control_plane.access_points():
            if not point.path.endswith("/lease"):
                continue
            try:
                command = READ_LEASES.format(directory=EXPORT + point.path)
                text = self._world.file_server.machine.exec(command, READ_LIMIT_S).output
            except LabError:  # restarting
                return
            for line in text.splitlines():
                self._note_generation(line)

    def _note_generation(self, line: str) -> None:
        try:
            key = _key(json.loads(line))
        except ValueError:
            return  # being written at this moment
        with self._lock:
            if key is None or key in self._generations:
                return
            now_s = time.monotonic()
            offered_s = 0.0 if self._is_first_look else self._offered_s.get(key, now_s)
            self._generations[key] = Generation(number=key[0], holder=key[1], seen_s=now_s, offered_s=offered_s)

    def _read_state(self) -> None:
        try:
            state = json.loads(self._ssm.get_parameter(Name=f"/soloist/{self._service}/state")["Parameter"]["Value"])
            number, instance_id = int(state["generation"]), str(state["instance_id"])
        except (self._ssm.exceptions.ClientError, ValueError, KeyError, TypeError):
            return  # not there yet, or of an agent without a lease
        if not number:
            return  # an instance that does not hold the lease yet
        with self._lock:
            if not self._reported or self._reported[-1].number != number:
                self._reported.append(Reported(number=number, instance_id=instance_id, seen_s=time.monotonic()))


def _key(record: Any) -> tuple[int, str] | None:
    """Number and holder of a lease record; None where it is none."""
    try:
        return int(record["generation"]), str(record["instance_id"])
    except (KeyError, TypeError, ValueError):
        return None
