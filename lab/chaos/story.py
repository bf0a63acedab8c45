"""Tells a run as text. Pure.

For: `python -m lab.chaos` and failing tests. Guarantees: the violated rules come first, then what happened, second by
second, then how to play it again. Does not: judge; the checker has.
"""

from collections.abc import Sequence
from pathlib import Path

from lab.chaos.checker import stretches
from lab.chaos.runs import Run


def tell(run: Run, *, with_events: bool = False, file: Path | None = None) -> str:
    """One line for a good run; for a bad one every violation, and with `with_events` the whole story. `file`: where
    the schedule is written that the seed alone does not give."""
    writers = " -> ".join(stretch.machine for stretch in stretches(run.history.writes)) or "nobody"
    if not run.violations:
        return f"good: {run.acknowledged:,} acknowledged, written by {writers}, {run.duration_s:.0f} s"
    lines = [f"VIOLATED: {violation.rule}: {violation.sentence}" for violation in run.violations]
    if with_events:
        zero_s = run.events[0].at_s if run.events else 0.0
        lines += [f"  {event.at_s - zero_s:6.1f} s  {event.sentence}" for event in run.events]
        lines.append(f"  data was written by {writers}")
    again = f"RUNS=1 SEED={run.schedule.seed}" if file is None else f"SCHEDULE={file}"
    lines.append(f"play it again: make chaos {again}")
    return "\n  ".join(lines)


def summary(runs: Sequence[Run], took_s: float) -> str:
    acknowledged = sum(run.acknowledged for run in runs)
    bad = [run for run in runs if run.violations]
    faults = sum(len(run.schedule.faults) for run in runs)
    return (
        f"{len(runs)} schedule{'s' * (len(runs) != 1)} played, {len(bad)} with violations; {faults} faults, "
        f"{acknowledged:,} acknowledged writes, {took_s:.0f} s; details: build/chaos"
    )
