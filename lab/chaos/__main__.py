"""`make chaos RUNS=n SEED=s`: n random schedules of faults on real machines; exit code 0 only if no rule was broken.

The first schedule has the seed s, the next s+1, and so on. `RUNS=1 SEED=s` plays one again; `SCHEDULE=FILE` plays one
that an earlier run has written. A schedule that fails is made smaller, with at most `--reruns` more runs, and told as a
story.

For: anyone who looks for a second writer, and CI. Guarantees: a replay or a smaller schedule never overwrites the
report of the original run. Does not: prove that there is none; docs/chaos.md says why. Exit codes: docs/runbook.md.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from lab.base.checkout import BUILD
from lab.base.errors import LabError, LabPreconditionError
from lab.base.output import locked
from lab.base.run_directory import run_directory
from lab.chaos.runs import ChaosLab, Run, open_chaos_lab, write_report
from lab.chaos.schedule import Schedule, generate, schedule_from_json
from lab.chaos.service_file import TIMINGS
from lab.chaos.shrink import shrink
from lab.chaos.story import summary, tell
from lab.hardware.probe import Kernel
from lab.image.images import Images
from lab.play import program

OUT = BUILD / "chaos"
REPLAYED = "replayed"


def main() -> int:
    """Prepare outside, play inside a namespace."""
    parser = argparse.ArgumentParser(prog="python -m lab.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--schedule", type=Path, metavar="FILE", help="play the schedule that a run has written")
    parser.add_argument("--reruns", type=int, default=6, help="runs to spend on making a failing schedule smaller")
    parser.add_argument("--keep-going", action="store_true", help="play all schedules, and make none smaller")
    arguments = parser.parse_args()
    try:
        schedules, out = chosen(arguments.schedule, arguments.runs, arguments.seed)
    except LabError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return error.exit_code

    def play(kernel: Kernel, images: Images) -> int:
        with locked(OUT), run_directory() as directory, open_chaos_lab(kernel, images, directory, out) as lab:
            return play_all(lab, schedules, None if arguments.keep_going else arguments.reruns, out)

    return program.run("chaos", ["lab.chaos", *sys.argv[1:]], play)


def chosen(file: Path | None, runs: int, seed: int) -> tuple[list[Schedule], Path]:
    """What to play and where to write about it. Raises LabPreconditionError where `file` has no schedule."""
    if file is None:
        return [generate(seed + number, TIMINGS) for number in range(runs)], OUT
    try:
        data = json.loads(file.read_text(encoding="utf-8"))
        schedule = schedule_from_json(data["schedule"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LabPreconditionError(
            f"{file}: there is no schedule in it ({error}): "
            "name a file that a run has written, such as build/chaos/seed-7.json"
        ) from error
    return [schedule], OUT / REPLAYED


def play_all(lab: ChaosLab, schedules: Iterable[Schedule], reruns: int | None, out: Path) -> int:
    """Play `schedules`; the first that fails is shrunk and ends it, unless `reruns` is None. `out`: for reports."""
    began_s = time.monotonic()
    played: list[Run] = []
    for schedule in schedules:
        print(f"seed {schedule.seed}:\n{schedule.story}", flush=True)
        run = lab.play(schedule)
        write_report(run, out / f"seed-{schedule.seed}.json")
        played.append(run)
        print(f"  {tell(run)}", flush=True)
        if run.violations and reruns is not None:
            _shrink(lab, run, reruns, out)
            break
    print(summary(played, time.monotonic() - began_s), flush=True)
    return 1 if any(run.violations for run in played) else 0


def _shrink(lab: ChaosLab, failed: Run, reruns: int, out: Path) -> None:
    rules = {violation.rule for violation in failed.violations}
    last = failed
    small = out / f"seed-{failed.schedule.seed}.small.json"
    small.unlink(missing_ok=True)

    def still_fails(candidate: Schedule) -> bool:
        nonlocal last
        try:
            run = lab.play(candidate)
        except LabError as error:
            print(f"  the lab can play no more runs: {error}", flush=True)
            return False
        fails = bool(rules & {violation.rule for violation in run.violations})
        print(f"  smaller ({len(candidate.faults)} faults): {'still fails' if fails else 'passes'}", flush=True)
        if fails:
            last = run
            write_report(run, small)
        return fails

    shrink(failed.schedule, still_fails, reruns=reruns)
    print(f"the smallest schedule that failed:\n{last.schedule.story}")
    print(tell(last, with_events=True, file=small if small.exists() else None), flush=True)


if __name__ == "__main__":
    sys.exit(main())
