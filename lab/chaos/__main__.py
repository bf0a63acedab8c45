"""`make chaos RUNS=n SEED=s`: n random schedules against real machines; exit 0 only if nothing got past the lease.

The first schedule has the seed s, the next s+1, and so on; `RUNS=1 SEED=s` plays one again. A failing schedule is made
smaller (at most `--reruns` more runs) and told as a story. Exit codes: docs/exit-codes.md.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path

from lab import namespace
from lab.chaos.runs import ChaosLab, Run, open_chaos_lab
from lab.chaos.schedule import Schedule, generate
from lab.chaos.service_file import TIMINGS
from lab.chaos.shrink import shrink
from lab.chaos.story import summary, tell
from lab.demo import ROOT, prepare
from lab.errors import LabError

OUT = ROOT / "build" / "chaos"


def main() -> int:
    """Prepare outside, play inside a namespace."""
    parser = argparse.ArgumentParser(prog="python -m lab.chaos", description=__doc__)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--reruns", type=int, default=6, help="how many more runs a failing schedule is worth")
    parser.add_argument("--keep-going", action="store_true", help="play all schedules, make none smaller")
    arguments = parser.parse_args()
    try:
        if not namespace.inside():
            namespace.check()
        kernel, images = prepare()
        if not namespace.inside():
            namespace.enter([sys.executable, "-m", "lab.chaos", *sys.argv[1:]])
        directory = Path(tempfile.mkdtemp(prefix="soloist-"))
        try:
            with open_chaos_lab(kernel, images, directory, OUT) as lab:
                return play_all(lab, arguments.runs, arguments.seed, None if arguments.keep_going else arguments.reruns)
        finally:
            shutil.rmtree(directory, ignore_errors=True)
    except LabError as error:
        print(f"chaos: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("chaos: stopped by Ctrl-C; every machine has been ended", file=sys.stderr)
        return 130


def play_all(lab: ChaosLab, runs: int, seed: int, reruns: int | None) -> int:
    """Play `runs` schedules from `seed` on; the first that fails is shrunk and ends it, unless `reruns` is None."""
    began_s = time.monotonic()
    played: list[Run] = []
    for number in range(runs):
        schedule = generate(seed + number, TIMINGS)
        print(f"seed {schedule.seed}:\n{schedule.story}", flush=True)
        run = lab.play(schedule)
        played.append(run)
        print(f"  {tell(run)}", flush=True)
        if run.violations and reruns is not None:
            _shrink(lab, run, reruns)
            break
    print(summary(played, time.monotonic() - began_s), flush=True)
    return 1 if any(run.violations for run in played) else 0


def _shrink(lab: ChaosLab, failed: Run, reruns: int) -> None:
    rules = {violation.rule for violation in failed.violations}
    last = failed

    def still_fails(candidate: Schedule) -> bool:
        nonlocal last
        try:
            run = lab.play(candidate)
        except LabError as error:
            print(f"  no more runs in this lab: {error}", flush=True)
            return False
        fails = bool(rules & {violation.rule for violation in run.violations})
        print(f"  smaller ({len(candidate.faults)} faults): {'still fails' if fails else 'passes'}", flush=True)
        last = run if fails else last
        return fails

    shrink(failed.schedule, still_fails, reruns=reruns)
    print(f"the smallest schedule that failed:\n{last.schedule.story}")
    print(tell(last, with_events=True), flush=True)


if __name__ == "__main__":
    sys.exit(main())
