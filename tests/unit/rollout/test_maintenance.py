"""`soloist pause` and `soloist resume`: what they write, and what they refuse."""

from typing import Any

import pytest
from typer.testing import CliRunner

from bootstrap.base.maintenance import parse_maintenance
from bootstrap.base.names import maintenance_parameter
from rollout.cli import app
from rollout.maintenance import seconds_of
from tests.kit.deployed_group import Clients


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, list(arguments))


def test_a_pause_is_written_with_its_end_who_and_why_and_a_resume_takes_it_away(clients: Clients) -> None:
    answer = run("pause", "demo", "--for", "2h", "--why", "index rebuild")
    assert (answer.exit_code, answer.stdout) == (
        0,
        "demo is in maintenance for 120 min, within a minute: index rebuild\n",
    )
    name = maintenance_parameter("demo")
    found = parse_maintenance(clients.ssm.get_parameter(Name=name)["Parameter"]["Value"])
    assert (found.for_s, found.why) == (7200.0, "index rebuild")
    assert "@" in found.by
    assert run("pause", "demo", "--for", "1h", "--why", "longer").exit_code == 0
    assert parse_maintenance(clients.ssm.get_parameter(Name=name)["Parameter"]["Value"]).for_s == 3600.0
    assert run("resume", "demo").stdout == "demo is looked after again, within a minute\n"
    assert run("resume", "demo").stdout == "demo is not in maintenance\n"


@pytest.mark.parametrize(
    ("length", "seconds"), [("90m", 5400), ("2h", 7200), ("1d", 86_400), ("1d12h", 129_600), ("1h30m", 5400)]
)
def test_lengths(length: str, seconds: float) -> None:
    assert seconds_of(length) == seconds


@pytest.mark.parametrize(
    ("length", "why", "words"),
    [
        ("", "x", "is no length of time"),
        ("2", "x", "is no length of time"),
        ("-2h", "x", "is no length of time"),
        ("30s", "x", "is no length of time"),
        ("0m", "x", "for_s: is 0; expected: Seconds, from 60 to 604800"),
        ("8d", "x", "for_s: is 691200"),
        ("2h", "", "why: has length 0"),
        ("2h", "a\nb", "why: holds a line break"),
    ],
)
def test_what_has_no_end_or_no_reason_is_refused_in_one_line(
    clients: Clients, length: str, why: str, words: str
) -> None:
    answer = run("pause", "demo", f"--for={length}", f"--why={why}")
    assert (answer.exit_code, answer.stderr.count("\n")) == (4, 1)
    assert words in answer.stderr
    assert run("resume", "demo").stdout == "demo is not in maintenance\n"
