"""The files that the fence keeps below /run, so that a restarted process goes on where the former one stopped.

For: guard. Guarantees: the state file is replaced whole or not at all; a state that cannot be read is an error, never
"nothing is guarded"; a reboot clears it, because /run is in memory.
Does not: sync. A reset must not wait for a disk.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from pathlib import Path

from bootstrap.base.codec import decode, encode
from bootstrap.fence.protocol import GRANTED_NAME, STATE_NAME, FenceRequest
from bootstrap.fence.rules import FenceMemory

log = logging.getLogger("fence")


@dataclass(frozen=True, kw_only=True)
class FenceState:
    """The file `fence.json`."""

    request: FenceRequest
    memory: FenceMemory


class RunFiles:
    """The files in `run`."""

    def __init__(self, run: Path) -> None:
        self._run = run

    def restore(self) -> tuple[FenceRequest, FenceMemory] | None:
        """What a former process guarded, None where there was none. Raises ValueError for a state that is not one."""
        path = self._run / STATE_NAME
        try:
            state = decode(FenceState, path.read_bytes(), unknown_keys="refuse")
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise ValueError(f"{path} cannot be used ({error})") from None
        return state.request, state.memory

    def save(self, request: FenceRequest, memory: FenceMemory) -> None:
        """Replace the state. A failure is logged: only a restart of this process would need it."""
        path = self._run / STATE_NAME
        temporary = path.with_name(f".{path.name}.new")
        try:
            temporary.write_text(encode(FenceState(request=request, memory=memory)), encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            log.error("%s: %s", path, error)

    def grant(self, generation: int) -> None:
        """Let systemd start the service (its units assert that this file exists). A failure is logged, and tried again
        in the next turn."""
        path, text = self._run / GRANTED_NAME, f"{generation}\n"
        try:
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                path.write_text(text, encoding="utf-8")
        except (OSError, ValueError) as error:
            log.error("%s: %s", path, error)

    def withdraw(self) -> None:
        """Let systemd start nothing any more."""
        with contextlib.suppress(FileNotFoundError):
            (self._run / GRANTED_NAME).unlink()
