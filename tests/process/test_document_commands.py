"""The commands of the documents that need neither AWS nor root nor machines really run (blocks opened by ```sh run)."""

import subprocess

import pytest

from tests.kit.shell_blocks import Command, shown
from tests.kit.surroundings import REPOSITORY

RUN = [command for command in shown() if command.is_run]
LIMIT_S = 120


@pytest.mark.parametrize("command", RUN, ids=lambda command: command.where)
def test_a_command_runs_as_it_is_shown(command: Command) -> None:
    line = command.where.partition(": ")[2]
    done = subprocess.run(
        ["bash", "-euc", line], cwd=REPOSITORY, capture_output=True, text=True, timeout=LIMIT_S, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_there_are_such_commands() -> None:
    assert len(RUN) >= 4
