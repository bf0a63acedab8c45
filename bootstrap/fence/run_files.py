"""What the fence keeps below /run, so that a restart of its process loses nothing.

For: guard. Guarantees: the state is replaced whole or not at all; a state that cannot be read is an error, never
"nothing is guarded"; nothing here survives a reboot, because /run does not.
Does not: sync: a reset must not wait for a disk.
"""

from __future__ import annotations

import contextlib
import json
import logging
from dataclasses import asdict
from pathlib import Path

from bootstrap.fence.protocol import GRANTED_NAME, STATE_NAME, FenceRequest, decode_request
from bootstrap.fence.rules import FenceMemory

log = logging.getLogger("fence")


class RunFiles:
    """The files in `run`."""

    def __init__(self, run: Path) -> None:
        self._run = run

    def restore(self) -> tuple[FenceRequest, FenceMemory] | None:
        """What a former process guarded, None where there was none. Raises ValueError for a state that is not one."""
        path = self._run / STATE_NAME
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
            return decode_request(json.dumps(tree["request"]).encode()), FenceMemory(**tree["memory"])
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} cannot be used ({error})") from None

    def save(self, request: FenceRequest, memory: FenceMemory) -> None:
        """Replace the state. A failure is logged: only a restart of this process would need it."""
        path = self._run / STATE_NAME
        temporary = path.with_name(f".{path.name}.new")
        try:
            temporary.write_text(json.dumps({"request": asdict(request), "memory": asdict(memory)}), encoding="utf-8")
            temporary.replace(path)
        except OSError as error:
            log.error("%s: %s", path, error)

    def grant(self, generation: int) -> None:
        """Let systemd start the service (its units assert that this file exists)."""
        (self._run / GRANTED_NAME).write_text(f"{generation}\n", encoding="utf-8")

    def withdraw(self) -> None:
        """Let systemd start nothing any more."""
        with contextlib.suppress(FileNotFoundError):
            (self._run / GRANTED_NAME).unlink()
