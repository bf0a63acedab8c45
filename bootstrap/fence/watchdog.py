"""The watchdog device: set its time-out, pet it, let it go.

For: the fence, and nobody else: whoever pets it vouches for the whole machine. Guarantees: no device, or one that
cannot be opened, is an answer (`WatchdogDevice.open` gives None) and never stops the fence; the time-out in force is
the one the driver says it took.
Does not: decide when to pet. A driver built with nowayout (Debian's softdog unless loaded with nowayout=0) resets the
machine although it was let go; so it is loaded with nowayout=0 by the fence's unit.
Source: Linux Documentation/watchdog/watchdog-api.rst (WDIOC_SETTIMEOUT, KEEPALIVE by write, magic close character 'V').
"""

from __future__ import annotations

import fcntl
import glob
import logging
import os
import struct
from pathlib import Path

log = logging.getLogger(__name__)

DEVICES = "/dev/watchdog*"
SET_TIMEOUT = 0xC0045706  # WDIOC_SETTIMEOUT = _IOWR('W', 6, int)
MAGIC_CLOSE = b"V"
PET = b"\0"


class WatchdogDevice:
    """An open watchdog device. `timeout_s` is what the driver took, 0 where it takes none (a pipe in a test)."""

    def __init__(self, descriptor: int, timeout_s: int) -> None:
        self._descriptor = descriptor
        self.timeout_s = timeout_s

    @classmethod
    def open(cls, path: Path, timeout_s: int) -> WatchdogDevice | None:
        """Open it, which starts it; None, with the reason in the log, where there is none."""
        try:
            # Non-blocking: a pipe that nobody reads must not hang the fence.
            descriptor = os.open(path, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            log.info("no watchdog device: %s", error)
            return None
        return cls(descriptor, _set_timeout(descriptor, timeout_s))

    def pet(self) -> None:
        """Start its time-out again. A device that fails is said once per failure and counts as not petted."""
        try:
            os.write(self._descriptor, PET)
        except OSError as error:
            log.warning("watchdog: %s", error)

    def release(self) -> None:
        """Switch it off, as far as the driver allows, and close it."""
        try:
            os.write(self._descriptor, MAGIC_CLOSE)
        except OSError as error:
            log.warning("watchdog: %s", error)
        os.close(self._descriptor)


class WatchdogDevices:
    """The devices whose paths match `pattern`. `opened` says in words which one is open."""

    def __init__(self, pattern: str = DEVICES) -> None:
        self._pattern = pattern
        self.opened = "not opened"

    def open(self, timeout_s: int) -> WatchdogDevice | None:
        """The first device that can be opened, None where there is none."""
        for name in sorted(glob.glob(self._pattern)):
            device = WatchdogDevice.open(Path(name), timeout_s)
            if device is not None:
                self.opened = f"{name}, {device.timeout_s} s"
                log.info("watchdog: %s", self.opened)
                return device
        self.opened = "none"
        log.warning(
            "no watchdog device: if the fence dies, only systemd starts it again, and nothing resets the machine"
        )
        return None


def _set_timeout(descriptor: int, timeout_s: int) -> int:
    value = bytearray(struct.pack("i", timeout_s))
    try:
        fcntl.ioctl(descriptor, SET_TIMEOUT, value)
    except OSError as error:
        log.warning("watchdog: no time-out can be set: %s", error)
        return 0
    taken: int = struct.unpack("i", bytes(value))[0]
    return taken
