"""Records what the checker needs during a run: writes at the file server, generations and reported states.

For: `lab.chaos.runs` opens one per run. Guarantees: every source is read until `close`; a source that does not answer
(the file server restarts) is read again later; each address belongs to the instance that EC2 gave it to at that time.
Does not: judge, or ask the instances.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from bootstrap.base.names import access_point_path, state_parameter
from lab.base.errors import LabError
from lab.chaos.capture import Capture
from lab.chaos.nfs_wire import WriteLog
from lab.chaos.notes import Notes
from lab.hardware.file_server import EXPORT
from lab.play.lab import Lab

PORTS_POLL_S = 0.2
LEASE_POLL_S = 1.0
READ_LIMIT_S = 10.0
# The last ones are enough, looked at every second, and keep the console's traffic small.
READ_LEASES = (
    "cd {directory} 2>/dev/null || exit 0; "
    "for file in $(ls | grep ^generation- | tail -n 4); do head -c 4096 $file 2>/dev/null; done"
)


class Watch:
    """One run's recorder; `notes` is what it has seen. Use as a context manager."""

    def __init__(self, lab: Lab, service: str) -> None:
        self.notes = Notes()
        self._lab = lab
        self._parameter = state_parameter(service)
        self._lease_path = access_point_path(service, "lease")
        self._ssm: Any = lab.boto3_client("ssm")
        self._closing = threading.Event()
        self._logs: dict[str, WriteLog] = {}
        self._captures: dict[str, Capture] = {}
        self._frames_lost = 0
        self._threads = [
            threading.Thread(target=self._repeat, args=(act, period_s), daemon=True)
            for act, period_s in (
                (self._follow_ports, PORTS_POLL_S),
                (self._read_leases, LEASE_POLL_S),
                (self._read_state, LEASE_POLL_S),
            )
        ]

    def __enter__(self) -> Watch:
        self._follow_ports()
        self._read_leases(is_first=True)
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
    def frames_lost(self) -> int:
        """Frames and stretches that the capture did not get."""
        gaps = sum(log.gaps for log in self._logs.values())
        return self._frames_lost + sum(capture.frames_lost for capture in self._captures.values()) + gaps

    def _repeat(self, act: Callable[[], None], period_s: float) -> None:
        while not self._closing.wait(period_s):
            act()

    def _follow_ports(self) -> None:
        """Addresses of instances, and a capture on every port that the file server has now."""
        for instance in self._lab.control_plane.instances():
            if instance.address:
                self.notes.machine(instance.address, instance.id)
        devices = set()
        for target in self._lab.control_plane.mount_targets():
            try:
                devices.add(self._lab.file_server.port(target.address).device)
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
            self.notes.write(write)

    def _read_leases(self, *, is_first: bool = False) -> None:
        for point in self._lab.control_plane.access_points():
            if point.path != self._lease_path:
                continue
            try:
                command = READ_LEASES.format(directory=EXPORT + point.path)
                text = self._lab.file_server.machine.exec(command, READ_LIMIT_S).output
            except LabError:  # restarting
                return
            for line in text.splitlines():
                self.notes.lease_record(line, time.monotonic(), is_old=is_first)

    def _read_state(self) -> None:
        try:
            text = self._ssm.get_parameter(Name=self._parameter)["Parameter"]["Value"]
        except self._ssm.exceptions.ClientError:
            return  # not there yet
        self.notes.state(text, time.monotonic())
