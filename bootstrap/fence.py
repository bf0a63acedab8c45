"""The fence: a process of its own that ends the service when the lease has run out, whatever became of the agent.

For: soloist-fence.service (`python3 -S -m bootstrap.fence`). The agent tells it each new deadline, which counts from
before the renewal was sent; past it the fence sends TERM, then KILL to the service's control group, unmounts the data,
and resets the machine without sync when anything of it is left (fence_rules decides, this acts). It alone pets the
watchdog device, so that a fence that is itself dead ends in a reset, too.
Guarantees: standard library only; memory locked; touches neither the data nor the lease directory nor AWS; what it
guards is kept below /run, so its own restart loses nothing; the file `granted`, without which systemd does not start
the service, exists only while a deadline that lies ahead is guarded. Told to stop, it goes on until nothing it guards
is left.
Does not: decide who holds the lease, or speak to systemd.
"""

from __future__ import annotations

import argparse
import contextlib
import glob
import json
import logging
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bootstrap.cgroups import SERVICE_GROUP, ServiceGroup
from bootstrap.fence_protocol import (
    GRANTED_NAME,
    LONGEST_MESSAGE_BYTES,
    SOCKET_NAME,
    STATE_NAME,
    FenceAnswer,
    FenceRequest,
    decode_request,
    encode,
)
from bootstrap.fence_rules import FenceAction, FenceMemory, FenceStep, fence_step, hold_until, let_go, lost
from bootstrap.guarded_mounts import MOUNTINFO, GuardedMounts
from bootstrap.uninterrupted import SYSRQ_TRIGGER, lock_memory, raise_priority, reset_machine
from bootstrap.watchdog import WatchdogDevice

log = logging.getLogger("fence")

RUN = Path("/run/soloist")
WATCHDOGS = "/dev/watchdog*"


class Fence:
    """What it guards, and what it does about it. One thread; nothing here blocks."""

    def __init__(
        self,
        *,
        run: Path,
        group: ServiceGroup,
        mounts: GuardedMounts,
        watchdogs: str,
        reset: Callable[[], None],
        clock: Callable[[], float],
    ) -> None:
        self._run = run
        self._group = group
        self._mounts = mounts
        self._watchdogs = watchdogs
        self._reset = reset
        self._clock = clock
        self._watchdog: WatchdogDevice | None = None
        self._watchdog_name = "not opened"
        self._memory = FenceMemory()
        self._request = FenceRequest(verb="hold")  # the last one accepted
        self._said = ""
        self._termed_generation = 0

    @property
    def is_clear(self) -> bool:
        """No process of the service and no mount of the data is left."""
        return self._group.is_empty() and self._mounts.are_gone()

    @property
    def guards_nothing(self) -> bool:
        """Whether it may end."""
        return self._memory.deadline_s is None or self.is_clear

    def restore(self) -> None:
        """Go on where a former process stopped."""
        try:
            tree = json.loads((self._run / STATE_NAME).read_text(encoding="utf-8"))
            request = decode_request(json.dumps(tree["request"]).encode())
            memory = FenceMemory(**tree["memory"])
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.error("%s cannot be used (%s): nothing may run", STATE_NAME, error)
            self._withdraw()
            self._group.kill()
            return
        log.info("generation %d is guarded again", memory.generation)
        self._take(request, memory)

    def answer(self, request: FenceRequest) -> FenceAnswer:
        """Carry out what the agent says."""
        verbs = {"hold": self._hold, "lost": self._lost, "let-go": self._let_go, "look": self._look}
        is_accepted, sentence = verbs[request.verb](request)
        return FenceAnswer(
            is_accepted=is_accepted,
            sentence=sentence,
            generation=self._memory.generation,
            nonce=self._request.nonce,
            deadline_s=self._memory.deadline_s,
            is_over=self._memory.is_over,
            is_clear=self._group.is_empty() and self._mounts.are_gone(request.mounts),
            watchdog=self._watchdog_name,
        )

    def turn(self) -> float:
        """Look, act, pet; seconds until the next turn is due."""
        step = fence_step(
            self._memory,
            is_cgroup_empty=self._group.is_empty(),
            is_mount_gone=self._mounts.are_gone(),
            timing=self._request.timing,
            now_s=self._clock(),
        )
        if step.memory != self._memory:
            self._memory = step.memory
            self._save()
        if self._memory.is_over:
            self._withdraw()  # nothing that ends, or has ended, is started again
        self._act(step)
        if step.is_petting and self._watchdog is not None:
            self._watchdog.pet()
        return max(0.0, step.next_look_s - self._clock())

    def close(self) -> None:
        """Let the watchdog device go; nothing is guarded any more."""
        self._withdraw()
        if self._watchdog is not None:
            self._watchdog.release()

    def _hold(self, request: FenceRequest) -> tuple[bool, str]:
        memory, sentence = hold_until(
            self._memory, request.generation, request.deadline_s, is_clear=self.is_clear, now_s=self._clock()
        )
        is_accepted = (
            memory.generation == request.generation
            and not memory.is_over
            and memory.deadline_s is not None
            and memory.deadline_s >= request.deadline_s > self._clock()
        )
        if is_accepted:
            self._take(request, memory)
        return is_accepted, sentence

    def _lost(self, _request: FenceRequest) -> tuple[bool, str]:
        self._memory = lost(self._memory, now_s=self._clock())
        self._save()
        return True, f"generation {self._memory.generation} is lost"

    def _let_go(self, _request: FenceRequest) -> tuple[bool, str]:
        is_empty, is_gone = self._group.is_empty(), self._mounts.are_gone()
        self._memory = let_go(self._memory, is_cgroup_empty=is_empty, is_mount_gone=is_gone)
        if self._memory.deadline_s is not None:
            left = "processes of the service are" if not is_empty else "a mount of the data is"
            return False, f"generation {self._memory.generation} is guarded on: {left} still there"
        self._withdraw()
        self._save()
        return True, f"generation {self._memory.generation} is let go"

    def _look(self, _request: FenceRequest) -> tuple[bool, str]:
        return True, self._said or "nothing is held"

    def _take(self, request: FenceRequest, memory: FenceMemory) -> None:
        is_new = memory.generation != self._memory.generation or self._memory.deadline_s is None
        self._request, self._memory = request, memory
        self._mounts.targets = request.mounts
        self._save()
        if not is_new or memory.deadline_s is None:
            return
        if not memory.is_over:
            (self._run / GRANTED_NAME).write_text(f"{memory.generation}\n", encoding="utf-8")
        if self._watchdog is None:
            self._open_watchdog(int(request.timing.watchdog_timeout_s))

    def _act(self, step: FenceStep) -> None:
        if step.action is not FenceAction.NOTHING:
            self._say(step)
        if step.action is FenceAction.TERM and self._termed_generation != self._memory.generation:
            self._termed_generation = self._memory.generation  # once: a second TERM means "at once" to some programs
            self._group.terminate()
        elif step.action is FenceAction.KILL:
            self._group.kill()
        elif step.action is FenceAction.UNMOUNT:
            self._mounts.unmount()
        elif step.action is FenceAction.RESET:
            self._reset()

    def _say(self, step: FenceStep) -> None:
        what = f"{step.action.value}: generation {self._memory.generation}"
        if what != self._said:
            self._said = what
            log.warning("%s", step.sentence)

    def _withdraw(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            (self._run / GRANTED_NAME).unlink()

    def _save(self) -> None:
        path = self._run / STATE_NAME
        temporary = path.with_name(f".{path.name}.new")
        tree = {"request": asdict(self._request), "memory": asdict(self._memory)}
        try:
            temporary.write_text(json.dumps(tree), encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            log.error("%s: %s", path, error)  # only a restart of this process would need it

    def _open_watchdog(self, timeout_s: int) -> None:
        for name in sorted(glob.glob(self._watchdogs)):
            self._watchdog = WatchdogDevice.open(Path(name), timeout_s)
            if self._watchdog is not None:
                self._watchdog_name = f"{name}, {self._watchdog.timeout_s} s"
                log.info("watchdog: %s", self._watchdog_name)
                return
        self._watchdog_name = "none"
        log.warning("no watchdog device: a fence that dies is only started again")


def serve(fence: Fence, listener: socket.socket, stopping: Callable[[], bool], wakeup: int) -> None:
    """Turn by turn until told to stop and nothing is guarded any more."""
    connections: dict[int, socket.socket] = {}
    while not (stopping() and fence.guards_nothing):
        wait_s = fence.turn()
        ready, _, _ = select.select([listener.fileno(), wakeup, *connections], [], [], wait_s)
        for number in ready:
            if number == listener.fileno():
                connection = listener.accept()[0]
                connection.settimeout(0)
                connections[connection.fileno()] = connection
            elif number == wakeup:
                os.read(wakeup, 64)
            elif not _exchange(fence, connections[number]):
                connections.pop(number).close()
    fence.close()


def _exchange(fence: Fence, channel: socket.socket) -> bool:
    """Answer one message; False when the other side has gone."""
    try:
        packet = channel.recv(LONGEST_MESSAGE_BYTES)
        if not packet:
            return False
        channel.send(encode(fence.answer(decode_request(packet))))
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
    options.add_argument("--watchdogs", default=WATCHDOGS)
    options.add_argument("--sysrq", type=Path, default=SYSRQ_TRIGGER)
    given = options.parse_args(argv)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(message)s")
    fence = Fence(
        run=given.run,
        group=ServiceGroup(given.group),
        mounts=GuardedMounts(given.mountinfo),
        watchdogs=given.watchdogs,
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
    fence.restore()
    listener = listen(given.run / SOCKET_NAME)
    log.info("the fence stands")
    serve(fence, listener, lambda: bool(stop_signals), wakeup)
    log.info("nothing is left to guard")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
