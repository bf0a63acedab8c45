"""The seam for the operating system of an image (ami/system.sh): what a file in ami/systems defines, and who uses it.

A second system, Pebble, stands beside Debian. The scripts' own functions run here with programs that only note what
they are told.
"""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.kit.image_shell import AMI, function, sh

PEBBLE = """
SYSTEM_NAME='Pebble 3'
SYSTEM_VERSION=3
SYSTEM_PYTHON=/usr/bin/python3.11
AGENT_PACKAGES='python311 nfs'
DOWNLOADING_UNITS='pebble-update.timer'
WATCHDOG_MODULE=pebbledog
system_check() { note check; }
system_forbid_starting_services() { note forbid; }
system_allow_starting_services() { note allow; }
system_has_package() { [ "$1" = nfs ]; }
system_install() { note install "$@"; }
system_install_file() { note install-file "$1"; }
system_forget_downloads() { note forget; }
system_leave_interface() { note leave; }
system_claims() { claim "pebbles are round" false; }
"""
READ = 'fail() { echo "$1" >&2; exit 1; }\n. ./system.sh\nread_system systems'
SEAM = [*re.findall(r"^(\w+)=", PEBBLE, re.MULTILINE), *re.findall(r"^(\w+)\(\)", PEBBLE, re.MULTILINE)]


class Machine:
    """A copy of ami/ and an os-release file; programs put on PATH write their arguments to `notes`."""

    def __init__(self, root: Path) -> None:
        self.ami = root / "ami"
        shutil.copytree(AMI, self.ami)
        self._notes = root / "notes"
        self._notes.touch()
        self._bin = root / "bin"
        self._bin.mkdir()
        self._release = root / "os-release"
        self.program("note", 'echo "$@" >>"$NOTES"')
        self.add_system("pebble", PEBBLE)
        self.boot("pebble", "3")

    def program(self, name: str, text: str) -> None:
        (self._bin / name).write_text(f"#!/bin/sh\n{text}\n")
        (self._bin / name).chmod(0o755)

    def add_system(self, name: str, text: str) -> None:
        (self.ami / "systems" / f"{name}.sh").write_text(text)

    def boot(self, system: str, version: str) -> None:
        self._release.write_text(f'NAME="not the image"\nVERSION="9"\nID={system}\nVERSION_ID="{version}"\n')

    def run(self, script: str) -> subprocess.CompletedProcess[str]:
        given = {"NOTES": str(self._notes), "OS_RELEASE": str(self._release)}
        return sh(script, cwd=self.ami, programs=str(self._bin), **given)

    def read_system(self, then: str = "") -> subprocess.CompletedProcess[str]:
        """Read the system's file as both scripts do, then run `then`."""
        return self.run(f"{READ}\n{then}")

    def notes(self) -> list[str]:
        return self._notes.read_text().splitlines()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


@pytest.mark.parametrize("path", sorted((AMI / "systems").glob("*.sh")), ids=lambda path: path.stem)
def test_every_system_defines_the_whole_seam(machine: Machine, path: Path) -> None:
    version = re.search(r"^SYSTEM_VERSION='?([^'\n]+)", path.read_text(), re.MULTILINE)
    assert version
    machine.boot(path.stem, version[1])
    done = machine.run(f"NAME='the image' VERSION=''\n{READ}\n" + 'echo "$NAME$VERSION, $SYSTEM_NAME"')
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("the image, ")
    assert done.stdout.strip() != "the image,", "the system has a name"


@pytest.mark.parametrize("part", SEAM)
def test_a_system_that_lacks_a_part_is_refused_by_name(machine: Machine, part: str) -> None:
    kept = [line for line in PEBBLE.splitlines() if not line.startswith((f"{part}=", f"{part}()"))]
    machine.add_system("pebble", "\n".join(kept))
    done = machine.read_system()
    assert done.returncode != 0
    assert part in done.stderr
    assert "pebble.sh" in done.stderr


@pytest.mark.parametrize(
    ("system", "version", "words"),
    [
        ("gravel", "1", "this is gravel, and ami/systems has only: debian pebble."),
        ("pebble", "4", "this is pebble 4, and ami/systems/pebble.sh is for Pebble 3"),
        ("pebble", "", "this is pebble without a version"),
        ("", "", "this is an unknown system"),
    ],
)
def test_a_system_without_a_file_of_its_version_is_refused(
    machine: Machine, system: str, version: str, words: str
) -> None:
    machine.boot(system, version)
    done = machine.read_system()
    assert done.returncode != 0
    assert words in done.stderr


def test_packages_are_installed_by_the_systems_own_means_and_only_those_that_are_missing(machine: Machine) -> None:
    call = f"PACKAGES='influxdb' EFS_UTILS=efs.pebble\n{function('install_packages')}\ninstall_packages"
    done = machine.read_system(call)
    assert done.returncode == 0, done.stderr
    assert machine.notes() == ["install python311 influxdb", "install-file efs.pebble", "forget"]


def test_a_failed_installation_ends_the_build(machine: Machine) -> None:
    machine.add_system("pebble", PEBBLE.replace("note install ", "return 7; note install "))
    call = f"PACKAGES='' EFS_UTILS=''\n{function('install_packages')}\ninstall_packages"
    assert machine.read_system(call).returncode == 7
    assert machine.notes() == []


def test_the_systems_own_downloads_are_masked(machine: Machine) -> None:
    machine.program("systemctl", 'note systemctl "$@"')
    machine.read_system(f"{function('mask_downloads')}\nmask_downloads")
    assert machine.notes() == ["systemctl --root=/ --quiet mask pebble-update.timer"]


def test_verification_checks_the_systems_claims_units_and_module(machine: Machine) -> None:
    machine.program("systemctl", "exit 1")
    done = machine.run("exec sh ./verify.sh --service demo")
    assert done.returncode == 1
    assert "verify.sh: not true: pebbles are round" in done.stdout
    assert "verify.sh: not true: nothing is downloaded by pebble-update.timer (it is masked)" in done.stdout
    assert "apt-daily" not in done.stdout


DEBIAN_CALLS: list[tuple[str, list[str]]] = [
    ("install_missing one two", ["apt-get -q update", "apt-get * install two"]),
    ("system_install_file /tmp/efs.deb", ["apt-get * install /tmp/efs.deb"]),
    ("system_forget_downloads", ["apt-get -q clean"]),
]


@pytest.mark.parametrize(("call", "expected"), DEBIAN_CALLS)
def test_debian_installs_by_apt(machine: Machine, call: str, expected: list[str]) -> None:
    machine.boot("debian", "12")
    machine.program("apt-get", 'note apt-get "$@"')
    machine.program("dpkg-query", 'case "$*" in *one) printf installed ;; *) exit 1 ;; esac')
    assert machine.read_system(call).returncode == 0
    shortened = [re.sub(r"apt-get -q -y .* install", "apt-get * install", note) for note in machine.notes()]
    assert shortened == expected


@pytest.mark.parametrize(
    ("prepare", "broken"),
    [
        ("", []),
        ("system_forbid_starting_services", ["services may start (no policy-rc.d left over)"]),
        ("system_forbid_starting_services; system_allow_starting_services", []),
        ("echo >networkd", ["networkd leaves the agent's rules alone", "networkd leaves the agent's routes alone"]),
    ],
)
def test_debians_claims_are_about_what_its_functions_do(machine: Machine, prepare: str, broken: list[str]) -> None:
    machine.boot("debian", "12")
    elsewhere = "POLICY=policy-rc.d NETWORKD=./networkd"
    claim = 'claim() { said=$1; shift; "$@" || echo "$said"; }'
    done = machine.read_system(f"{elsewhere}\n{claim}\nsystem_leave_interface\n{prepare}\nsystem_claims")
    assert done.stdout.splitlines() == broken
