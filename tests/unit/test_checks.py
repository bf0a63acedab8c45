"""`make test` (tools/checks.py): every test has its part, a failure is shown with its log, nothing is passed over."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tools import checks
from tools.checks import Check

TESTS = checks.ROOT / "tests"


@pytest.fixture(autouse=True)
def _logs_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "ROOT", tmp_path)
    monkeypatch.setattr(checks, "LOGS", tmp_path)
    monkeypatch.setattr(checks, "LOOK_S", 0.01)


class Ended:
    """A program that has ended; what it wrote is in its log."""

    def __init__(self, code: int) -> None:
        self.returncode = code

    def poll(self) -> int:
        return self.returncode


@pytest.fixture
def spawned(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The commands that were started. A command is what it writes; one that begins with "bad" fails."""
    found: list[str] = []

    def spawn(check: Check, command: tuple[str, ...], _processors: frozenset[int]) -> Ended:
        found.append(command[0])
        with check.log.open("a") as log:
            log.write(f"{command[0]}\n")
        return Ended(int(command[0].startswith("bad")))

    monkeypatch.setattr(checks, "_spawn", spawn)
    return found


def test_every_test_module_belongs_to_a_part(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "ROOT", TESTS.parent)
    places = [
        TESTS.parent / argument
        for check in checks.checks(checks.PARTS, 1)
        for command in check.commands
        for argument in command
        if argument.startswith("tests/")
    ]
    modules = set(TESTS.glob("**/test_*.py"))
    assert modules == {one for one in modules if any(place in (one, *one.parents) for place in places)}
    assert all(place.exists() for place in places)


def test_images_are_built_first_and_machines_wait_for_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "ROOT", TESTS.parent)
    first, *others = checks.checks(checks.PARTS, 1)
    assert first.name == "images"
    machines = [check for check in others if "images" in check.needs]
    assert len(machines) == len(list((TESTS / "lab").glob("test_*.py")))
    assert all("lab.hardware.namespace" in check.commands[0] for check in machines)


def test_a_check_runs_its_commands_in_order_and_says_one_line(spawned: list[str]) -> None:
    said: list[str] = []
    assert checks.run([Check("one", (("first",), ("7 passed in 1.0s",)))], said.append) == []
    assert spawned == ["first", "7 passed in 1.0s"]
    assert said == ["passed  0:00  one: 7 passed"]


def test_a_failure_shows_the_log_and_nothing_further_starts(spawned: list[str]) -> None:
    said: list[str] = []
    wanted = [Check("one", (("bad",), ("second",)), slots=2), Check("two", (("never",),))]
    assert checks.run(wanted, said.append) == wanted
    assert spawned == ["bad"]
    assert said == ["bad\n\nFAILED  0:00  one (exit code 1); log: one.log"]


def test_a_check_whose_need_failed_counts_as_not_passed(spawned: list[str]) -> None:
    wanted = [Check("images", (("bad",),)), Check("machines", (("never",),), needs=("images",))]
    assert checks.run(wanted, lambda _: None) == wanted
    assert spawned == ["bad"]


def test_no_more_than_two_run_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    running: list[str] = []
    most: list[int] = []

    class Slow(Ended):
        looks = 3

        def poll(self) -> int | None:  # type: ignore[override]
            self.looks -= 1
            if self.looks == 0:
                running.pop()
            return None if self.looks > 0 else 0

    def spawn(check: Check, command: tuple[str, ...], _processors: frozenset[int]) -> Slow:
        check.log.write_text("")
        running.append(check.name)
        most.append(len(running))
        return Slow(0)

    monkeypatch.setattr(checks, "_spawn", spawn)
    assert checks.run([Check(name, (("x",),)) for name in "abcde"], lambda _: None) == []
    assert max(most) == 2
    assert len(most) == 5


@pytest.mark.parametrize(
    ("processors", "expected"),
    [({0, 1}, [{0}, {1}]), ({2, 5, 7, 9}, [{2, 5}, {7, 9}]), ({0, 1, 2}, [{0}, {1}]), ({3}, [{3}, {3}])],
)
def test_each_slot_has_an_equal_share_of_the_processors(processors: set[int], expected: list[set[int]]) -> None:
    assert checks.shares(frozenset(processors), 2) == expected


def test_two_checks_with_machines_run_on_different_processors_and_others_on_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    every, found = frozenset({0, 1, 2, 3}), dict[str, frozenset[int]]()

    class Twice(Ended):
        looks = 2

        def poll(self) -> int | None:  # type: ignore[override]
            self.looks -= 1
            return None if self.looks > 0 else 0

    def spawn(check: Check, _command: tuple[str, ...], processors: frozenset[int]) -> Twice:
        check.log.write_text("")
        found[check.name] = processors
        return Twice(0)

    monkeypatch.setattr(checks, "_spawn", spawn)
    monkeypatch.setattr(checks, "_processors", lambda: every)
    wanted = [Check(name, (("x",),), has_machines=name != "fast") for name in ("fast", "a", "b", "c")]
    assert checks.run(wanted, lambda _: None) == []
    assert found["fast"] == every
    assert sorted(map(sorted, {found["a"], found["b"], found["c"]})) == [[0, 1], [2, 3]]


def test_what_was_skipped_is_said_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "one.log").write_text("..s\nSKIPPED [1] tests/x.py:3: no root\n2 passed, 1 skipped in 3.10s\n")
    line, why = checks.told(Check("one", ()), 0, 63.0).splitlines()
    assert line == "passed  1:03  one: 2 passed, 1 skipped"
    assert why.strip() == "SKIPPED [1] tests/x.py:3: no root"


def test_the_slowest_tests_of_all_reports_are_named(tmp_path: Path) -> None:
    for number in (1, 2):
        cases = "".join(f'<testcase classname="m{number}" name="t{n}" time="{n * number}.5"/>' for n in range(20))
        (tmp_path / f"{number}.xml").write_text(f"<testsuites><testsuite>{cases}</testsuite></testsuites>")
    lines = checks.slowest([tmp_path / "1.xml", tmp_path / "2.xml", tmp_path / "none.xml"])
    assert len(lines) == checks.SLOWEST
    assert lines[0].split() == ["38.5", "s", "m2::t19"]


@pytest.mark.parametrize(("outcome", "code"), [(list, 0), (lambda: [Check("one", ())], 1)])
def test_the_exit_code_is_0_only_if_everything_passed(
    outcome: Callable[[], list[Check]], code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "run", lambda *_: outcome())
    assert checks.main(["style"]) == code


def test_what_one_process_compiles_the_others_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "run", lambda *_: [])
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    checks.main(["style"])
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ


def test_the_first_seed_of_the_simulation_is_drawn_unless_given() -> None:
    def seeds(argv: list[str]) -> str:
        found: list[list[Check]] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(checks, "run", lambda wanted, _say: found.append(wanted) or [])
            checks.main(["simulation", *argv])
        (check,) = found[0]
        return check.name

    assert seeds(["--seed", "7"]) == "simulation-from-seed-7"
    assert len({seeds([]) for _ in range(3)}) > 1


def test_the_commands_are_those_of_the_projects_own_python() -> None:
    for check in checks.checks(["style", "simulation"], 1):
        assert all(Path(command[0]).parent == Path(sys.executable).parent for command in check.commands)
