"""The before-start script with a real shell: all hooks in order, and a failure ends it with the code for one."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from bootstrap.base.document import Hooks
from bootstrap.machine.commands import ChildCommands
from bootstrap.machine.unit_settings import UnitSettings
from lab.base.checkout import CHECKOUT
from services.load import load_service
from tests.kit.documents import document
from tests.kit.fake_os import FakeOs, fake_os

FAILED = 255  # systemd.service(5), ExecCondition=: less would skip the unit in silence


@pytest.fixture
def machine(tmp_path: Path) -> FakeOs:
    return fake_os(tmp_path / "machine")


def run(machine: FakeOs, *hooks: tuple[str, ...], timeout_s: float = 5.0) -> tuple[int, str]:
    """Exit code of the script, and what the settings say of it afterwards."""
    service = replace(document().service, hooks=Hooks(before_start=hooks, timeout_s=timeout_s))
    settings = UnitSettings(ChildCommands(), service, machine.paths)
    machine.paths.run.mkdir(parents=True, exist_ok=True)
    machine.paths.before_start.write_text(settings.script())
    done = subprocess.run(["/bin/sh", machine.paths.before_start], capture_output=True, timeout=30, check=False)
    return done.returncode, settings.failed_hook()


def test_all_hooks_run_in_order_with_their_arguments_as_they_are(machine: FakeOs, tmp_path: Path) -> None:
    odd = 'it\'s "mine" $HOME `id` \\ *'
    code, said = run(
        machine, ("/usr/bin/touch", f"{tmp_path}/{odd[:4]}"), ("/bin/sh", "-c", f'printf %s "$0" > {tmp_path}/odd', odd)
    )
    assert (code, said) == (0, "")
    assert (tmp_path / "odd").read_text() == odd
    assert (tmp_path / odd[:4]).exists()


@pytest.mark.parametrize(
    ("hook", "timeout_s", "words"),
    [
        (("/bin/sh", "-c", "echo no licence; exit 3"), 5.0, "exit code 3: no licence"),
        (("/no/such/program",), 5.0, "exit code 127"),
        (("/bin/sleep", "60"), 0.2, "exit code 124: not done within 0.200 s."),
        (("/bin/sh", "-c", "yes long | head -c 100000; exit 1"), 5.0, "exit code 1: long"),
    ],
    ids=["fails", "missing", "hangs", "talks"],
)
def test_the_first_failure_ends_it_and_is_kept_in_words(
    machine: FakeOs, tmp_path: Path, hook: tuple[str, ...], timeout_s: float, words: str
) -> None:
    code, said = run(machine, hook, ("/usr/bin/touch", f"{tmp_path}/after"), timeout_s=timeout_s)
    assert code == FAILED
    assert words in said
    assert len(said) <= 2000
    assert not (tmp_path / "after").exists()
    assert run(machine, ("/bin/true",)) == (0, "")  # the next start forgets it


def test_a_database_that_was_half_made_is_made_anew(tmp_path: Path) -> None:
    """initdb writes PG_VERSION long before it is done: its file in place would pass for a database for good."""
    (hook,) = load_service(CHECKOUT / "services" / "postgresql.yaml").service.hooks.before_start
    script = hook[-1].replace("/var/lib/postgresql/15", str(tmp_path / "15"))
    (tmp_path / "15").mkdir()
    stub = tmp_path / "runuser"
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    for dies in (True, False, True):  # the last one must not be called at all
        stub.write_text(f"#!/bin/sh\nmkdir new\ntouch new/PG_VERSION\n{'exit 1' * dies}\n")
        stub.chmod(0o755)
        done = subprocess.run([*hook[:-1], script], env=environment, capture_output=True, text=True, timeout=30)
        assert (done.returncode == 0) == (tmp_path / "15/main/PG_VERSION").exists(), done.stderr
    assert (tmp_path / "15/main/PG_VERSION").exists()
    assert not (tmp_path / "15/new").exists()
