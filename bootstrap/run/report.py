"""Says what this instance is doing: in the log, in the state file, in the state parameter, and to systemd.

For: the agent and its endings, operators, the rollout command. Guarantees: a report never fails or delays the caller;
the state file is whole; an instance that leaves does not overwrite its successor's state parameter, and an instance
that serves writes it again after one that holds no newer lease; a trouble is in log and state while it lasts, and one
notification says that it began. Does not: take part in any decision of the agent.
"""

from __future__ import annotations

import json
import logging
import threading
from dataclasses import replace
from pathlib import Path

from bootstrap.base.clock import Clock, Deadline
from bootstrap.base.errors import AgentError, Reason
from bootstrap.base.files import replace_file
from bootstrap.base.state import ARRIVING, Phase, State, is_displaced, may_replace, parse_state, render_state
from bootstrap.base.timeline import Timeline
from bootstrap.base.troubles import LASTING, Troubles, Untold
from bootstrap.cloud.parameters import Parameter
from bootstrap.run.writer import BackgroundWriter

log = logging.getLogger(__name__)

FLUSH_S = 10.0


class Report:
    """The reports of one run."""

    def __init__(self, clock: Clock, timeline: Timeline, path: Path) -> None:
        """`path`: the state file. Until `reach` is called, it is the only place besides the log."""
        self._clock = clock
        self._timeline = timeline
        self._path = path
        self._writer: BackgroundWriter | None = None
        self.state = State()
        self._said: tuple[Phase, str, Reason | None] = ("new", "", None)
        self._troubles: dict[Reason, AgentError] = {}
        self._telling: Troubles = Untold()
        self._lock = threading.RLock()  # troubles begin in many threads

    def know(self, **facts: str | int) -> None:
        """Add facts about this instance, which the next report has. `facts` are fields of State."""
        self.state = replace(self.state, **facts)  # type: ignore[arg-type]

    def reach(self, parameter: Parameter) -> None:
        """Write the state parameter, too, from the next report on."""
        self._writer = BackgroundWriter(
            self._clock, lambda state: write(parameter, state), lambda state: reassert(parameter, state), self
        )
        self._writer.start()

    def tell(self, telling: Troubles) -> None:
        """Tell people of each trouble that begins or ends from now on."""
        self._telling = telling

    def __call__(self, *, phase: Phase, sentence: str, reason: Reason | None = None) -> None:
        """Report `phase`, with one sentence, and the stable word of a failure."""
        log.info("%s: %s", f"{phase} ({reason})" if reason else phase, sentence)
        with self._lock:
            self._said = (phase, sentence, reason)
            self._write()

    def begin(self, trouble: AgentError) -> None:
        """Show `trouble` until it is over. See base.troubles."""
        with self._lock:
            if trouble.reason in self._troubles:
                return
            self._troubles[trouble.reason] = trouble
            log.warning("%s: %s", trouble.reason, trouble)
            self._write()
        self._telling.begin(trouble)

    def over(self, reason: Reason) -> None:
        """The trouble `reason`, if there is one, has passed."""
        with self._lock:
            if self._troubles.pop(reason, None) is not None:
                log.info("%s: it is over", reason)
                self._write()
                self._telling.over(reason)

    @property
    def troubles(self) -> tuple[Reason, ...]:
        """The reasons of all that is wrong now."""
        with self._lock:
            return tuple(self._troubles)

    def standing(self, reason: Reason) -> str:
        """The sentence of the trouble `reason`; "" when there is none."""
        with self._lock:
            return str(self._troubles.get(reason, ""))

    def _write(self) -> None:
        phase, sentence, reason = self._said
        if phase in ARRIVING and self._troubles:
            troubles = sorted(self._troubles.values(), key=lambda trouble: trouble.reason in LASTING)
            reason = reason or troubles[0].reason
            sentence = "; ".join([sentence, *map(str, troubles)])
        self.state = replace(
            self.state,
            phase=phase,
            sentence=sentence,
            reason=reason or "",
            updated_at=self._clock.utc_text(),
            timeline=self._timeline.entries(),
        )
        write_file(self._path, render_state(self.state))
        if self._writer is not None:
            self._writer.offer(self.state)

    def flush(self) -> None:
        """Wait for FLUSH_S at most until the state parameter has the last report."""
        if self._writer is not None and not self._writer.flush(Deadline(self._clock, FLUSH_S, "state parameter")):
            log.warning("the state parameter was not written within %.0f s", FLUSH_S)


def write(parameter: Parameter, state: State) -> None:
    """Write the state parameter, unless this instance is leaving and its successor has reported. Raises CloudError."""
    if state.phase in ARRIVING or may_replace(parse_state(parameter.read()), state):
        parameter.write(render_state(state))


def reassert(parameter: Parameter, state: State) -> None:
    """Write the state parameter again if it was displaced. Raises CloudError."""
    if is_displaced(parse_state(parameter.read()), state):
        log.info("state: another instance overwrote it; this instance writes it again")
        parameter.write(render_state(state))


def write_file(path: Path, text: str) -> None:
    """Make `text` with a line break the content of `path`. A full or missing file system never fails the caller."""
    try:
        replace_file(path, text + "\n")
    except OSError as error:
        log.warning("%s: %s", path, error)


def image_version(path: Path) -> str:
    """The version in the image's own description, "" where there is none."""
    try:
        return str(json.loads(path.read_text(encoding="utf-8")).get("version", ""))
    except (OSError, ValueError, AttributeError) as error:
        log.warning("%s: %s", path, error)
        return ""
