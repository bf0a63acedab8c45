"""What the fence guards, and what it does about it: the rules' actions on cgroup, mounts, device and grant.

For: fence.py, which gives it time and messages. Guarantees: every turn is short and nothing here blocks; the file
`granted`, without which systemd does not start the service, exists only while a deadline that lies ahead is guarded;
what is guarded is kept below /run, so a restart of the process loses nothing, and a state that cannot be read means
that nothing may run.
Does not: decide (fence_rules does), listen, or wait.
"""

from __future__ import annotations

import contextlib
import glob
import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from bootstrap.fence.cgroups import ServiceGroup
from bootstrap.fence.mounts import GuardedMounts
from bootstrap.fence.protocol import GRANTED_NAME, STATE_NAME, FenceAnswer, FenceRequest, decode_request
from bootstrap.fence.rules import FenceAction, FenceMemory, FenceStep, fence_step, hold_until, let_go, lost
from bootstrap.fence.watchdog import WatchdogDevice

log = logging.getLogger("fence")


class Guard:
    """One fence's duty. One thread."""

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
