"""What a machine needs of the host: memory and processes; when the probe of a kernel is repeated."""

import os
from pathlib import Path

import pytest

from lab.base.errors import LabPreconditionError
from lab.hardware import probe
from lab.hardware.memory import Room, choose_directory
from lab.hardware.processes import parse_stat, session_members

SHM, RUN = Path("/dev/shm"), Path("/tmp/run")


@pytest.mark.parametrize(
    ("shm", "run", "expected"),
    [
        (Room(usable=True, executable=True, free_mib=4096), Room(usable=True, executable=True, free_mib=9000), SHM),
        (Room(usable=True, executable=True, free_mib=64), Room(usable=True, executable=True, free_mib=9000), RUN),
        (Room(usable=True, executable=False, free_mib=4096), Room(usable=True, executable=True, free_mib=9000), RUN),
        (Room(usable=False, executable=False, free_mib=0), Room(usable=True, executable=True, free_mib=9000), RUN),
    ],
)
def test_memory_goes_where_it_fits_and_may_be_executed(shm: Room, run: Room, expected: Path) -> None:
    assert choose_directory([SHM, RUN], 1024, lambda path: {SHM: shm, RUN: run}[path]) == expected


def test_when_nothing_fits_every_reason_and_the_remedy_are_said() -> None:
    rooms = {
        SHM: Room(usable=True, executable=True, free_mib=64),
        RUN: Room(usable=True, executable=False, free_mib=9000),
    }
    with pytest.raises(LabPreconditionError) as caught:
        choose_directory([SHM, RUN], 1024, rooms.__getitem__)
    assert str(caught.value) == (
        "no place for 1024 MiB of machine memory: /dev/shm has 64 MiB free; /tmp/run is mounted noexec. "
        "Free some space or enlarge /dev/shm (mount -o remount,exec,size=1024M /dev/shm)"
    )


def test_a_command_with_brackets_and_spaces_does_not_confuse_the_session() -> None:
    assert parse_stat("10 (a) b (c) S 2 10 99 0 -1") == ("S", 99)


def test_members_of_a_session_are_its_living_processes_only(tmp_path: Path) -> None:
    for pid, stat in {
        "5": "5 (x) S 1 5 5 0",
        "6": "6 (y) t 5 5 5 0",
        "7": "7 (z) Z 5 5 5 0",
        "8": "8 (o) S 1 8 8 0",
    }.items():
        (tmp_path / pid).mkdir()
        (tmp_path / pid / "stat").write_text(stat)
    (tmp_path / "9").mkdir()  # ended while being looked at
    (tmp_path / "self").mkdir()
    assert sorted(session_members(5, tmp_path)) == [5, 6]


def test_the_probe_is_repeated_when_kernel_processor_or_shim_change(tmp_path: Path) -> None:
    file = tmp_path / "kernel"
    file.write_bytes(b"1")
    os.utime(file, (1, 1))
    before = file.stat()
    keys = {
        probe.probe_key(file, before, "6.18", "fpu amx", b"shim"),
        probe.probe_key(file, before, "6.19", "fpu amx", b"shim"),
        probe.probe_key(tmp_path / "other", before, "6.18", "fpu amx", b"shim"),
        probe.probe_key(file, before, "6.18", "fpu", b"shim"),
        probe.probe_key(file, before, "6.18", "fpu amx", b"other"),
    }
    os.utime(file, (2, 2))
    keys.add(probe.probe_key(file, file.stat(), "6.18", "fpu amx", b"shim"))
    assert len(keys) == 6
