"""The mounts that the fence watches: are they gone, and unmounting them from a child that may hang.

For: the fence. Guarantees: "gone" is what mountinfo of this machine says, and what cannot be read is not gone; the
fence itself never touches a mounted file system: a forked child does (no other program, nothing from the disk), one at
a time, and one that hangs is left to the reset.
Does not: unmount lazily: what is only detached may still be written back later.
Sources: umount2(2); proc(5) on mountinfo.
"""

from __future__ import annotations

import ctypes
import logging
import os
from collections.abc import Sequence
from pathlib import Path

from bootstrap.machine.mountinfo import parse_mountinfo

log = logging.getLogger(__name__)

MOUNTINFO = Path("/proc/self/mountinfo")


class GuardedMounts:
    """The mounts at `targets`."""

    def __init__(self, mountinfo: Path = MOUNTINFO) -> None:
        self._mountinfo = mountinfo
        self._child = 0
        self.targets: tuple[str, ...] = ()

    def are_gone(self, also: tuple[str, ...] = ()) -> bool:
        """True only when mountinfo can be read and shows nothing at any of the targets, nor at those in `also`."""
        try:
            return not self._present(also)
        except (OSError, ValueError) as error:
            log.warning("%s: %s", self._mountinfo, error)
            return False

    def unmount(self) -> None:
        """Begin to unmount what is there; returns at once. One child at a time."""
        if self._child and not self._has_ended():
            return
        try:
            targets = self._present()
            child = os.fork()
        except (OSError, ValueError) as error:
            log.warning("unmount: %s", error)
            return
        if child == 0:
            _unmount_and_exit(targets)
        self._child = child

    def _present(self, also: tuple[str, ...] = ()) -> list[str]:
        """The guarded targets that are mounted, latest first."""
        text, targets = self._mountinfo.read_text(encoding="utf-8"), {*self.targets, *also}
        return [mount.target for mount in reversed(parse_mountinfo(text)) if mount.target in targets]

    def _has_ended(self) -> bool:
        try:
            ended = os.waitpid(self._child, os.WNOHANG)[0] != 0
        except ChildProcessError:
            ended = True
        if ended:
            self._child = 0
        return ended


def _unmount_and_exit(targets: Sequence[str]) -> None:
    library = ctypes.CDLL(None, use_errno=True)
    for target in targets:
        library.umount2(os.fsencode(target), 0)
    os._exit(0)
