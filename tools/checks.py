"""Run the project's checks two at a time, a log per check, and say which tests were slowest.

For: `make test`, `make test-fast` and the targets of single parts; standard library only, run by the project's Python.
Guarantees: one line per check that passed; of one that failed, its log on the terminal; every log, passed or not, is
in build/checks; what a check skipped is said with its reason; after a failure no further check starts; the exit code is
0 only if every check of the chosen parts ran and passed.
Does not: install anything (tools/prepare.py) or know what a check tests.
"""

from __future__ import annotations

import argparse
import os
import re
import secrets
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
LOGS = ROOT / "build" / "checks"
BIN = Path(sys.executable).parent
SLOTS = 2  # checks at a time: the lab counts on two processors
TEST_WORKERS = 4  # much of the time the tests wait for processes and deadlines
LOOK_S = 0.2
END_LIMIT_S = 60.0  # how long a check may take to end after Ctrl-C or SIGTERM
SLOWEST = 10
PARTS = ("style", "fast", "simulation", "machines")
FAST_TESTS = ("contract", "process", "stacks", "property", "unit")  # those with the longest files first
SIMULATED_RUNS = 3000
NOTABLE = ("SKIPPED", "contract table:")  # lines of a log that are said although the check passed
WATCHED = "noticed"  # beside nobody: the watchdog's function runs on this computer and makes other machines late
# Longest first, so that the last one does not run alone.
MACHINE_FILES = (
    "one_writer",
    "scenes",
    "fencing",
    "postgresql",
    "machines",
    "surroundings_and_teardown",
    WATCHED,
)


@dataclass(frozen=True)
class Check:
    """Commands that run one after the other in `slots` of the slots, once those of `needs` that were chosen passed.
    With `has_machines` they get a share of the processors for themselves. A system call of a User Mode Linux machine
    goes back and forth between two processes of this computer: on one processor that is a switch, over two of them
    each waits for the other one to be woken. Two files of machines boot a third faster so."""

    name: str
    commands: tuple[tuple[str, ...], ...]
    slots: int = 1
    needs: tuple[str, ...] = ()
    has_machines: bool = False

    @property
    def log(self) -> Path:
        return LOGS / f"{self.name}.log"

    @property
    def report(self) -> Path:
        return LOGS / f"{self.name}.xml"


@dataclass
class Running:
    """A check on its way: the process of the command it is at, and the commands that are left."""

    check: Check
    process: subprocess.Popen[bytes]
    left: list[tuple[str, ...]]
    began_s: float
    processors: frozenset[int]  # its share, where it has machines


def checks(parts: Sequence[str], seed: int) -> list[Check]:
    """All checks of `parts`, in the order in which they start."""
    of_part: dict[str, Callable[[], list[Check]]] = {
        "style": lambda: [_style()],
        "fast": lambda: [_tests("fast", [f"tests/{name}" for name in FAST_TESTS], workers=TEST_WORKERS)],
        "simulation": lambda: [_simulation(seed)],
        "machines": _machines,
    }
    found = [check for part in PARTS if part in parts for check in of_part[part]()]
    return sorted(found, key=lambda check: check.name != "images")  # while the images are built, style is checked


def _style() -> Check:
    ruff = str(BIN / "ruff")
    return Check(
        "style",
        (
            (ruff, "check", "."),
            (ruff, "format", "--check", "--quiet", "."),
            (str(BIN / "mypy"),),
            (str(BIN / "lint-imports"), "--no-cache"),
        ),
    )


def _tests(
    name: str, places: Sequence[str], *, workers: int = 0, needs: tuple[str, ...] = (), around: Sequence[str] = ()
) -> Check:
    # In the order given: else xdist starts the files with the fewest tests last, and some of those are the longest.
    spread = ("--numprocesses", str(workers), "--dist", "loadfile", "--no-loadscope-reorder") if workers else ()
    report = f"--junitxml={LOGS / f'{name}.xml'}"
    command = (*around, sys.executable, "-m", "pytest", "-q", *spread, report, *places)
    return Check(name, (command,), needs=needs, has_machines=bool(around) and name != WATCHED)


def _simulation(seed: int) -> Check:
    command = (sys.executable, "-m", "lab.simulation", "--runs", str(SIMULATED_RUNS), "--seed", str(seed))
    return Check(f"simulation-from-seed-{seed}", (command,), SLOTS)


def _machines() -> list[Check]:
    inside = (sys.executable, "-m", "lab.hardware.namespace", "--")
    build = (sys.executable, "-m", "lab.image", "build")
    images = Check("images", (build, (*build, "--service", "postgresql")))
    found = sorted(path.stem.removeprefix("test_") for path in (ROOT / "tests/lab").glob("test_*.py"))
    found.sort(key=lambda name: MACHINE_FILES.index(name) if name in MACHINE_FILES else -1)
    # Never beside the tests that keep both processors busy: machines are to be late because of the lab only.
    needs = (images.name, "fast")
    alone = {WATCHED: (*needs, *(name for name in found if name != WATCHED))}
    return [
        images,
        *(_tests(name, [f"tests/lab/test_{name}.py"], needs=alone.get(name, needs), around=inside) for name in found),
    ]


def run(wanted: list[Check], say: Callable[[str], None] = print) -> list[Check]:
    """Run `wanted`; those that failed, or were never started because another one had failed."""
    waiting, running, failed = list(wanted), list[Running](), list[Check]()
    left = {check.name for check in wanted}  # not passed yet
    try:
        while running or (waiting and not failed):
            free = SLOTS - sum(one.check.slots for one in running)
            ready = [one for one in waiting if one.slots <= free and not left.intersection(one.needs)]
            if ready and not failed:
                waiting.remove(ready[0])
                running.append(_start(ready[0], [one.processors for one in running]))
                continue
            time.sleep(LOOK_S)
            for one in [one for one in running if one.process.poll() is not None]:
                if one.process.returncode == 0 and one.left:
                    one.process = _spawn(one.check, one.left.pop(0), one.processors)
                    continue
                running.remove(one)
                say(told(one.check, one.process.returncode, time.monotonic() - one.began_s))
                if one.process.returncode:
                    failed.append(one.check)
                else:
                    left.remove(one.check.name)
    finally:
        _end(running)
    return failed + waiting


def _processors() -> frozenset[int]:
    return frozenset(os.sched_getaffinity(0))


def shares(processors: frozenset[int], slots: int) -> list[frozenset[int]]:
    """`processors` in as many equal parts as there are slots; where there are fewer, everybody has them all."""
    in_order, size = sorted(processors), len(processors) // slots
    if not size:
        return [processors] * slots
    return [frozenset(in_order[index * size : (index + 1) * size]) for index in range(slots)]


def _start(check: Check, taken: list[frozenset[int]]) -> Running:
    check.log.unlink(missing_ok=True)
    check.report.unlink(missing_ok=True)
    first, *left = check.commands
    every = _processors()
    share = next((one for one in shares(every, SLOTS) if one not in taken), every) if check.has_machines else every
    return Running(check, _spawn(check, first, share), left, time.monotonic(), share)


def _spawn(check: Check, command: tuple[str, ...], processors: frozenset[int]) -> subprocess.Popen[bytes]:
    bound = ("taskset", "--cpu-list", ",".join(map(str, sorted(processors))), *command)
    with check.log.open("ab") as log:
        return subprocess.Popen(bound, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT)


def _end(running: list[Running]) -> None:
    """After Ctrl-C or SIGTERM: tell every check to stop, wait while it tidies up, then kill it."""
    for one in running:
        one.process.terminate()
    for one in running:
        try:
            one.process.wait(END_LIMIT_S)
        except subprocess.TimeoutExpired:
            one.process.kill()


def told(check: Check, code: int, took_s: float) -> str:
    """What is said of a check that has ended: its line, with what it skipped or, if it failed, its log."""
    text = check.log.read_text(errors="replace")
    lines = text.rstrip().splitlines()
    took = f"{int(took_s) // 60}:{int(took_s) % 60:02d}"
    if code:
        return f"{text.rstrip()}\n\nFAILED  {took}  {check.name} (exit code {code}); log: {check.log.relative_to(ROOT)}"
    counted = re.search(r"\d+ passed.*?(?= in [\d.]+s)", lines[-1] if lines else "")
    notable = [f"              {line}" for line in lines if line.startswith(NOTABLE)]
    return "\n".join([f"passed  {took}  {check.name}{': ' + counted[0] if counted else ''}", *notable])


def slowest(reports: Sequence[Path]) -> list[str]:
    """The slowest tests of all `reports` (JUnit's XML), set-up included."""
    found = [
        (float(case.get("time", 0)), f"{case.get('classname', '')}::{case.get('name', '')}")
        for report in reports
        if report.exists()
        for case in ElementTree.parse(report).iter("testcase")
    ]
    return [f"{took_s:7.1f} s  {name}" for took_s, name in sorted(found, reverse=True)[:SLOWEST]]


def main(argv: Sequence[str]) -> int:
    """Run the parts that `argv` names; 1 if a check failed, 130 after Ctrl-C or SIGTERM."""
    parser = argparse.ArgumentParser(prog="checks", description=main.__doc__)
    parser.add_argument("parts", nargs="+", choices=PARTS)
    parser.add_argument("--seed", type=int, default=None, help="first seed of the simulation; drawn if not given")
    given = parser.parse_args(argv)
    os.environ.setdefault("PYTHONUNBUFFERED", "1")
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # each process that a test starts would compile everything again
    LOGS.mkdir(parents=True, exist_ok=True)
    wanted = checks(given.parts, secrets.randbelow(2**31) if given.seed is None else given.seed)
    began_s = time.monotonic()
    try:
        failed = run(wanted, lambda line: print(line, flush=True))
    except KeyboardInterrupt:
        print("checks: stopped by Ctrl-C or SIGTERM", file=sys.stderr)
        return 130
    lines = slowest([check.report for check in wanted])
    if lines:
        print("\nThe slowest tests:", *lines, sep="\n")
    took_s = int(time.monotonic() - began_s)
    print(f"\n{len(wanted) - len(failed)} of {len(wanted)} checks passed in {took_s // 60}:{took_s % 60:02d}")
    return 1 if failed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # else the checks would go on without this program
    sys.exit(main(sys.argv[1:]))
