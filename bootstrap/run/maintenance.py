"""Obeys maintenance mode while the instance serves.

For: the supervisor and the upkeep. Guarantees: it begins within `LOOK_S` of the command, survives a reboot and a
replacement, and ends by itself, by AWS's clock and this machine's monotonic one; without an answer of AWS what was
known goes on until its end; a value that cannot be read is no maintenance. The lease is renewed meanwhile, and the
fence strikes when it is lost. Does not: hold back what is no matter of health (a stop, an interruption by EC2).
"""

from __future__ import annotations

import logging
import threading

from bootstrap.base.clock import Clock
from bootstrap.base.errors import AgentError, CloudError
from bootstrap.base.maintenance import parse_maintenance
from bootstrap.base.troubles import Troubles
from bootstrap.cloud.parameters import Parameter

log = logging.getLogger(__name__)

LOOK_S = 60.0  # 60 calls in an hour


class InMaintenance(AgentError):
    """Somebody asked for it."""

    reason = "maintenance"


class MaintenanceMode:
    """Of one service, on the instance that serves."""

    def __init__(self, parameter: Parameter, clock: Clock, troubles: Troubles) -> None:
        self._parameter = parameter
        self._clock = clock
        self._troubles = troubles
        self._until_s = float("-inf")
        self._sentence = ""
        self._problem = ""

    def start(self) -> None:
        """Look now, and go on looking in a thread: an AWS that does not answer must not delay the supervisor."""
        self.look()
        threading.Thread(target=self._run, name="maintenance", daemon=True).start()

    def sentence(self) -> str:
        """Who asked for it and why; "" when it is not on. Takes no time."""
        if self._clock.monotonic() >= self._until_s:
            self._troubles.over("maintenance")
            return ""
        self._troubles.begin(InMaintenance(self._sentence, remedy="Say soloist resume when the work is done"))
        return self._sentence

    def _run(self) -> None:
        never = threading.Event()
        while True:
            self._clock.wait(never, LOOK_S)
            self.look()

    def look(self) -> None:
        """Ask AWS once."""
        problem, now_s = "", self._clock.monotonic()
        try:
            text, age_s = self._parameter.read_with_age()
            if text:
                found = parse_maintenance(text)
                self._sentence = f"{found.by} works on it for {found.for_s / 60:.0f} min: {found.why}"
                self._until_s = now_s + found.for_s - age_s
            else:
                self._until_s = float("-inf")
        except CloudError as error:
            problem = str(error)
        except ValueError as error:
            problem, self._until_s = f"the maintenance parameter cannot be read: {error}", float("-inf")
        if problem and problem != self._problem:
            log.warning("maintenance: %s", problem)
        self._problem = problem
