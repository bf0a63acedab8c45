"""`soloist clear`, and what `status` and `promote` say of the crash-loop breaker."""

import json
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner

from bootstrap.base.names import watchdog_parameter
from rollout.breaker import clear
from rollout.cli import app
from tests.kit.deployed_group import Clients
from watchdog.memory import Memory, memory_text, parse_memory

NAME = watchdog_parameter("demo")


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def remember(clients: Clients, text: str) -> None:
    clients.ssm.put_parameter(Name=NAME, Value=text, Type="String", Overwrite=True)


def kept(clients: Clients) -> Memory:
    return parse_memory(clients.ssm.get_parameter(Name=NAME)["Parameter"]["Value"])


def test_a_version_that_the_breaker_went_back_from_is_promoted_only_after_it_is_cleared(clients: Clients) -> None:
    remember(clients, memory_text(Memory(broken=("2",), good="1", acted_on="i-1", acted_at=1_800_000_000.0)))
    assert "it went back from version 2, which did not boot" in run("status", "demo").stdout
    assert "watchdog: it ended i-1 at 2027-01-15T08:00:00+00:00" in run("status", "demo").stdout
    refused = run("promote", "demo", "--no-replace")
    assert refused.exit_code == 4
    assert "version 2 of demo did not boot" in refused.stderr
    assert "soloist clear demo" in refused.stderr
    cleared = run("clear", "demo")
    assert cleared.stdout == "demo: the breaker begins anew; before, it had gone back from 2\n"
    assert kept(clients) == Memory(good="1", acted_on="i-1", acted_at=1_800_000_000.0)
    assert run("promote", "demo", "--no-replace").exit_code == 0


def test_failed_boots_and_a_circle_without_a_way_back_are_said(clients: Clients) -> None:
    remember(clients, memory_text(Memory(failed_version="1", failed_boots=1)))
    assert "1 boots of version 1 in a row have failed" in run("status", "demo").stdout
    remember(clients, memory_text(Memory(failed_version="1", failed_boots=2, gave_up=True)))
    assert "version 1 does not boot, and there is none to go back to" in run("status", "demo").stdout
    assert run("clear", "demo").stdout.endswith("gone back from no version\n")
    assert "breaker" not in run("status", "demo").stdout


def test_without_a_watchdog_there_is_nothing_to_clear_and_everything_else_works(clients: Clients) -> None:
    answer = run("clear", "demo")
    assert answer.exit_code == 4
    assert f"no parameter {NAME}" in answer.stderr
    assert run("status", "demo").exit_code == 0
    assert run("promote", "demo", "--no-replace").exit_code == 0


@pytest.mark.parametrize("text", ["{", "[]", '{"broken": "2"}', '{"failed_boots": true}', '{"boot": []}'])
def test_a_memory_that_cannot_be_read_is_an_error_in_one_line(clients: Clients, text: str) -> None:
    remember(clients, text)
    for command in ("status", "promote", "clear"):
        answer = run(command, "demo")
        assert answer.exit_code == 1
        assert answer.stderr.count("\n") == 1
        assert "the watchdog's memory cannot be read" in answer.stderr


def test_a_watchdog_that_writes_in_the_same_moment_is_not_written_over(clients: Clients) -> None:
    remember(clients, memory_text(Memory(broken=("2",))))
    writes: list[str] = []
    real = clients.ssm.put_parameter

    class Meanwhile:
        """Systems Manager, in which the watchdog writes before the command's first write."""

        def __getattr__(self, name: str) -> Any:
            return getattr(clients.ssm, name)

        def put_parameter(self, **request: Any) -> Any:
            if not writes:
                real(Name=NAME, Value=memory_text(Memory(broken=("2",), good="7")), Type="String", Overwrite=True)
            writes.append(request["Value"])
            return real(**request)

    seen: Any = SimpleNamespace(ssm=Meanwhile())
    assert clear(seen, "demo") == Memory(broken=("2",), good="7")
    assert len(writes) == 2
    assert json.loads(writes[-1])["broken"] == []
