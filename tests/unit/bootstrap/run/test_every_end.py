"""Every way a run ends, with every subset of {API, DNS, EFS, metadata} away: in service, in a replacement, or as asked.

docs/failure-modes.md has the table. `PYTHONPATH=. .venv/bin/python FILE` prints it.
"""

import tempfile
from collections.abc import Callable
from itertools import chain, combinations
from pathlib import Path
from typing import Any

import pytest

from bootstrap.base.clock import StopRequest
from bootstrap.base.errors import AgentError, CloudError, ExitCode, LeaseRefused
from bootstrap.run.agent import Adapters, Agent
from tests.kit.agent_unit import error_kinds, final_codes
from tests.kit.clock import FakeClock
from tests.kit.cloud import cloud_error
from tests.kit.ending import LOST, EndingInstance
from tests.kit.fake_os import fake_os
from tests.kit.instance import FakeMetadata, Silent, fake_machine

ROOT = Path(__file__).resolve().parents[4]
DOCUMENT = ROOT / "docs" / "failure-modes.md"
FINAL = final_codes()
THINGS = ("API", "DNS", "EFS", "metadata")
AWAY = [frozenset(each) for each in chain.from_iterable(combinations(THINGS, n) for n in range(len(THINGS) + 1))]
REPLACED = "the group replaces the instance"
AGAIN = "the agent starts again: it serves, or the tenth end powers the instance off, and the group replaces it"
AS_ASKED = "the service stays stopped, as asked"


def refused(reason: Any) -> AgentError:
    return LeaseRefused("no", reason=reason, remedy="none")


def lost(world: EndingInstance) -> ExitCode:
    world.lose()
    return world.ending.lease_lost(LOST)


def given_up(world: EndingInstance) -> ExitCode:
    """run.supervise ends only after the group has accepted the report."""
    world.group.said.append("unhealthy")
    return world.ending.given_up("3 restarts did not help", "service-failed")


WAYS: dict[str, Callable[[EndingInstance], ExitCode]] = {
    "the boot fails": lambda world: world.ending.boot_failed(refused("surplus")),
    "the lease is lost": lost,
    "the service cannot be kept alive": given_up,
    "a stop is asked for": lambda world: world.ending.stopped("SIGTERM", has_served=True),
}


def ended(way: Callable[[EndingInstance], ExitCode], away: frozenset[str]) -> tuple[ExitCode, bool]:
    """The exit code, and whether the group knows that the instance is to be replaced."""
    with tempfile.TemporaryDirectory() as directory:
        world = EndingInstance(fake_os(Path(directory) / "machine"), FakeClock())
        world.boot()
        world.is_terminated = "metadata" not in away
        if away & {"API", "DNS"}:  # without names, the API is away, too
            world.group.is_silent = True
            world.interfaces.describe_errors = [cloud_error("EndpointConnectionError") for _ in range(99)]
            world.publish = _no_answer  # type: ignore[method-assign]
        if "EFS" in away:
            world.machine.hung = {world.root, world.target, str(world.machine.paths.lease_root)}
        return way(world), bool(set(world.group.said) - {"CONTINUE"})


def _no_answer(*_: str) -> None:
    raise cloud_error("EndpointConnectionError")


def follows(way: str, code: ExitCode, *, is_told: bool) -> str:
    """What comes of it without a person; "" where nothing does."""
    if way == "a stop is asked for":
        return AS_ASKED if code in FINAL else ""
    if code not in FINAL:
        return AGAIN
    return REPLACED if is_told else ""


def rows() -> list[str]:
    """The table, one row per way and what makes a difference."""
    found = ["| the run ends because | away | exit code | what follows |", "|---|---|---|---|"]
    for way, play in WAYS.items():
        by_outcome: dict[tuple[ExitCode, str], list[frozenset[str]]] = {}
        for away in AWAY:
            code, is_told = ended(play, away)
            by_outcome.setdefault((code, follows(way, code, is_told=is_told)), []).append(away)
        for (code, then), cases in by_outcome.items():
            found.append(f"| {way} | {said(cases)} | {code.value} | {then} |")
    found.append(f"| the metadata service does not answer | metadata | {unread(FakeMetadata())} | {AGAIN} |")
    found.append(f"| the user data is no boot document | anything | {unread(FakeMetadata('<html>'))} | {AGAIN} |")
    found.append(f"| the agent is killed, hangs, or cannot be started | anything | any other | {AGAIN} |")
    return found


def said(cases: list[frozenset[str]]) -> str:
    """The subsets in words."""
    for words, belongs in (
        ("anything", lambda _: True),
        ("API or DNS", lambda away: away & {"API", "DNS"}),
        ("neither API nor DNS", lambda away: not away & {"API", "DNS"}),
        ("EFS", lambda away: "EFS" in away),
        ("not EFS", lambda away: "EFS" not in away),
        ("API, DNS or EFS", lambda away: away & {"API", "DNS", "EFS"}),
        ("none of API, DNS, EFS", lambda away: not away & {"API", "DNS", "EFS"}),
    ):
        if cases == [away for away in AWAY if belongs(away)]:
            return words
    return "; ".join("+".join(sorted(away)) or "nothing" for away in cases)


def unread(fake: FakeMetadata) -> int:
    """The exit code of a run that learns nothing of its service. Nobody can be told, so it must not be final.

    An instance that is InService and reboots has no hook that would end it.
    """
    with tempfile.TemporaryDirectory() as directory:
        machine = fake_machine(fake_os(Path(directory) / "machine"), FakeClock())
        metadata: Any = fake
        notifier: Any = Silent()
        code = Agent(Adapters(machine=machine, metadata=metadata, notifier=notifier), StopRequest()).run()
    assert code not in FINAL
    return code.value


def test_no_end_leaves_an_instance_alone_and_the_document_has_them_all() -> None:
    table = rows()
    assert [row for row in table if row.endswith("|  |")] == [], "nobody serves, and nobody is told"
    assert "\n".join(table) + "\n" in DOCUMENT.read_text()


@pytest.mark.parametrize("kind", error_kinds())
def test_a_boot_that_fails_with_any_error_ends_in_a_replacement_or_another_try(kind: type[AgentError]) -> None:
    """An error that the boot may end in must not have a code that is final while the group was told nothing."""
    is_call = issubclass(kind, CloudError)
    error = cloud_error("AccessDenied") if is_call else kind.__new__(kind)
    if not is_call:
        AgentError.__init__(error, "words")
    for away in (frozenset[str](), frozenset({"API"})):
        code, is_told = ended(lambda world: world.ending.boot_failed(error), away)
        assert follows("the boot fails", code, is_told=is_told), code


if __name__ == "__main__":
    print("\n".join(rows()))
