"""Runs many schedules: `python -m lab.simulation --runs N --seed S [--jobs J] [--defect NAME]`; `make simulate`.

Guarantees: a violation is printed with the seed that replays it; one run alone is told as a story. Exit code 0 when
nothing was violated, 1 otherwise.
"""

import argparse
import gc
import multiprocessing
import random
import sys
import time
from collections import Counter
from functools import partial

from lab.simulation.defects import DEFECTS, run_seed
from lab.simulation.world import Result

CHUNK = 25
MOST_SHOWN = 10


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(prog="python -m lab.simulation", description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=2000)
    parser.add_argument("--seed", type=int, help="the first seed; each run has the next one (default: drawn)")
    parser.add_argument("--jobs", type=int, default=multiprocessing.cpu_count())
    parser.add_argument("--defect", choices=sorted(DEFECTS), default="", help="break this rule on purpose")
    chosen = parser.parse_args()
    if chosen.seed is None:
        chosen.seed = random.SystemRandom().randrange(10_000_000_000)
        print(f"first seed, drawn: {chosen.seed}", flush=True)
    if chosen.runs == 1:
        return _tell(run_seed(chosen.seed, chosen.defect, is_telling=True))
    return _run_many(chosen.runs, chosen.seed, chosen.jobs, chosen.defect)


def _tell(result: Result) -> int:
    print("\n".join(result.story))
    for overlap in result.overlaps:
        print(
            f"{overlap.older} and {overlap.newer} could both write for {overlap.end_s - overlap.start_s:.2f} s, "
            f"allowed: {overlap.kind or 'never'}"
        )
    print("\n".join(result.violations) or "nothing was violated")
    return 1 if result.violations else 0


def _collects_by_itself() -> None:
    """A run makes much garbage and few circles."""
    gc.freeze()
    gc.disable()


def _run(seed: int, defect: str) -> Result:
    result = run_seed(seed, defect)
    if seed % CHUNK == 0:
        gc.collect()
    return result


def _run_many(runs: int, first: int, jobs: int, defect: str) -> int:
    started_s = time.monotonic()
    bad = 0
    allowed: Counter[str] = Counter()
    longest_s: dict[str, float] = {}
    displaced_s: list[float] = []
    simulated_s = 0.0
    with multiprocessing.Pool(jobs, initializer=_collects_by_itself) as pool:
        for result in pool.imap(partial(_run, defect=defect), range(first, first + runs), chunksize=CHUNK):
            simulated_s += result.took_s
            for overlap in result.overlaps:
                allowed[overlap.kind] += 1
                longest_s[overlap.kind] = max(longest_s.get(overlap.kind, 0.0), overlap.end_s - overlap.start_s)
            displaced_s += result.displaced_late_s
            if result.violations:
                bad += 1
                if bad <= MOST_SHOWN:
                    seed = result.seed
                    print(f"seed {seed}: {result.violations[0]}", flush=True)
                    print(f"    make simulate RUNS=1 SEED={seed}" + (f" DEFECT={defect}" if defect else ""))
    took_s = time.monotonic() - started_s
    print(
        f"{runs} schedules from seed {first}, {simulated_s / 3600:.0f} simulated hours in {took_s:.1f} s, "
        f"{runs / took_s:.0f} schedules/s on {jobs} processes: {bad} with violations"
    )
    for kind, count in sorted(allowed.items()):
        print(f"two writers, {kind or 'not allowed'}: {count} times, longest {longest_s[kind]:.1f} s")
    if displaced_s:
        print(f"displaced by a publication that landed late: {len(displaced_s)} times, up to {max(displaced_s):.0f} s")
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
