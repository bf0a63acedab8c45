"""What the service file says about every start and stop of the service's units, told to systemd.

For: the boot step unit-settings, before the service is started, and the upkeep. Guarantees: whoever starts or stops a
unit (the agent, systemd's own Restart=, a person), the time-outs are those of the service file, and the before-start
hooks run before everything else of the service's first unit; a hook that fails lets nothing start, and its words are
kept. The units cannot reach the instance metadata service, which would give them the instance's role, unless the
service file opens it. The settings are below /run, so a reboot takes them away.
Does not: change what ami/install.sh writes into the image, or start anything.
Sources: systemd.unit(5) (drop-ins below /run/systemd/system); systemd.service(5): TimeoutStartSec= holds for each phase
of a start, ExecCondition= comes before the unit's own ExecStartPre=, its exit code 255 is a failure, "+" means full
privileges; systemd.resource-control(5): IPAddressDeny= needs a kernel with BPF for control groups; another ignores it,
with a warning in the journal. systemd's default for both time-outs is 90 s, which ended a start in the middle.
"""

from __future__ import annotations

import logging
import re
import shlex
from pathlib import Path

from bootstrap.base.clock import Deadline
from bootstrap.base.document import Service
from bootstrap.base.errors import SurroundingsError
from bootstrap.base.files import replace_file, text_of
from bootstrap.base.paths import Paths
from bootstrap.machine.commands import Commands

log = logging.getLogger(__name__)

DROP_IN = "60-soloist.conf"
RELOAD_S = 30.0
SHORTEST_S = 0.001
# Instance metadata over IPv4 and IPv6 (EC2 user guide, "Access instance metadata"). Time and DNS have other addresses.
METADATA_ADDRESSES = "169.254.169.254 fd00:ec2::254"
QUERY_S = 10.0
FENCE_UNIT = "soloist-fence.service"
BOUND_TO = frozenset({"soloist-agent.service", FENCE_UNIT})  # by the drop-in of ami/install.sh
SPANS_S = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
WRITTEN = "# Written by the soloist agent at boot, from the service file."
SCRIPT = """{written}
rm -f {report}
run() {{
    output=$(timeout --kill-after=5 {timeout_s} "$@" 2>&1) && return 0
    code=$?
    [ "$code" != 124 ] || output="not done within {timeout_s} s. $output"
    printf '%s: exit code %s: %s\\n' "$*" "$code" "$output" | head -c 2000 | tee {report} >&2
    exit 255
}}
"""


class UnitSettings:
    """The settings of one service."""

    def __init__(self, commands: Commands, service: Service, paths: Paths) -> None:
        self._commands = commands
        self._service = service
        self._paths = paths

    def apply(self, deadline: Deadline) -> str:
        """Write the settings and have systemd read them; what was done, in words. Files that are there prove nothing:
        an agent that was killed may have written them for nobody. Raises SurroundingsError, StopRequested."""
        try:
            for path, text in self._wanted().items():
                path.parent.mkdir(parents=True, exist_ok=True)
                replace_file(path, text)
        except OSError as error:
            raise SurroundingsError(f"the settings of the service's units cannot be written: {error}") from None
        done = self._commands.run(("systemctl", "daemon-reload"), deadline.within(RELOAD_S, "reload systemd"))
        if not done.succeeded:
            raise SurroundingsError(f"systemctl daemon-reload: {done.summary}", remedy="Read the journal of systemd")
        return f"time-outs of {', '.join(self._service.units)}"

    def _wanted(self) -> dict[Path, str]:
        drop_ins = {
            self._paths.unit_settings / f"{unit}.d" / DROP_IN: self.drop_in(unit) for unit in self._service.units
        }
        return {**drop_ins, self._paths.before_start: self.script()}

    def drift(self) -> str:
        """Which file of the settings is not as it was written, in words; "" when all are."""
        return "; ".join(f"{path} was changed" for path, text in self._wanted().items() if text_of(path) != text)

    def overridden(self, deadline: Deadline) -> str:
        """Which time-out is not in force, in words; "" when all are. Raises SurroundingsError when systemd does not
        answer, StopRequested."""
        changed = []
        for unit in self._service.units:
            wanted = {"TimeoutStartUSec": self.start_limit_s(unit), "TimeoutStopUSec": self._service.stop_timeout_s}
            shown = self._shown(unit, tuple(wanted), deadline)
            for name, limit_s in wanted.items():
                if abs(seconds_of(shown[name]) - limit_s) > SHORTEST_S:
                    changed.append(f"{name} of {unit} is {shown[name]}, not {limit_s:g} s")
        return "; ".join(changed)

    def loose(self, deadline: Deadline) -> str:
        """Which unit would start where the fence does not reach, or outlive agent or fence, in words; "" when none
        would. Raises SurroundingsError when systemd does not answer, StopRequested."""
        found = []
        for unit in self._service.units:
            shown = self._shown(unit, ("Slice", "BindsTo"), deadline)
            if shown["Slice"] != self._paths.service_group.name:
                found.append(f"{unit} is in {shown['Slice'] or 'no slice'}, not {self._paths.service_group.name}")
            unbound = sorted(BOUND_TO - set(shown["BindsTo"].split()))
            if unbound:
                found.append(f"{unit} is not bound to {', '.join(unbound)}")
        return "; ".join(found)

    def _shown(self, unit: str, names: tuple[str, ...], deadline: Deadline) -> dict[str, str]:
        limit = deadline.within(QUERY_S, f"ask for {unit}")
        done = self._commands.run(("systemctl", "show", f"--property={','.join(names)}", unit), limit)
        shown = dict(line.split("=", 1) for line in done.output.splitlines() if "=" in line)
        if not done.succeeded or not set(names) <= set(shown):
            raise SurroundingsError(f"systemctl show {unit}: {done.summary}", remedy="Read the journal of systemd")
        return shown

    def start_limit_s(self, unit: str) -> float:
        """How long a start of `unit` may take; that of the first one includes the before-start hooks. Pure."""
        hooks = self._service.hooks
        hooks_s = hooks.timeout_s * len(hooks.before_start) if unit == self._service.units[0] else 0.0
        return self._service.start_timeout_s + hooks_s

    def drop_in(self, unit: str) -> str:
        """The drop-in of `unit`. Pure."""
        lines = [
            WRITTEN,
            "[Service]",
            f"TimeoutStartSec={_plain(self.start_limit_s(unit))}",
            f"TimeoutStopSec={_plain(self._service.stop_timeout_s)}",
        ]
        if not self._service.may_use_instance_role:
            lines.append(f"IPAddressDeny={METADATA_ADDRESSES}")
        if unit == self._service.units[0] and self._service.hooks.before_start:
            lines.append(f"ExecCondition=+/bin/sh {self._paths.before_start}")
        return "\n".join(lines) + "\n"

    def script(self) -> str:
        """The shell script of the before-start hooks. Pure."""
        hooks = self._service.hooks
        head = SCRIPT.format(
            written=WRITTEN,
            report=shlex.quote(str(self._paths.before_start_report)),
            timeout_s=_plain(hooks.timeout_s),
        )
        return head + "".join(f"run {shlex.join(argv)}\n" for argv in hooks.before_start)

    def forget_failures(self) -> None:
        """What `failed_hook` says from now on is of a later start: one may fail before its hooks run."""
        self._paths.before_start_report.unlink(missing_ok=True)

    def failed_hook(self) -> str:
        """The words of the before-start hook that let the last start fail, "" if none did."""
        try:
            return self._paths.before_start_report.read_text(encoding="utf-8", errors="replace").strip()
        except FileNotFoundError:
            return ""


def _plain(seconds: float) -> str:
    """Without an exponent, which systemd does not read, and never 0, which means no limit."""
    return f"{max(seconds, SHORTEST_S):.3f}"


def seconds_of(span: str) -> float:
    """The seconds of a time span as systemd shows it, such as "1min 30s"; infinity where it has no end or is none.
    Pure. Source: systemd.time(7)."""
    parts = re.findall(r"([0-9.]+)([a-z]+)", span)
    if not parts or any(unit not in SPANS_S for _, unit in parts):
        return float("inf")
    return sum(float(number) * SPANS_S[unit] for number, unit in parts)
