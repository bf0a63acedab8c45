"""The fence: a process of its own that ends the service when the lease has run out, whatever the agent does.

For: soloist-fence.service (`python3 -S -m bootstrap.fence`). The agent tells it each new deadline. A deadline counts
from before the renewal was sent. When it passes, the fence sends TERM and then KILL to the service's control group,
unmounts the data, and resets the machine without sync if anything is left (rules decides, guard acts). Only the fence
pets the watchdog device, so a dead fence ends in a reset, too.
Guarantees: it imports the standard library only; its memory is locked; it touches neither the data nor the lease
directory nor AWS; when it is told to stop, it says so in each answer and goes on until nothing that it guards is left.
Does not: decide who holds the lease, or speak to systemd.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from bootstrap.base.paths import RUN, SERVICE_GROUP
from bootstrap.fence.cgroups import ServiceGroup
from bootstrap.fence.guard import Guard
from bootstrap.fence.last_resort import SYSRQ_TRIGGER, lock_memory, raise_priority, reset_machine
from bootstrap.fence.mounts import MOUNTINFO, PROC, GuardedMounts
from bootstrap.fence.protocol import LONGEST_MESSAGE_BYTES, SOCKET_NAME, decode_request, packet_of
from bootstrap.fence.run_files import RunFiles
from bootstrap.fence.watchdog import DEVICES, WatchdogDevices

log = logging.getLogger("fence")


def serve(guard: Guard, listener: socket.socket, stopping: Callable[[], bool], wakeup: int) -> None:
    """Turn by turn until told to stop and nothing is guarded any more."""
    connections: dict[int, socket.socket] = {}
    while not (stopping() and guard.guards_nothing):
        wait_s = guard.turn()
        ready, _, _ = select.select([listener.fileno(), wakeup, *connections], [], [], wait_s)
        for number in ready:
            if number == listener.fileno():
                connection = listener.accept()[0]
                connection.settimeout(0)
                connections[connection.fileno()] = connection
            elif number == wakeup:
                os.read(wakeup, 64)
            elif not _exchange(guard, connections[number], is_stopping=stopping()):
                connections.pop(number).close()
    guard.close()


def _exchange(guard: Guard, channel: socket.socket, *, is_stopping: bool) -> bool:
    """Answer one message; False when the other side has gone."""
    try:
        packet = channel.recv(LONGEST_MESSAGE_BYTES)
        if not packet:
            return False
        answer = replace(guard.answer(decode_request(packet)), is_stopping=is_stopping)
        channel.send(packet_of(answer))
    except (OSError, ValueError) as error:
        log.warning("agent: %s", error)
        return False
    return True


def boot_time_s() -> float:
    """The clock of all deadlines."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def listen(path: Path) -> socket.socket:
    """The socket at `path`, for root only."""
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_CLOEXEC)
    mask = os.umask(0o177)
    try:
        listener.bind(str(path))
    finally:
        os.umask(mask)
    listener.listen(8)
    return listener


def main(argv: list[str]) -> int:
    """Run until told to stop. The options put everything elsewhere, for tests."""
    options = argparse.ArgumentParser(prog="soloist-fence", description=main.__doc__)
    options.add_argument("--run", type=Path, default=RUN)
    options.add_argument("--group", type=Path, default=SERVICE_GROUP)
    options.add_argument("--mountinfo", type=Path, default=MOUNTINFO)
    options.add_argument("--proc", type=Path, default=PROC)
    options.add_argument("--watchdogs", default=DEVICES)
    options.add_argument("--sysrq", type=Path, default=SYSRQ_TRIGGER)
    given = options.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    guard = Guard(
        files=RunFiles(given.run),
        group=ServiceGroup(given.group),
        mounts=GuardedMounts(given.mountinfo, given.proc),
        watchdogs=WatchdogDevices(given.watchdogs),
        reset=lambda: reset_machine(given.sysrq),
        clock=boot_time_s,
    )
    stop_signals: list[int] = []
    wakeup, waker = os.pipe()
    for end in (wakeup, waker):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(waker)
    signal.signal(signal.SIGTERM, lambda number, _frame: stop_signals.append(number))
    lock_memory()
    raise_priority()
    guard.restore()
    listener = listen(given.run / SOCKET_NAME)
    log.info("fence ready")
    serve(guard, listener, lambda: bool(stop_signals), wakeup)
    log.info("nothing is left to guard")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
