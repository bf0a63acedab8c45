"""`make noticed`: every case once, on real machines.

For: people, and docs/comparison.md, whose figures are from here. Guarantees: report.json and report.md have every case
that was played, also where a later one did not end; the exit code is 0 if each went as it should.
Does not: say how long a boot takes on AWS (docs/lab-fidelity.md).
"""

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from lab.base.checkout import BUILD
from lab.base.output import output
from lab.base.run_directory import run_directory
from lab.hardware.probe import Kernel
from lab.image.images import Images
from lab.noticed.cases import CASES, Case
from lab.noticed.play import TIMING, begin, play_case
from lab.noticed.table import Noticed, row, table
from lab.play import program
from lab.play.stage import open_stage


def main() -> int:
    """Prepare outside, play inside a namespace. Exit codes: docs/runbook.md."""
    parser = argparse.ArgumentParser(prog="noticed", description=__doc__.partition("\n")[0])
    parser.add_argument("--case", action="append", choices=[case.name for case in CASES], help="this one; repeatable")
    wanted = parser.parse_args().case
    cases = tuple(case for case in CASES if not wanted or case.name in wanted)
    again = ["lab.noticed", *(word for name in wanted or () for word in ("--case", name))]
    return program.run("noticed", again, lambda kernel, images: play(kernel, images, BUILD / "noticed", cases))


def play(kernel: Kernel, images: Images, out: Path, cases: tuple[Case, ...] = CASES) -> int:
    """Play the cases and write the report; 0 if each went as it should."""
    problems: list[str] = []
    found: list[Noticed] = []
    with (
        output(out) as unfinished,
        run_directory() as directory,
        open_stage(kernel, images, directory / "run", problems, timing=TIMING) as stage,
    ):
        begin(stage, directory)
        for case in cases:
            print(f"noticed: {case.name}", flush=True)
            found.append(play_case(stage, case))
            print(f"noticed: {row(found[-1])}", flush=True)
            (unfinished / "report.json").write_text(json.dumps([asdict(one) for one in found], indent=1) + "\n")
            (unfinished / "report.md").write_text(table(found))
    print(table(found))
    for problem in problems:
        print(f"lab: {problem}")
    return 0 if all(one.is_as_it_should_be for one in found) else 1


if __name__ == "__main__":
    raise SystemExit(main())
