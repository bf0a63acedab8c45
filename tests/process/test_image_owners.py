"""Files that a package's install script makes as another user, under fakeroot: they belong to that user.

lab/image/owner_shim.c is compiled and loaded as a build of images does it.
"""

import shutil
import subprocess
from pathlib import Path

import pytest

from lab.base.checkout import CHECKOUT

SHIM = CHECKOUT / "lab" / "image" / "owner_shim.c"
# As postinst of postgresql-common: a program that is told to be another user, and makes files by every usual call.
MAKE = """
touch touched
echo > redirected
mkdir directory
cp touched directory/copied
ln -s touched link
mktemp -q temporary.XXXX >/dev/null
python3 -I -S -c 'open("opened", "w")'
sed -i s/x/y/ ours
"""
SCRIPT = """
touch ours roots
chown 7:8 ours
setpriv --reuid=7 --regid=8 --clear-groups sh -eu ../make
touch afterwards
stat --format='%u:%g %n' * directory/*
"""


@pytest.fixture(scope="module")
def shim(tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("shim") / "owner.so"
    compiler = shutil.which("gcc")
    assert compiler is not None
    subprocess.run([compiler, "-Wall", "-Wextra", "-Werror", "-O2", "-shared", "-fPIC", "-o", target, SHIM], check=True)
    return target


def owners(directory: Path, preload: str) -> dict[str, set[str]]:
    """Names by owner, as fakeroot has it at the end."""
    (directory / "make").write_text(MAKE)
    (directory / "script").write_text(f"export LD_PRELOAD={preload}$LD_PRELOAD\n{SCRIPT}")
    (directory / "here").mkdir()
    argv = ["fakeroot", "sh", "-eu", "../script"]
    done = subprocess.run(argv, cwd=directory / "here", capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    found: dict[str, set[str]] = {}
    for line in done.stdout.splitlines():
        owner, name = line.split()
        found.setdefault(owner, set()).add(name.partition(".")[0])
    return found


def test_what_is_made_as_another_user_belongs_to_that_user_and_the_rest_to_root(tmp_path: Path, shim: Path) -> None:
    made = {"touched", "redirected", "directory", "directory/copied", "link", "temporary", "opened", "ours"}
    assert owners(tmp_path, f"{shim}:") == {"7:8": made, "0:0": {"roots", "afterwards"}}


def test_fakeroot_alone_says_that_it_is_roots(tmp_path: Path) -> None:
    """Otherwise the shim is not needed any more."""
    assert "touched" in owners(tmp_path, "")["0:0"]
