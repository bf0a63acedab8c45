"""The mounts that the fence guards: says whether they are gone, and unmounts them from a child that may hang.

For: the fence. Guarantees: "gone" is what mountinfo says, of this process and, once ours are gone, of every other mount
namespace of the machine; if ours cannot be read, nothing is gone. Only a forked child touches a mounted file system,
one child at a time, without another program or a file on disk. A child that hangs is left to the reset, and so is a
process with a mount of its own.
Does not: unmount lazily (a mount that is only detached may still be written back later), or know the devices that a
fence before it saw.
Sources: umount2(2); proc(5) on mountinfo; mount_namespaces(7) (a private copy stays when ours is unmounted).
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
PROC = Path("/proc")


class GuardedMounts:
    """The mounts at `targets`."""

    def __init__(self, mountinfo: Path = MOUNTINFO, proc: Path = PROC) -> None:
        self._mountinfo = mountinfo
        self._proc = proc
        self._devices: frozenset[str] = frozenset()  # of the targets while they were mounted last
        self._child = 0
        self.targets: tuple[str, ...] = ()

    def are_gone(self, also: tuple[str, ...] = ()) -> bool:
        """True only when mountinfo can be read and shows nothing at any of the targets, nor at those in `also`, and no
        other namespace shows the devices that were there."""
        try:
            return not self._present(also) and not self._is_elsewhere()
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
        found = [mount for mount in reversed(parse_mountinfo(text)) if mount.target in targets]
        if found:
            self._devices = frozenset(mount.device for mount in found)
        return [mount.target for mount in found]

    def _is_elsewhere(self) -> bool:
        """Whether another mount namespace shows one of the devices. Forgets them once none does: the kernel gives a
        number again."""
        seen = {os.readlink(self._proc / "self/ns/mnt")} if self._devices else set()
        for pid in filter(str.isdecimal, os.listdir(self._proc) if self._devices else ()):
            try:
                namespace = os.readlink(self._proc / pid / "ns/mnt")
                text = "" if namespace in seen else (self._proc / pid / "mountinfo").read_text(encoding="utf-8")
            except OSError:
                continue  # it has ended
            if any(mount.device in self._devices for mount in parse_mountinfo(text)):
                return True
            seen.add(namespace)
        self._devices = frozenset()
        return False

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
