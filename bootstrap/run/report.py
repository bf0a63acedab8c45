"""The state of this instance for people and programs: a JSON file below /run and the state parameter.

For: operators, the rollout command, reports. Guarantees: building it is pure; the file is whole or the previous one;
the parameter is written in the background, the latest state wins, a failure is retried and never fails a boot; whoever
serves says so again where an instance without the lease, or with an older one, has written over it.
Does not: take part in any decision of the agent.
"""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.errors import CloudError
from bootstrap.base.files import replace_file
from bootstrap.base.timeline import Entry
from bootstrap.cloud.parameters import LARGEST_VALUE_BYTES, Parameter

log = logging.getLogger(__name__)

Phase = Literal["booting", "ready", "unhealthy", "stopping", "stopped", "failed"]
ARRIVING: tuple[Phase, ...] = ("booting", "ready")
RETRY_S = 5.0
LONGEST_RETRY_S = 60.0
REASSERT_S = 20.0  # how long another instance's word may stand above that of the one that serves


@dataclass(frozen=True, kw_only=True)
class State:
    """What is known about this instance now. `record` is the DNS name, `reason` set where a failure has one."""

    phase: Phase
    sentence: str
    instance_id: str
    zone: str
    image_id: str
    image_version: str
    network_interface_id: str = ""
    address: str = ""
    record: str = ""
    generation: int = 0  # of the lease, 0 before it is held; the fencing token
    reason: str = ""


def render_state(state: State, entries: list[Entry], updated_at: str, limit: int = LARGEST_VALUE_BYTES) -> str:
    """One JSON document of at most `limit` bytes: details of phases go first, then the end of the sentence. Pure."""
    tree: dict[str, Any] = {
        "phase": state.phase,
        "instance_id": state.instance_id,
        "zone": state.zone,
        "image_id": state.image_id,
        "image_version": state.image_version,
        "network_interface_id": state.network_interface_id,
        "address": state.address,
        "record": state.record,
        "generation": state.generation,
        "sentence": state.sentence,
        "reason": state.reason,
        "updated_at": updated_at,
        "timeline": [entry.to_tree() for entry in entries],
    }
    text = json.dumps(tree)
    if len(text.encode()) > limit:
        tree["timeline"] = [replace(entry, detail="").to_tree() for entry in entries]
        text = json.dumps(tree)
    excess = len(text.encode()) - limit
    if excess > 0:
        tree["sentence"] = state.sentence[: max(0, len(state.sentence) - excess - 3)] + "..."
        text = json.dumps(tree)
    return text


def may_replace(present: str, leaving: str) -> bool:
    """Whether the state of an instance that is leaving may replace `present`: not that of a successor. Pure."""
    try:
        now, then = json.loads(present), json.loads(leaving)
        return bool(now["instance_id"] == then["instance_id"] or now["phase"] not in ARRIVING)
    except (ValueError, KeyError, TypeError):
        return True  # the first value, which the stack gave it


def report(parameter: Parameter, text: str) -> None:
    """Write the state parameter, unless this instance is leaving and its successor has reported. Raises CloudError."""
    if json.loads(text)["phase"] in ARRIVING or may_replace(parameter.read(), text):
        parameter.write(text)


def is_displaced(present: str, mine: str) -> bool:
    """Whether `mine`, of an instance that serves, has been written over by one that holds no newer lease. Pure."""
    own = json.loads(mine)
    try:
        other = json.loads(present)
        is_other = other["instance_id"] != own["instance_id"]
        return bool(own["phase"] == "ready" and is_other and other.get("generation", 0) <= own["generation"])
    except (ValueError, KeyError, TypeError):
        return bool(own["phase"] == "ready")


def reassert(parameter: Parameter, text: str) -> None:
    """Write the state parameter again where it was displaced. Raises CloudError."""
    if is_displaced(parameter.read(), text):
        log.info("state: another instance had written over it")
        parameter.write(text)


def image_version(path: Path) -> str:
    """The version in the image's own description, "" where there is none."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8")).get("version", ""))
    except (OSError, ValueError) as error:
        log.warning("%s: %s", path, error)
        return ""


def write_file(path: Path, text: str) -> None:
    """Make `text` with a line break the content of `path`. A full or missing file system never fails the caller."""
    try:
        replace_file(path, text + "\n")
    except OSError as error:
        log.warning("%s: %s", path, error)


class BackgroundWriter:
    """Writes the latest offered text by `write`, in its own thread, until it succeeds or a later text replaces it."""

    def __init__(
        self, write: Callable[[str], None], clock: Clock, reassert: Callable[[str], None] = lambda _text: None
    ) -> None:
        """`reassert` is given the last written text from time to time."""
        self._write = write
        self._reassert = reassert
        self._last_written: str | None = None
        self._clock = clock
        self._lock = threading.Lock()
        self._latest: str | None = None
        self._written = threading.Event()
        self._written.set()
        self._offered = threading.Event()
        self._thread = threading.Thread(target=self._run, name="state-parameter", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def offer(self, text: str) -> None:
        """Have `text` written; returns at once."""
        with self._lock:
            self._latest = text
            self._written.clear()
        self._offered.set()

    def flush(self, deadline: Deadline) -> bool:
        """Wait until the latest text is written; False when it was not in time."""
        return self._clock.wait(self._written, deadline.remaining_s)

    def attempt(self) -> bool:
        """Write the latest text once; False when it has to be tried again."""
        with self._lock:
            text = self._latest
        if text is None:
            return True
        try:
            self._write(text)
        except CloudError as error:
            log.warning("state: %s", error)
            return False
        with self._lock:
            self._last_written = text
            if self._latest == text:
                self._latest = None
                self._written.set()
        return True

    def look_again(self) -> None:
        """Have the last written text put back where somebody has written over it."""
        with self._lock:
            text = self._last_written
        if text is None:
            return
        try:
            self._reassert(text)
        except CloudError as error:
            log.warning("state: %s", error)

    def _run(self) -> None:
        pause_s = RETRY_S
        while True:
            if not self._clock.wait(self._offered, REASSERT_S):
                self.look_again()
                continue
            self._offered.clear()
            if self.attempt():
                pause_s = RETRY_S
            else:
                self._clock.wait(self._offered, pause_s)
                self._offered.set()
                pause_s = min(2 * pause_s, LONGEST_RETRY_S)
