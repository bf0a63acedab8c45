"""Starts, stops and inspects the systemd units of the service, and runs the user's hooks.

For: the steps service-start and healthy, the supervisor, and the ordered stop. Guarantees: "started" means that
systemd shows the unit active; an exit code 0 of systemctl is not enough, because it also exits 0 when a condition of
the unit, such as its mount, is not met. A start never cancels a stop that systemd is carrying out. A stop is bounded
and ends with SIGKILL to the whole control group of the unit, and the log says so.
Does not: enable units; systemd must never start them on its own.
Sources: systemctl(1) (exit codes, `kill --kill-whom=all`, `--job-mode=`); systemd.unit(5) "Conditions and Asserts" and
`BindsTo=`, which includes `Requires=`, so that starting the service asks for a start of the agent, too.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

from bootstrap.base.clock import Deadline
from bootstrap.base.document import Service
from bootstrap.base.errors import DeadlineExceeded, FenceError, HookError, ServiceError
from bootstrap.base.retry import NotYet, Pauses, retry
from bootstrap.machine.commands import Commands, Completed
from bootstrap.machine.unit_settings import FENCE_UNIT, UnitSettings

log = logging.getLogger(__name__)

PAUSES = Pauses(first_s=0.2, longest_s=1.0)
QUERY_S = 10.0
KILL_S = 10.0
ALIVE = frozenset({"active", "reloading"})
GONE = frozenset({"inactive", "failed"})
UNSETTLED = frozenset({"activating", "deactivating", "unknown"})
CONFLICTS = "destructive"  # systemd's word for a transaction that would reverse a job under way


class ServiceUnits:
    """The units of one service, in start order, controlled by systemctl."""

    def __init__(self, commands: Commands, service: Service, settings: UnitSettings) -> None:
        self._commands = commands
        self._service = service
        self._settings = settings

    def start(self, deadline: Deadline) -> None:
        """Start all in order; each is active afterwards. Raises ServiceError, HookError, FenceError,
        DeadlineExceeded, StopRequested."""
        self._settings.forget_failures()
        for unit in self._service.units:
            limit = deadline.within(self._settings.start_limit_s(unit), f"start {unit}")
            done = self._start_without_conflict(unit, limit)
            state = self._await_settled(unit, limit)
            if state not in ALIVE:
                raise self._start_failed(f"{unit} is {state} after systemctl start ({done.summary})", unit)

    def _start_failed(self, why: str, unit: str) -> ServiceError | HookError:
        failed = self._settings.failed_hook()
        if failed:
            return HookError(f"before-start hook {failed}", remedy="Run it by hand on the instance")
        return ServiceError(why, remedy=f"Read journalctl -u {unit}; its condition on the mount may have failed")

    def _start_without_conflict(self, unit: str, limit: Deadline) -> Completed:
        """Start it once systemd is not about to stop it or the agent. The default job mode, replace, would cancel the
        agent's own stop. Raises FenceError, DeadlineExceeded, StopRequested."""

        def attempt() -> Completed:
            done = self._commands.run(("systemctl", "start", "--job-mode=fail", unit), limit)
            if not done.succeeded and CONFLICTS in done.output:
                if self.state(FENCE_UNIT, limit) == "deactivating":  # it ends when the agent has let go, not before
                    raise FenceError(
                        f"{unit} cannot start: {FENCE_UNIT} is being stopped", remedy="Find out who stops it"
                    )
                raise NotYet(done.summary)
            return done

        return retry(attempt, limit, PAUSES)

    def dead_units(self, deadline: Deadline) -> list[str]:
        """The units that have ended, each with its state, in words. Raises StopRequested."""
        states = [(unit, self.state(unit, deadline)) for unit in self._service.units]
        return [f"{unit} is {state}{self._why(unit, deadline)}" for unit, state in states if state in GONE]

    def _why(self, unit: str, deadline: Deadline) -> str:
        """What systemd says of its end: `watchdog`, `oom-kill`, `signal`, `exit-code` and others."""
        result = self._result(unit, deadline)
        return f" ({result})" if result not in ("", "success") else ""

    def state(self, unit: str, deadline: Deadline) -> str:
        """systemd's ActiveState; "unknown" when systemd did not answer in time."""
        limit = deadline.within(QUERY_S, f"ask for {unit}")
        done = self._commands.run(("systemctl", "show", "--property=ActiveState", "--value", unit), limit)
        return done.output.strip() if done.succeeded else "unknown"

    def _result(self, unit: str, deadline: Deadline) -> str:
        limit = deadline.within(QUERY_S, f"ask for {unit}")
        return self._commands.run(("systemctl", "show", "--property=Result", "--value", unit), limit).output.strip()

    def stop(self, deadline: Deadline) -> list[str]:
        """Stop all in reverse order and kill what is left when its time is over; the units that remain. Raises
        StopRequested."""
        left = []
        for unit in reversed(self._service.units):
            limit = deadline.within(self._service.stop_timeout_s, f"stop {unit}")
            done = self._commands.run(("systemctl", "stop", unit), limit)
            state = self.state(unit, deadline)
            if state == "failed" and self._result(unit, deadline) == "timeout":
                log.warning("%s did not stop within %.0f s: systemd killed it", unit, self._service.stop_timeout_s)
            if state in GONE:
                continue
            log.warning("systemctl stop %s did not stop it (%s): killing it now", unit, done.summary)
            limit = Deadline(deadline.clock, KILL_S, f"kill {unit}", deadline.stop)
            self._commands.run(("systemctl", "kill", "--kill-whom=all", "--signal=SIGKILL", unit), limit)
            self._commands.run(("systemctl", "stop", unit), limit)
            if self.state(unit, limit) not in GONE:
                left.append(unit)
        return left

    def restart(self, deadline: Deadline) -> None:
        """Stop what is left of the service and start it again. Raises ServiceError, DeadlineExceeded, StopRequested."""
        left = self.stop(deadline)
        if left:
            raise ServiceError(
                f"{', '.join(left)} cannot be stopped", remedy="Look for a process that hangs on the file system"
            )
        # systemd refuses to start a unit that has failed too often (its start limit).
        self._commands.run(("systemctl", "reset-failed", *self._service.units), deadline.within(QUERY_S, "reset units"))
        self.start(deadline)

    def _await_settled(self, unit: str, limit: Deadline) -> str:
        """The state once systemd has finished starting `unit`, or its state at `limit`. Raises StopRequested."""

        def attempt() -> str:
            state = self.state(unit, limit)
            if state in UNSETTLED:
                raise NotYet(state)
            return state

        try:
            return retry(attempt, limit, PAUSES)
        except DeadlineExceeded as error:
            return error.seen or self.state(unit, limit)


def run_hooks(
    commands: Commands, hooks: Sequence[tuple[str, ...]], timeout_s: float, deadline: Deadline, when: str
) -> None:
    """Run the user's commands in order, each within `timeout_s`. Raises HookError at the first that fails,
    StopRequested."""
    for argv in hooks:
        done = commands.run(argv, deadline.within(timeout_s, f"{when} hook {argv[0]}"))
        if not done.succeeded:
            raise HookError(f"{when} hook {' '.join(argv)}: {done.summary}", remedy="Run it by hand on the instance")
