"""Goes on comparing what should be with what is, after the boot, and mends what it can.

For: the supervisor, once per cycle. Guarantees: each part is looked at when it is due, and all of them right after a
mend, because whoever broke one thing may have broken others; a part that cannot be looked at is said once and never
mended, ended or forgotten; each mend is one sentence in the log and, for an hour, in the state: what was wrong, and
what was done; what is not mended and ends nothing is a trouble while it lasts.
Does not: decide (run.upkeep_rules does), or know the parts (run.kept_parts does).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from bootstrap.base.clock import Clock, Deadline, StopRequest
from bootstrap.base.errors import REMEDIES, AgentError, CloudError, NotHolder, Reason
from bootstrap.base.troubles import LASTING, Troubles
from bootstrap.run.upkeep_rules import (
    PAUSE_S,
    WINDOW_S,
    History,
    Step,
    Terms,
    Verdict,
    judge,
    looked,
    mended,
    not_allowed,
)

log = logging.getLogger(__name__)

LOOK_S = 30.0  # for one look; most take milliseconds
SPARE_S = 60.0  # calls to AWS, which have their own time-outs


class Part(Protocol):
    """One thing that the boot set up. `mend_s`: how long a mend may take. `ends_service`: a mend restarts it."""

    terms: Terms
    mend_s: float
    ends_service: bool

    def drift(self, deadline: Deadline) -> str:
        """How it differs from what it should be, in words; "" when it does not. Raises AgentError when that cannot be
        seen now, StopRequested."""

    def mend(self, deadline: Deadline) -> str:
        """Put it back; what was done, in words. Raises AgentError, StopRequested."""


class NotMended(AgentError):
    """A part is not as it should be, and the instance goes on. `reason` is the part's, or why it cannot be mended."""

    def __init__(self, what: str, reason: Reason) -> None:
        remedy = REMEDIES.get(reason, "")
        super().__init__(what, remedy="" if remedy in what else remedy)  # a mend that failed has said it
        self.reason = reason


class Upkeep:
    """The upkeep of one instance."""

    def __init__(
        self,
        parts: Sequence[Part],
        clock: Clock,
        stop: StopRequest,
        troubles: Troubles,
        beat: Callable[[float], None] = lambda _: None,
        maintenance: Callable[[], str] = lambda: "",
    ) -> None:
        """`beat` is told, before each look, the most seconds until the next beat. `maintenance`: who works on the
        service, "" when nobody does; then nothing here ends it."""
        self._maintenance = maintenance
        self._troubles = troubles
        self._beat = beat
        self._parts = parts
        self._clock = clock
        self._stop = stop
        began_s = clock.monotonic()  # the boot has verified everything
        self._due_s = {part.terms.name: began_s + part.terms.look_s for part in parts}
        self._history = {part.terms.name: History() for part in parts}
        self._standing: dict[str, Verdict] = {}  # of each part that differs
        self._unseen: dict[str, str] = {}  # why a part could not be looked at
        self._mend = ""
        self._mended_s = float("-inf")
        self.service_ended_s: float | None = None  # when a mend last restarted the service

    def cycle(self) -> Verdict:
        """Look at what is due and mend what can be mended; what is left to do or to say, the worst of it. Raises
        StopRequested."""
        for part in self._parts:
            if self._clock.monotonic() >= self._due_s[part.terms.name]:
                self._look(part)
        urgent = [verdict for verdict in self._standing.values() if verdict.reason not in LASTING]
        standing = sorted(urgent, key=lambda verdict: verdict.step is not Step.REPLACE)
        if standing:
            return standing[0]
        return Verdict(sentence=self._mend if self._clock.monotonic() - self._mended_s < WINDOW_S else "")

    def _look(self, part: Part) -> None:
        terms = part.terms
        self._beat(LOOK_S + part.mend_s + SPARE_S)
        self._due_s[terms.name] = self._clock.monotonic() + terms.look_s
        try:
            drift = part.drift(Deadline(self._clock, LOOK_S, f"look at {terms.name}", self._stop))
        except AgentError as error:
            if self._unseen.get(terms.name) != str(error):
                log.warning("upkeep: %s cannot be looked at: %s", terms.name, error)
            self._unseen[terms.name] = str(error)
            return
        self._unseen.pop(terms.name, None)
        now_s = self._clock.monotonic()
        history = self._history[terms.name] = looked(self._history[terms.name], drift, now_s)
        verdict = judge(terms, drift, history, now_s)
        maintenance = self._maintenance() if part.ends_service and verdict.step is Step.MEND else ""
        if maintenance:
            sentence = f"{verdict.sentence}; not mended, because that restarts the service: maintenance ({maintenance})"
            verdict = Verdict(step=Step.TROUBLE, sentence=sentence, reason=verdict.reason)
        elif verdict.step is Step.MEND:
            verdict = self._mended(part, verdict)
        self._keep(terms, verdict)

    def _keep(self, terms: Terms, verdict: Verdict) -> None:
        before = self._standing.pop(terms.name, None)
        if verdict.step is not Step.NOTHING:
            self._standing[terms.name] = verdict
        standing = {other.reason for other in self._standing.values()}
        if before is not None and before.reason is not None and before.reason not in standing:
            self._troubles.over(before.reason)
        if verdict.step is Step.TROUBLE and verdict.reason is not None:
            self._troubles.begin(NotMended(verdict.sentence, verdict.reason))

    def _mended(self, part: Part, seen: Verdict) -> Verdict:
        """The verdict after a mend was tried."""
        name, now_s = part.terms.name, self._clock.monotonic()
        log.warning("upkeep: %s: mending it", seen.sentence)
        if part.ends_service:
            self.service_ended_s = now_s
        try:
            did = part.mend(Deadline(self._clock, part.mend_s, f"mend {name}", self._stop))
        except AgentError as error:
            is_allowed = not isinstance(error, CloudError | NotHolder) and error.reason not in REMEDIES
            history = self._history[name]
            self._history[name] = mended(part.terms, history, now_s) if is_allowed else not_allowed(history, now_s)
            self._due_s[name] = now_s + min(part.terms.look_s, PAUSE_S)
            log.warning("upkeep: the mend failed: %s", error)
            reason = error.reason if error.reason in REMEDIES else seen.reason  # a cause that is known says more
            return Verdict(step=Step.TROUBLE, sentence=f"{seen.sentence}; not mended: {error}", reason=reason)
        self._history[name] = mended(part.terms, self._history[name], now_s)
        self._mend, self._mended_s = f"mended {seen.sentence}; done: {did}", now_s
        log.warning("upkeep: %s", self._mend)
        self._due_s = dict.fromkeys(self._due_s, now_s)
        return Verdict()
