"""How long recovery takes in the lab: several demo runs, medians per scene and phase, the machine named.

    make bench RUNS=3          writes bench/results/recovery.json and prints a table

For: docs/benchmarks and whoever changes the boot. Guarantees: only whole, successful runs count; the figures of one
invocation come from one machine. Does not: assert anything, because times are never a test, or contain what AWS adds
(launching, detecting): the lab's `fast` profile launches in half a second and notices a dead machine after two.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
from typing import Any

from rich.console import Console
from rich.table import Table

from lab.base.checkout import BUILD, CHECKOUT

RUN_LIMIT_S = 600


def run_once() -> dict[str, Any]:
    """One demo; its report. Ends the program where the demo fails, because half a run is no measurement."""
    done = subprocess.run(
        [sys.executable, "-m", "lab.demo"],
        cwd=CHECKOUT,
        capture_output=True,
        text=True,
        timeout=RUN_LIMIT_S,
        check=False,
    )
    if done.returncode:
        sys.exit(f"bench: the demo ended with exit code {done.returncode}: {done.stderr.strip()[-500:]}")
    report: dict[str, Any] = json.loads((BUILD / "demo" / "report.json").read_text())
    return report


def summarize(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Medians of outages and phases over all runs, in seconds."""
    scenes = [scene["name"] for scene in reports[0]["scenes"]]
    by_scene = {name: [s for report in reports for s in report["scenes"] if s["name"] == name] for name in scenes}
    boots = [scene for scene in by_scene["crash"] + by_scene["upgrade"] + by_scene["rollback"]]
    phases = [phase["name"] for phase in boots[0]["phases"]]
    return {
        "runs": len(reports),
        "machine": reports[0]["machine"],
        "versions": reports[0]["versions"],
        "acknowledged": sum(report["acknowledged"] for report in reports),
        "lost": sum(report["lost"] for report in reports),
        "outage_s": {name: _median(s["outage_s"] for s in found) for name, found in by_scene.items()},
        "phase_s": {
            name: _median(p["duration_s"] for scene in boots for p in scene["phases"] if p["name"] == name)
            for name in phases
        },
    }


def _median(values: Any) -> float:
    return round(statistics.median(values), 2)


def main() -> None:
    """Run, summarize, write, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    runs = parser.parse_args().runs
    summary = summarize([run_once() for _ in range(runs)])
    out = CHECKOUT / "bench" / "results" / "recovery.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(summary, indent=2) + "\n")
    table = Table(title=f"recovery in the lab, medians of {runs} runs; {summary['machine']}")
    table.add_column("what")
    table.add_column("seconds", justify="right")
    for name, value in summary["outage_s"].items():
        table.add_row(f"outage: {name}", f"{value:.1f}")
    for name, value in summary["phase_s"].items():
        table.add_row(f"boot phase: {name}", f"{value:.2f}")
    Console().print(table)
    print(f"{summary['acknowledged']:,} writes acknowledged, {summary['lost']:,} lost")


if __name__ == "__main__":
    main()
