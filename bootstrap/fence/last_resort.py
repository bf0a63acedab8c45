"""Keeps the fence able to run when the machine is in trouble: locked memory, realtime priority, a reset.

For: the fence. Guarantees: a refusal of the kernel is logged once and never stops the caller. Does not: raise.
Sources: mlockall(2), sched_setscheduler(2), reboot(2) (no sync); Linux Documentation/admin-guide/sysrq.rst: `b` resets
at once without syncing or unmounting, and root may write to /proc/sysrq-trigger whatever kernel.sysrq says.
"""

from __future__ import annotations

import ctypes
import logging
import os
from pathlib import Path

log = logging.getLogger(__name__)

SYSRQ_TRIGGER = Path("/proc/sysrq-trigger")
PRIORITY = 10
LOCK_NOW_AND_LATER = 1 | 2  # MCL_CURRENT | MCL_FUTURE
RESTART = 0x01234567  # LINUX_REBOOT_CMD_RESTART


def lock_memory() -> bool:
    """Keep every page of this process, now and later, in memory: a full or hung disk must not stop it."""
    library = ctypes.CDLL(None, use_errno=True)
    if library.mlockall(LOCK_NOW_AND_LATER) == 0:
        return True
    log.warning("memory is not locked: %s", os.strerror(ctypes.get_errno()))
    return False


def raise_priority() -> bool:
    """Run before everything that is not realtime."""
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(PRIORITY))
    except OSError as error:
        log.info("no realtime priority (%s); the nicest ordinary one instead", error)
        try:
            os.setpriority(os.PRIO_PROCESS, 0, -20)
        except OSError as refused:
            log.warning("no priority at all: %s", refused)
        return False
    return True


def reset_machine(trigger: Path = SYSRQ_TRIGGER) -> None:
    """Reset without sync: dirty pages must not reach the file system any more. Returns only if the kernel refused."""
    try:
        # Never created: on the real thing the write does not return.
        descriptor = os.open(trigger, os.O_WRONLY | os.O_NONBLOCK)
        try:
            os.write(descriptor, b"b")
        finally:
            os.close(descriptor)
    except OSError as error:
        log.error("%s: %s; reboot(2) instead", trigger, error)
        if trigger == SYSRQ_TRIGGER:
            ctypes.CDLL(None, use_errno=True).reboot(RESTART)
